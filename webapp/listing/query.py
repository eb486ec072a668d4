"""A sheet: the jobs that a page of the gallery shows, their order and their first place, as an address has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tasks.accounts.actors import Actor
from tasks.db.database import now
from tasks.errors import Fault, Rejected
from tasks.library import cards
from tasks.library.cards import Card
from tasks.library.paging import NoPlace, Place, Sort
from tasks.library.query import Search, Unclear, parse

PAGE, APPENDED = 60, 24  # cards of a page; cards appended to one that scrolls, where 60 at once visibly jerk


@dataclass(frozen=True, slots=True)
class Sheet:
    """What an address requests. The default is the newest jobs."""

    search: Search = field(default_factory=Search)
    sort: Sort = Sort.NEWEST
    place: Place | None = None

    @property
    def growing(self) -> bool:
        """Whether new jobs appear on the sheet: it is sorted newest first, and begins with the first job."""
        return self.sort == Sort.NEWEST and self.place is None

    @property
    def folds(self) -> bool:
        """Whether many jobs that wait fold into one card: it shows all prints, newest first."""
        return self.sort == Sort.NEWEST and not self.search.terms

    def address(self, place: Place | None = None, path: str = "/", **more: object) -> str:
        """Return the sheet's address from a place on: in the gallery, or below another path with more parameters."""
        fields = {**self._fields(place), **more}
        return f"{path}?{urlencode(fields)}" if fields else path

    def stream(self) -> str:
        """Return the address of the live stream of the sheet's changes from now on."""
        return f"/events?{urlencode({'since': now().isoformat(), **self._fields(self.place)})}"

    def _fields(self, place: Place | None) -> dict[str, str]:
        sort = "" if self.sort == Sort.NEWEST else self.sort
        fields = {"q": str(self.search), "sort": sort, "cursor": str(place or "")}
        return {name: value for name, value in fields.items() if value}

    async def cards(self, count: int = PAGE, folded: bool = False) -> tuple[list[Card], Place | None]:
        """Return the cards on the sheet, and the place from which more follow, if any. folded: none that waits."""
        return await cards.page(self.search.but_waiting() if folded else self.search, self.sort, self.place, count)


def read(query: Mapping[str, Any], actor: Actor) -> Sheet:
    """Return the sheet that a query string requests. Raises Rejected with the faults when it is invalid.

    actor: who requests it, and may see only what they may.
    """
    try:
        search = search_of(query.get("q", ""), actor)
    except Unclear as unclear:
        raise Rejected("invalid_query", [Fault("/q", sentence) for sentence in unclear.faults]) from unclear
    try:
        sort = Sort(query.get("sort") or Sort.NEWEST)
    except ValueError:
        raise Rejected("invalid_query", [Fault("/sort", f"Jobs are sorted by {', '.join(Sort)}.")]) from None
    try:
        place = Place.of(query["cursor"], sort) if query.get("cursor") else None
    except NoPlace:
        sentence = "This cursor is none of ours, or one of another sort. Start from the first page."
        raise Rejected("invalid_cursor", [Fault("/cursor", sentence)]) from None
    return Sheet(search, sort, place)


def search_of(text: str, actor: Actor) -> Search:
    """Return a search as the actor means it, who finds only what they may see. Raises Unclear."""
    return parse(text).seen_by(actor.name if actor.person else "", actor.sees_only)

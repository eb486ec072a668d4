"""A sheet: the jobs that a page of the gallery shows, their order and their first place, as an address has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from tasks.accounts.actors import Actor
from tasks.db.database import now
from tasks.errors import Fault, Rejected
from tasks.library import cards
from tasks.library.cards import Card
from tasks.library.days import day_of
from tasks.library.paging import NoPlace, Place, Sort
from tasks.library.query import Search, Unclear, parse
from tasks.settings import settings

PAGE, APPENDED = 60, 24  # cards of a page; cards added to one that scrolls, where 60 at once visibly jerk


@dataclass(frozen=True, slots=True)
class Sheet:
    """What an address requests. The default is the newest jobs.

    place: where it begins. until: the job before which it ends instead. zone: in which days and months begin.
    """

    search: Search = field(default_factory=Search)
    sort: Sort = Sort.NEWEST
    place: Place | None = None
    until: Place | None = None
    zone: ZoneInfo = field(default_factory=lambda: settings.zone)

    @property
    def by_time(self) -> bool:
        """Whether its days and months follow one another."""
        return self.sort != Sort.FAVORITES

    @property
    def whole(self) -> bool:
        """Whether it begins with the first job."""
        return self.place is None and self.until is None

    @property
    def folds(self) -> bool:
        """Whether many jobs that wait fold into one card: it shows all prints, newest first."""
        return self.sort == Sort.NEWEST and not self.search.terms

    def sorted_by(self, sort: Sort) -> "Sheet":
        """Return the same sheet in another order."""
        return replace(self, sort=Sort(sort))

    @property
    def own_address(self) -> str:
        """The sheet's own address in the gallery."""
        return self.address(self.place, self.until)

    def address(self, place: Place | None = None, until: Place | None = None, path: str = "/", **more: object) -> str:
        """Return the address of the sheet from or up to another place: in the gallery, or below another path.

        more: further fields of its query string.
        """
        fields = {**self._fields(place, until), **more}
        return f"{path}?{urlencode(fields)}" if fields else path

    def stream(self) -> str:
        """Return the address of the live stream of the sheet's changes from now on."""
        return f"/events?{urlencode({'since': now().isoformat(), **self._fields(self.place, self.until)})}"

    def _fields(self, place: Place | None, until: Place | None) -> dict[str, str]:
        sort = "" if self.sort == Sort.NEWEST else self.sort
        fields = {"q": str(self.search), "sort": sort, "cursor": str(place or ""), "until": str(until or "")}
        return {name: value for name, value in fields.items() if value}

    async def cards(self, count: int = PAGE) -> tuple[list[Card], Place | None]:
        """Return the cards on the sheet, and the place from which more follow, if any."""
        return await cards.page(self.search, self.sort, self.place, count)

    async def page(self, count: int = PAGE, whole_days: bool = False) -> "Page":
        """Return the cards on the sheet, and where there are more on both sides.

        whole_days: whether a sheet that ends at a place may have up to twice as many cards to begin with a day.
        """
        if self.until is not None:
            most = count * 2 if whole_days and self.by_time else count
            return self._ending(*await cards.page_before(self.search, self.sort, self.until, most), count)
        shown, older = await self.cards(count)
        if self.place is None or not shown:
            return Page(shown, None, older)
        first = Place.behind(shown[0].job, self.sort)
        return Page(shown, first if await cards.any_before(self.search, self.sort, first) else None, older)

    def _ending(self, read: list[Card], newer: bool, count: int) -> "Page":
        """Return a page of at least `count` of the cards read, from the first of a day on where there is one."""
        most = len(read) - count
        days = [day_of(card.job.id, self.zone) for card in read[: most + 1]] if most > 0 else []
        begins = next((at for at in range(most, 0, -1) if days[at] != days[at - 1]), max(most, 0))
        shown = read[begins:]
        if not shown:
            return Page([])
        first, last = (Place.behind(card.job, self.sort) for card in (shown[0], shown[-1]))
        return Page(shown, first if begins or newer else None, last)


@dataclass(frozen=True, slots=True)
class Page:
    """The cards of a page. newer, older: the places before which and from which there are more, if any.

    They are named after the sort by newest; in other sorts they lead the same ways.
    """

    cards: list[Card]
    newer: Place | None = None
    older: Place | None = None


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
        raise _no_place("cursor") from None
    return Sheet(search, sort, place)


def read_or_whole(query: Mapping[str, Any], actor: Actor) -> Sheet:
    """Return the sheet that a job was opened from, or the whole gallery when the query string is invalid."""
    try:
        return read(query, actor)
    except Rejected:
        return Sheet()


def read_page(query: Mapping[str, Any], actor: Actor, zone: ZoneInfo) -> Sheet:
    """Return the sheet that an address of the gallery requests. Raises Rejected like `read`.

    Here it may also begin with a job (`at`, its id), or end before one (`until`, a cursor).
    """
    sheet = replace(read(query, actor), zone=zone)
    try:
        if query.get("at"):
            return replace(sheet, place=Place.before(UUID(query["at"]), sheet.sort))
    except (ValueError, NoPlace):
        raise _no_place("at") from None
    try:
        if query.get("until"):
            return replace(sheet, until=Place.of(query["until"], sheet.sort))
    except NoPlace:
        raise _no_place("until") from None
    return sheet


def search_of(text: str, actor: Actor) -> Search:
    """Return a search as the actor means it, who finds only what they may see. Raises Unclear."""
    return parse(text).seen_by(actor.name if actor.person else "", actor.sees_only)


def _no_place(name: str) -> Rejected:
    sentence = "This cursor is none of ours, or one of another sort. Start from the first page."
    return Rejected("invalid_cursor", [Fault(f"/{name}", sentence)])

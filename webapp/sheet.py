"""A sheet: which jobs a page of the gallery shows, in which order, and from where on; as addresses have it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tasks import library
from tasks.admission import Rejected
from tasks.database import now
from tasks.library import Card
from tasks.schemas import Fault
from tasks.search import Search, Unclear, parse
from tasks.sorting import NoPlace, Place, Sort

PAGE, APPENDED = 60, 24  # cards of a page; of what is put below one that scrolls, where 60 at once are seen to jerk


@dataclass(frozen=True, slots=True)
class Sheet:
    """What an address asks for. Without anything in it: the newest jobs."""

    search: Search = field(default_factory=Search)
    sort: Sort = Sort.NEWEST
    place: Place | None = None

    @property
    def growing(self) -> bool:
        """Whether new jobs have their place on it: they come first, and it begins with the first."""
        return self.sort == Sort.NEWEST and self.place is None

    def address(self, place: Place | None = None, path: str = "/", **more: object) -> str:
        """Where it is, from a place on: in the gallery, or below another path with more parameters."""
        fields = {**self._fields(place), **more}
        return f"{path}?{urlencode(fields)}" if fields else path

    def stream(self) -> str:
        """The address of what happens on it from now on."""
        return f"/events?{urlencode({'since': now().isoformat(), **self._fields(self.place)})}"

    def _fields(self, place: Place | None) -> dict[str, str]:
        sort = "" if self.sort == Sort.NEWEST else self.sort
        fields = {"q": str(self.search), "sort": sort, "cursor": str(place or "")}
        return {name: value for name, value in fields.items() if value}

    async def cards(self, count: int = PAGE) -> tuple[list[Card], Place | None]:
        """The cards on it, and the place where more come, if any."""
        return await library.page(self.search, self.sort, self.place, count)


def read(query: Mapping[str, Any]) -> Sheet:
    """The sheet that a query string asks for. Raises Rejected with all that is wrong with it."""
    try:
        search = parse(query.get("q", ""))
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

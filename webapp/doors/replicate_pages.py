"""Pages of predictions, newest first, as Replicate's clients turn them: by cursors, in both directions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from tasks.accounts.actors import Actor
from tasks.db import ids
from tasks.errors import Fault, Rejected
from tasks.library import cards, moments
from tasks.library.cards import Card
from tasks.library.paging import NoPlace, Place, Sort
from tasks.library.query import Search

PAGE_SIZE = 100  # predictions on one page


@dataclass(frozen=True, slots=True)
class Span:
    """The predictions that a query string asks for.

    after, before: the first id, and the one after the last, if any. place: where the page begins; walked from there
    towards newer ones when it is of the oldest first. none: whether no prediction is meant.
    """

    after: UUID | None
    before: UUID | None
    place: Place | None
    turned: bool
    none: bool

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> Self:
        """Return the span of a query string. Raises Rejected. All predictions count as those of programs."""
        after, before = _first_id(query, "created_after"), _first_id(query, "created_before")
        turned = bool(query.get("cursor"))
        place = _place(query["cursor"]) if turned else Place(Sort.NEWEST, before) if before else None
        return cls(after, before, place, turned, query.get("source") == "web")

    async def page(self, actor: Actor) -> tuple[list[Card], str | None, str | None]:
        """Return the jobs on the page, and the cursors of the pages with older and with newer ones, if any."""
        if self.none:
            return [], None, None
        sort, search = self.place.sort if self.place else Sort.NEWEST, Search(owner=actor.sees_only)
        found, more = await cards.page(search, sort, self.place, PAGE_SIZE)
        kept = [card for card in found if self._includes(card.job.id)]
        beyond = str(more) if more and len(kept) == len(found) else None
        if sort == Sort.OLDEST:
            kept.reverse()
            return kept, str(Place.behind(kept[-1].job, Sort.NEWEST)) if kept else None, beyond
        return kept, beyond, str(Place.behind(kept[0].job, Sort.OLDEST)) if kept and self.turned else None

    def _includes(self, job_id: UUID) -> bool:
        return (self.after is None or job_id >= self.after) and (self.before is None or job_id < self.before)


def _first_id(query: Mapping[str, Any], name: str) -> UUID | None:
    """Return the first id of a moment, or None when the query names none. Raises Rejected."""
    if not (text := query.get(name)):
        return None
    try:
        return ids.first_at(moments.read(text))
    except (ValueError, OverflowError):
        raise Rejected("invalid_query", [Fault(f"/{name}", f"{name} must be a time as in ISO 8601.")]) from None


def _place(cursor: str) -> Place:
    """Return the place of a cursor. Raises Rejected."""
    for sort in (Sort.NEWEST, Sort.OLDEST):
        try:
            return Place.of(cursor, sort)
        except NoPlace:
            continue
    raise Rejected("invalid_cursor", [Fault("/cursor", "This cursor is none of ours. Start from the first page.")])

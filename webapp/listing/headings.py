"""The headings of a sheet: the first card of each day has one, with the number of prints that the search finds then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from tasks.library import days
from tasks.library.cards import Card
from webapp.listing.query import Sheet
from webapp.render.numbers import figures


@dataclass(frozen=True, slots=True)
class Heading:
    """The heading of a day. number: of the prints of that day, in words."""

    day: date
    number: str

    @property
    def words(self) -> str:
        """The day in words, as Date.toDateString() in js/days.js has them: Mon 30 Nov 2026."""
        return f"{self.day:%a} {self.day.day} {self.day:%b} {self.day.year}"


async def headings(sheet: Sheet, cards: Sequence[Card], appended: bool = False) -> dict[UUID, Heading]:
    """Return the headings of a sheet's cards, by the job that each stands before.

    appended: whether the cards follow others on the page, where the day of the last one has its heading already.
    """
    if not sheet.by_time:
        return {}
    before = days.day_of(sheet.place.job_id, sheet.zone) if appended and sheet.place else None
    firsts: dict[date, UUID] = {}
    for card in cards:
        firsts.setdefault(days.day_of(card.job.id, sheet.zone), card.job.id)
    numbers = await days.counted(sheet.search, firsts.keys() - {before}, sheet.zone)
    return {firsts[day]: Heading(day, figures(number)) for day, number in numbers.items()}

"""The timeline of a sheet: its months in its order, each with its share and a link, as the template receives them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from tasks.library.months import Month, span_of
from tasks.library.paging import Place, Sort
from webapp.listing.query import Sheet


@dataclass(frozen=True, slots=True)
class Mark:
    """A month on the timeline. weight: its share. jobs: None when the number is not known."""

    first: date
    weight: int
    jobs: int | None
    address: str


def timeline(sheet: Sheet, months: Sequence[Month]) -> dict[int, list[Mark]]:
    """Return the months by year, in the order of the sheet. Returns {} where there is nothing to choose from.

    months: newest first. The first month of the sheet is where the sheet begins.
    """
    if not sheet.by_time or len(months) < 2:
        return {}
    ordered = months if sheet.sort == Sort.NEWEST else months[::-1]
    marks = [_mark(sheet, month, number == 0) for number, month in enumerate(ordered)]
    return {year: list(of_year) for year, of_year in groupby(marks, key=lambda mark: mark.first.year)}


def _mark(sheet: Sheet, month: Month, begins: bool) -> Mark:
    place = None if begins else Place.before_span(span_of(month.first, sheet.zone), sheet.sort)
    return Mark(month.first, month.weight, month.jobs, sheet.address(place))

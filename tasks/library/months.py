"""Count what a search finds month by month, as a timeline shows it, however many jobs there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo

from async_lru import alru_cache

from tasks.db import ids
from tasks.db.tables import Condition, Job
from tasks.library import paging
from tasks.library.cards import MAX_COUNTED
from tasks.library.days import day_of, start_of
from tasks.library.filters import VISIBLE
from tasks.library.paging import Span
from tasks.library.query import Search

LIBRARY_TTL_SECONDS = 30.0  # seconds that the months of the whole library are cached
ALL = 2**62  # more jobs than there are
MAX_SPANS = 100  # months counted in one query; SQLite joins at most 500


@dataclass(frozen=True, slots=True)
class Month:
    """A month with jobs. first: its first day. weight: its share of the timeline. jobs: None when it is not known."""

    first: date
    weight: int
    jobs: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search finds. total: exact up to a limit, and one more than it for any more. months: newest first."""

    total: int
    months: Sequence[Month]


def span_of(month: date, zone: ZoneInfo) -> Span:
    """Return when a month begins and ends in a zone. month: its first day."""
    years, number = divmod(month.month, 12)
    return start_of(month, zone), start_of(date(month.year + years, number + 1, 1), zone)


async def found(search: Search, zone: ZoneInfo, most: int = MAX_COUNTED) -> Found:
    """Return how many jobs a search finds, in all and by months of a zone.

    Of more than `most` jobs the months are not known; then they are those of the whole library, as a hint. The trash
    has no months.
    """
    library = await of_library(zone)
    if not search:
        return Found(sum(month.weight for month in library), library)
    starts = [span_of(month.first, zone)[0] for month in library]
    total, numbers = await paging.numbers_since(search, starts, most + 1)
    if search.trash:
        return Found(total, ())
    if total > most:
        return Found(total, [Month(month.first, month.weight, None) for month in library])
    counted = zip(library, numbers, strict=True)
    return Found(total, [Month(month.first, number, number) for month, number in counted if number])


@alru_cache(maxsize=8, ttl=LIBRARY_TTL_SECONDS)
async def of_library(zone: ZoneInfo) -> Sequence[Month]:
    """Return the months of a zone in which jobs outside the trash were submitted, newest first."""
    firsts = await _with_jobs(zone)
    if not firsts:
        of_library.cache_invalidate(zone)  # a newcomer's first print has its month at once
    months: list[Month] = []
    for start in range(0, len(firsts), MAX_SPANS):
        part = firsts[start : start + MAX_SPANS]
        numbers = await paging.numbers_within(Search(), [span_of(first, zone) for first in part], ALL)
        months += [Month(first, number, number) for first, number in zip(part, numbers, strict=True) if number]
    return tuple(months)


async def _with_jobs(zone: ZoneInfo) -> list[date]:
    """Return the first days of these months, found one by one along the index."""
    firsts: list[date] = []
    newest = await _newest(VISIBLE)
    while newest:
        firsts.append(day_of(newest, zone).replace(day=1))
        newest = await _newest(VISIBLE & (Job.id < ids.first_at(start_of(firsts[-1], zone))))
    return firsts


async def _newest(where: Condition) -> UUID | None:
    row = await Job.select(Job.id).where(where).order_by(Job.id, ascending=False).limit(1).first()
    return row["id"] if row else None

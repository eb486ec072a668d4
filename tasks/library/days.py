"""Tell on which day of a zone jobs were submitted, and count what a search finds on a day."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tasks.db import ids
from tasks.library import paging
from tasks.library.cards import MAX_COUNTED
from tasks.library.moments import EARLIEST
from tasks.library.query import Search


def day_of(job_id: UUID, zone: ZoneInfo) -> date:
    """Return the day on which the job with this id was submitted."""
    return ids.moment_of(job_id).astimezone(zone).date()


def start_of(day: date, zone: ZoneInfo) -> datetime:
    """Return when a day begins in a zone, in UTC, but never before 1970."""
    return max(datetime.combine(day, time(), zone).astimezone(UTC), EARLIEST)


async def counted(search: Search, days: Iterable[date], zone: ZoneInfo) -> dict[date, int]:
    """Return how many jobs a search finds on each of these days: exact up to MAX_COUNTED, one more for any more."""
    listed = sorted(set(days))
    spans = [(start_of(day, zone), start_of(day + timedelta(days=1), zone)) for day in listed]
    numbers = await paging.numbers_within(search, spans, MAX_COUNTED + 1)
    return dict(zip(listed, numbers, strict=True))

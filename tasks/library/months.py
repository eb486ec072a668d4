"""Find the months that have jobs, to jump to, one by one along the index, however many jobs there are."""

from time import monotonic
from uuid import UUID

from tasks.db import ids
from tasks.db.tables import Condition, Job
from tasks.library.filters import VISIBLE
from tasks.library.query import first_moment

MONTHS_TTL_SECONDS = 30.0  # seconds that an answer is cached

_known: tuple[float, list[str]] = (0.0, [])


async def with_jobs() -> list[str]:
    """Return the months in which jobs outside the trash were submitted, newest first, as 2026-09."""
    global _known
    if monotonic() >= _known[0]:
        _known = monotonic() + MONTHS_TTL_SECONDS, await _months()
    return _known[1]


def forget() -> None:
    """Drop the cached answer, so that the next call queries the database."""
    global _known
    _known = 0.0, []


async def _months() -> list[str]:
    months: list[str] = []
    newest = await _newest(VISIBLE)
    while newest:
        months.append(f"{ids.moment_of(newest):%Y-%m}")
        newest = await _newest(VISIBLE & (Job.id < ids.first_at(first_moment(months[-1]))))
    return months


async def _newest(where: Condition) -> UUID | None:
    row = await Job.select(Job.id).where(where).order_by(Job.id, ascending=False).limit(1).first()
    return row["id"] if row else None

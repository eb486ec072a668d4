"""Find the months that have jobs, to jump to, one by one along the index, however many jobs there are."""

from uuid import UUID

from async_lru import alru_cache

from tasks.db import ids
from tasks.db.tables import Condition, Job
from tasks.library.filters import VISIBLE
from tasks.library.query import first_moment

MONTHS_TTL_SECONDS = 30.0  # seconds that an answer is cached


@alru_cache(maxsize=1, ttl=MONTHS_TTL_SECONDS)
async def with_jobs() -> list[str]:
    """Return the months in which jobs outside the trash were submitted, newest first, as 2026-09."""
    months: list[str] = []
    newest = await _newest(VISIBLE)
    while newest:
        months.append(f"{ids.moment_of(newest):%Y-%m}")
        newest = await _newest(VISIBLE & (Job.id < ids.first_at(first_moment(months[-1]))))
    if not months:
        with_jobs.cache_invalidate()  # a newcomer's first print has its month at once
    return months


async def _newest(where: Condition) -> UUID | None:
    row = await Job.select(Job.id).where(where).order_by(Job.id, ascending=False).limit(1).first()
    return row["id"] if row else None

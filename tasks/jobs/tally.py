"""How much runs and waits: what the gallery says of the queue.

Nothing is counted for it alone: each process counts at most once a second, for all that it shows and accepts.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from async_lru import alru_cache

from tasks.db.tables import Job
from tasks.jobs import backlog, estimates, queue

MODEL_TTL_SECONDS = 1.0  # for which this process caches the model of the last job in line
MAX_WAITING_LISTED = queue.PLACES_SHOWN
MAX_RUNNING_LISTED = 100

LAST_IN_LINE = "SELECT model FROM job WHERE {} ORDER BY job.priority, job.turn DESC, job.id DESC LIMIT 1"
OUT_OF_LINE = "SELECT id FROM job WHERE status = 'queued' AND NOT ({}) ORDER BY due_at, id LIMIT {}"
"""Finds the jobs that wait, but not for their turn: for another try, or for a worker to continue."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many jobs run and wait, and when the last one will likely start; None when this is unknown."""

    running: int = 0
    waiting: int = 0
    last_start: datetime | None = None

    def __bool__(self) -> bool:
        return self.running > 0 or self.waiting > 0


async def current() -> Tally:
    """Return the tally as this process knows it."""
    waiting = (await backlog.count_waiting()).jobs
    return Tally(await estimates.number_running(), waiting, await _last_start(waiting) if waiting else None)


def forget() -> None:
    """Have what runs and waits counted again: a user has just changed it, and looks at it."""
    for counted in (backlog.count_waiting, estimates.number_running, last_model):
        counted.cache_clear()


async def listed() -> tuple[list[UUID], list[UUID]]:
    """Return the ids of the jobs that run, oldest first, and of those that wait, the next to run first.

    At most MAX_RUNNING_LISTED and MAX_WAITING_LISTED. Jobs that wait for another try come last, by when it is due.
    """
    running = Job.select(Job.id).where(Job.status == queue.RUNNING).order_by(Job.id).limit(MAX_RUNNING_LISTED)
    waiting = list(await queue.front())
    if (room := MAX_WAITING_LISTED - len(waiting)) > 0:
        rows = await Job.raw(OUT_OF_LINE, queue.waiting().querystring, room)
        waiting += [row["id"] for row in rows]
    return [row["id"] for row in await running], waiting


async def _last_start(waiting: int) -> datetime | None:
    model = await last_model()
    return (await estimates.outlook([model])).start(model, waiting) if model else None


@alru_cache(maxsize=1, ttl=MODEL_TTL_SECONDS)
async def last_model() -> str | None:
    """Return the model of the last job in line, or None when none is in line."""
    rows = await Job.raw(LAST_IN_LINE, queue.waiting().querystring)
    return rows[0]["model"] if rows else None

"""What the queue does now: what waits and how long, what runs, what is tried again and why, and what holds it up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.db.database import now
from tasks.db.dialect import as_moment
from tasks.db.operation_tables import ModelPause
from tasks.db.tables import Halt, Job
from tasks.jobs import backlog, estimates, pauses, queue
from tasks.replicate import circuit, rate_limit

OLDEST = "SELECT min(due_at) AS due_at FROM job WHERE {}"
RETRYING = (
    "SELECT error_code, count(*) AS jobs FROM job WHERE status = 'queued' AND attempt IS NULL AND retry_count > 0"
    " GROUP BY error_code ORDER BY 2 DESC"
)


@dataclass(frozen=True, slots=True)
class QueueState:
    """The queue at a moment.

    oldest: since when the job waits in line that waits longest; None when none does. retrying: how many jobs wait for
    another try, by the code of their last error. tokens, per_minute: how many predictions may be created at once, and
    in a minute; None when that is not known.
    """

    waiting: int
    running: int
    oldest: datetime | None
    retrying: Mapping[str, int]
    halt: Halt | None
    pauses: Sequence[ModelPause]
    tokens: float | None
    per_minute: float | None


async def current() -> QueueState:
    """Return the state of the queue. Its counts may be a second old."""
    [oldest] = await Job.raw(OLDEST, queue.waiting().querystring)
    since = as_moment(oldest["due_at"]) if oldest["due_at"] else None
    retrying = {row["error_code"] or "": row["jobs"] for row in await Job.raw(RETRYING)}
    level = await rate_limit.level()
    tokens, per_minute = level or (None, None)
    return QueueState(
        (await backlog.count_waiting()).jobs, await estimates.number_running(), since, retrying,
        await circuit.current(), await pauses.listed(), tokens, per_minute,
    )  # fmt: skip


def seconds_since(moment: datetime) -> float:
    """Return how many seconds ago a moment was; 0 for one to come."""
    return max(0.0, (now() - moment).total_seconds())

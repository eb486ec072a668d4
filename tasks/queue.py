"""The order in which waiting jobs run: by priority, then fairly among clients, then by age.

Each job gets a `turn` when it is submitted, as in start-time fair queueing: one more than its client's last, but never
behind the turn that is served now. So a client's thousandth job stands behind the first one of everybody else.
"""

from typing import Any, TypeVar
from uuid import UUID

from piccolo.columns.combination import And, Or, Where, WhereRaw
from piccolo.querystring import QueryString

from tasks.database import DB, from_now
from tasks.tables import Job, Status

Condition = Where | WhereRaw | And | Or
Query = TypeVar("Query", bound=Any)

QUEUED = QueryString("'queued'")  # literals: indexes of a part of the rows are not found for a bound value
RUNNING = QueryString("'running'")

PLACES_SHOWN = 50  # how far back in the queue the cards of a page tell their place


def waiting() -> Condition:
    """Jobs whose turn may come now, and which need a prediction."""
    return (Job.status == QUEUED) & Job.attempt.is_null() & (Job.due_at <= from_now())


def resumed() -> Condition:
    """Jobs to be gone on with: left by their worker, or back for another look at the prediction they have."""
    back = (Job.status == QUEUED) & Job.attempt.is_not_null() & (Job.due_at <= from_now())
    left = (Job.status == RUNNING) & (Job.lease_until < from_now())
    return back | left


def in_order(query: Query) -> Query:
    """A query for waiting jobs, the first to run first."""
    ordered: Query = query.order_by(Job.priority, ascending=False).order_by(Job.turn).order_by(Job.id)
    return ordered


def next_turn(client: str, priority: int) -> QueryString:
    """The turn of a client's next job, as an expression."""
    served = "SELECT turn FROM job WHERE status = 'queued' AND attempt IS NULL AND priority = {} AND due_at <= {} "
    own = "SELECT max(turn) + 1 FROM job WHERE status = 'queued' AND client = {} AND priority = {}"
    greatest = "greatest" if DB.engine_type == "postgres" else "max"
    return QueryString(
        f"{greatest}(coalesce(({served} ORDER BY turn, id LIMIT 1), 0), coalesce(({own}), 0))",
        priority, from_now(), client, priority,
    )  # fmt: skip


async def front() -> dict[UUID, int]:
    """The first PLACES_SHOWN jobs that wait: id -> place, 1 for the next to run."""
    rows = await in_order(Job.select(Job.id).where(waiting())).limit(PLACES_SHOWN)
    return {row["id"]: place for place, row in enumerate(rows, start=1)}


async def place(job: Job) -> int | None:
    """The place of one job: 1 for the next to run. None where it does not wait for its turn."""
    if job.status != Status.QUEUED or job.attempt is not None:
        return None
    same = Job.priority == job.priority
    ahead = (Job.priority > job.priority) | (same & (Job.turn < job.turn))
    ahead = ahead | (same & (Job.turn == job.turn) & (Job.id < job.id))
    return 1 + int(await Job.count().where(waiting() & ahead))

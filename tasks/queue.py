"""The order in which waiting jobs run: by priority, then fairly among clients, then by age.

Each job gets a `turn` when it is submitted, as in start-time fair queueing: one more than its client's last, but never
behind the turn that is served now. So a client's thousandth job stands behind the first one of everybody else. A job
that comes back has had its turn: it has number 0, and goes first. (Jobs that a client submits in the same instant, by
several connections, may share a turn.)
"""

from collections.abc import Sequence
from uuid import UUID

from piccolo.columns.combination import And, Or, Where, WhereRaw
from piccolo.querystring import QueryString

from tasks.database import DB, from_now
from tasks.tables import Job

Condition = Where | WhereRaw | And | Or

QUEUED = QueryString("'queued'")  # literals: indexes of a part of the rows are not found for a bound value
RUNNING = QueryString("'running'")

TURN_LOCK = 0x7475726E  # any number, the same in every process: PostgreSQL's advisory locks have no names

PLACES_SHOWN = 50  # how far back in the queue the cards of a page tell their place
PLACES_COUNTED = 1000  # how far back a single job does

IN_ORDER = "job.priority DESC, job.turn, job.id"
"""Waiting jobs, the first to run first."""
AHEAD = (
    "SELECT job.id, (SELECT count(*) FROM (SELECT 1 FROM job AS other"
    " WHERE other.status = 'queued' AND other.attempt IS NULL AND other.due_at <= {}"
    " AND (other.priority > job.priority OR (other.priority = job.priority"
    " AND (other.turn < job.turn OR (other.turn = job.turn AND other.id < job.id))))"
    " LIMIT {}) AS first) AS ahead"
    " FROM job WHERE job.status = 'queued' AND job.attempt IS NULL AND job.due_at <= {} AND {}"
)
"""How many run before each of some waiting jobs, up to a number."""


def waiting() -> Condition:
    """Jobs whose turn may come now, and which need a prediction."""
    return WhereRaw("job.status = 'queued' AND job.attempt IS NULL AND job.due_at <= {}", from_now())


def unclaimed() -> Condition:
    """Jobs which need a prediction, now or later."""
    return WhereRaw("job.status = 'queued' AND job.attempt IS NULL")


def resumed() -> Condition:
    """Jobs to be gone on with: left by their worker, or back for another look at the prediction they have."""
    return WhereRaw(
        "(job.status = 'queued' AND job.attempt IS NOT NULL AND job.due_at <= {}"
        " OR job.status = 'running' AND job.attempt IS NOT NULL AND job.lease_until < {})",
        from_now(), from_now(),
    )  # fmt: skip


def left() -> Condition:
    """Jobs whose worker let the lease run out."""
    return WhereRaw("job.status = 'running' AND job.lease_until < {}", from_now())


def next_turn(client: str, priority: int) -> QueryString:
    """The turn of a client's next job, as an expression."""
    waits = "FROM job WHERE status = 'queued' AND attempt IS NULL AND priority = {}"
    served = f"SELECT turn {waits} AND due_at <= {{}} AND turn > 0 ORDER BY turn, id LIMIT 1"
    own = f"SELECT max(turn) + 1 {waits} AND client = {{}}"
    greatest = "greatest" if DB.engine_type == "postgres" else "max"
    return QueryString(
        f"{greatest}(coalesce(({served}), 1), coalesce(({own}), 1))",
        priority, from_now(), priority, client,
    )  # fmt: skip


async def line_up(job_ids: Sequence[UUID]) -> None:
    """Have jobs of one client, which came back at once with the same turn, stand one behind the other."""
    if len(job_ids) > 1:
        in_line = Job.select(Job.id).where(Job.id.is_in(list(job_ids))).querystrings[0]
        await Job.raw(
            "UPDATE job SET turn = turn + line.place FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place"
            " FROM ({}) AS those) AS line WHERE job.id = line.id",
            in_line,
        )


async def first_turn(client: str, priority: int) -> int:
    """The turn of a client's next job, as a number: where it submits many at once, each has one more than the last.

    Within a transaction, which on PostgreSQL keeps the client's other batches waiting: SQLite has one writer anyway.
    """
    if DB.engine_type == "postgres":
        await Job.raw("SELECT pg_advisory_xact_lock({}, hashtext({}))", TURN_LOCK, client)
    [row] = await Job.raw("SELECT {} AS turn", next_turn(client, priority))
    return int(row["turn"])


async def front() -> dict[UUID, int]:
    """The first PLACES_SHOWN jobs that wait: id -> place, 1 for the next to run."""
    first = f"SELECT id FROM job WHERE {{}} ORDER BY {IN_ORDER} LIMIT {PLACES_SHOWN}"
    rows = await Job.raw(first, waiting().querystring)
    return {row["id"]: place for place, row in enumerate(rows, start=1)}


async def places(jobs: Sequence[Job]) -> dict[UUID, int]:
    """The places of these jobs: id -> place, 1 for the next to run.

    Without those that do not wait for their turn, or are far back.
    """
    these = Job.id.is_in([job.id for job in jobs]).querystring
    rows = await Job.raw(AHEAD, from_now(), PLACES_COUNTED, from_now(), these)
    return {row["id"]: 1 + int(row["ahead"]) for row in rows if row["ahead"] < PLACES_COUNTED}

"""The order in which waiting jobs run: by priority, then fairly among clients, then by age.

Each job gets a `turn` when it is submitted, as in start-time fair queueing: one more than its client's last turn, but
never less than the turn that is served now. So a client's thousandth job runs after the first job of every other
client. A job that comes back has already had its turn: it gets turn 0 and runs first. One that a user moves to the
front gets a turn below all others. (Jobs that a client submits at the same instant over several connections may share a
turn.)
"""

from collections.abc import Sequence
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.db.dialect import GREATEST, from_now, one_transaction_at_a_time
from tasks.db.tables import Condition, Job

QUEUED = QueryString("'queued'")  # literals: a partial index is not used for a bound value
RUNNING = QueryString("'running'")

TURN_LOCK = 0x7475726E

PLACES_SHOWN = 50  # how far back in the queue the cards of a page show a job's place
PLACES_COUNTED = 1000  # how far back the place of a single job is counted

NOT_PAUSED = (
    "(SELECT 1 FROM model_pause AS pause WHERE {0}.model = pause.model"
    " OR substr({0}.model, 1, length(pause.model) + 1) = pause.model || ':' LIMIT 1) IS NULL"
)
"""Holds for the jobs (by the name of their table) whose model is not paused.

It is no NOT EXISTS, because PostgreSQL may make a join of that, and read the whole queue.
"""
RUN_ORDER = "job.priority DESC, job.turn, job.id"
"""The order of waiting jobs: the next to run comes first."""
COUNT_AHEAD = (
    "SELECT job.id, (SELECT count(*) FROM (SELECT 1 FROM job AS other"
    " WHERE other.status = 'queued' AND other.attempt IS NULL AND other.due_at <= {}"
    f" AND {NOT_PAUSED.format('other')}"
    " AND (other.priority > job.priority OR (other.priority = job.priority"
    " AND (other.turn < job.turn OR (other.turn = job.turn AND other.id < job.id))))"
    " LIMIT {}) AS first) AS ahead"
    " FROM job WHERE job.status = 'queued' AND job.attempt IS NULL AND job.due_at <= {}"
    f" AND {NOT_PAUSED.format('job')} AND {{}}"
)
"""Counts the jobs that run before each of the given waiting jobs, up to a limit."""


def waiting() -> Condition:
    """Return a condition for the jobs that may run now and need a prediction."""
    in_line = f"job.status = 'queued' AND job.attempt IS NULL AND job.due_at <= {{}} AND {NOT_PAUSED.format('job')}"
    return WhereRaw(in_line, from_now())


def unclaimed() -> Condition:
    """Return a condition for the jobs that need a prediction, now or later."""
    return WhereRaw("job.status = 'queued' AND job.attempt IS NULL")


def resumed() -> Condition:
    """Return a condition for the jobs to resume: left by their worker, or due for another look at their prediction."""
    return WhereRaw(
        "(job.status = 'queued' AND job.attempt IS NOT NULL AND job.due_at <= {}"
        " OR job.status = 'running' AND job.attempt IS NOT NULL AND job.lease_until < {})",
        from_now(), from_now(),
    )  # fmt: skip


def left() -> Condition:
    """Return a condition for the jobs whose worker let the lease expire."""
    return WhereRaw("job.status = 'running' AND job.lease_until < {}", from_now())


def ahead_of_all() -> tuple[QueryString, QueryString]:
    """Return the priority and the turn of a job that is to run before all that wait now, as SQL expressions."""
    first = f"FROM job WHERE {{}} ORDER BY {RUN_ORDER} LIMIT 1"
    now_first = waiting().querystring
    return QueryString(f"(SELECT priority {first})", now_first), QueryString(f"(SELECT turn - 1 {first})", now_first)


def next_turn(client: str, priority: int) -> QueryString:
    """Return the turn of a client's next job, as an SQL expression."""
    # IS TRUE keeps PostgreSQL from the index job_expiring, along which it would read the whole queue.
    waits = "FROM job WHERE status = 'queued' AND (attempt IS NULL) IS TRUE AND priority = {}"
    served = f"SELECT turn {waits} AND due_at <= {{}} AND turn > 0 ORDER BY turn, id LIMIT 1"
    own = f"SELECT turn + 1 {waits} AND client = {{}} ORDER BY turn DESC LIMIT 1"
    return QueryString(
        f"{GREATEST}(coalesce(({served}), 1), coalesce(({own}), 1))",
        priority, from_now(), priority, client,
    )  # fmt: skip


async def spread_turns(job_ids: Sequence[UUID]) -> None:
    """Give consecutive turns to jobs of one client that came back together with the same turn."""
    if len(job_ids) > 1:
        in_line = Job.select(Job.id).where(Job.id.is_in(list(job_ids))).querystrings[0]
        await Job.raw(
            "UPDATE job SET turn = turn + line.place FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place"
            " FROM ({}) AS those) AS line WHERE job.id = line.id",
            in_line,
        )


async def first_turn(client: str, priority: int) -> int:
    """Return the turn of a client's next job, as a number.

    When a client submits many jobs at once, each turn is one more than the last. Call this inside a transaction: the
    client's other batches wait for its end.
    """
    await one_transaction_at_a_time(TURN_LOCK, client)
    [row] = await Job.raw("SELECT {} AS turn", next_turn(client, priority))
    return int(row["turn"])


async def front() -> dict[UUID, int]:
    """Return the places of the first PLACES_SHOWN waiting jobs: id -> place, 1 for the next to run."""
    first = f"SELECT id FROM job WHERE {{}} ORDER BY {RUN_ORDER} LIMIT {PLACES_SHOWN}"
    rows = await Job.raw(first, waiting().querystring)
    return {row["id"]: place for place, row in enumerate(rows, start=1)}


async def places(jobs: Sequence[Job]) -> dict[UUID, int]:
    """Return the places of `jobs`: id -> place, 1 for the next to run.

    Leaves out jobs that do not wait for their turn, and jobs behind place PLACES_COUNTED.
    """
    given = Job.id.is_in([job.id for job in jobs]).querystring
    rows = await Job.raw(COUNT_AHEAD, from_now(), PLACES_COUNTED, from_now(), given)
    return {row["id"]: 1 + int(row["ahead"]) for row in rows if row["ahead"] < PLACES_COUNTED}

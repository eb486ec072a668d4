"""How a job's row changes: by one conditional UPDATE, and with it what goes with its new status.

The verbs are in tasks/jobs.py and tasks/bulk.py; nobody else writes a job's status.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks import events, queue
from tasks.attempts import DOUBTFUL, UNKNOWN, mine
from tasks.database import DB, from_now, now
from tasks.failures import Failure
from tasks.queue import Condition
from tasks.replicate import Prediction
from tasks.steps import Step, step
from tasks.tables import ENDED, Attempt, Job, Output, PendingFile, Status

ENDED_BADLY: Condition = WhereRaw(
    "job.status IN ('failed', 'canceled') AND job.deleted_at IS NULL AND job.trashed_at IS NULL"
)
DELETABLE: Condition = WhereRaw("job.status IN ('completed', 'failed', 'canceled') AND job.deleted_at IS NULL")

Changes = dict[Any, Any]  # column -> value, as Piccolo's update takes them
FORGOTTEN: Changes = {Job.prompt: "", Job.parameters: "{}", Job.error: None, Job.notes: ""}

NONE_UNDER_WAY = "SELECT 1 AS closed WHERE NOT EXISTS (SELECT 1 FROM attempt WHERE job = {} AND finished_at IS NULL)"
"""Answers no row where a webhook meanwhile named a prediction that the worker does not know: then nothing has ended."""

ANNOUNCED = 200  # jobs of one action


async def change(where: Condition, changes: Changes) -> Job | None:
    """Change the job that is as `where` says, and announce it. None: it is not."""
    for job in await change_all(where, changes):
        announce(job)
        return job
    return None


async def change_all(where: Condition, changes: Changes) -> list[Job]:
    """Change every such job. To be announced once that is committed."""
    return [row_as_job(row) for row in await changed(where, changes)]


def changed(where: Condition, changes: Changes) -> Any:
    """The query that changes every such job, and answers their rows."""
    return Job.update({**changes, Job.changed_at: now()}).where(where).returning(*Job.all_columns())


def row_as_job(row: Mapping[str, Any]) -> Job:
    """A row that a query answered, all of its columns."""
    return Job(**row, _exists_in_db=True)


def announce(job: Job) -> None:
    """Say that a job changed. Never inside a transaction."""
    events.publish(events.CHANGED, job.id)


def announce_all(job_ids: Iterable[UUID]) -> None:
    """Say that many jobs changed: of more than ANNOUNCED, pages learn at their next look. Never in a transaction."""
    for job_id in islice(job_ids, ANNOUNCED):
        events.publish(events.CHANGED, job_id)


async def end_in_vain(job: Job, changes: Changes, failure: Failure, known: Prediction | None) -> Job | None:
    """End the attempt without a result.

    None, too, where a webhook meanwhile named a prediction that the worker does not know: there is more to come of it.
    """
    as_known: Condition = Attempt.prediction_id.is_null()
    if known is not None:
        as_known = as_known | (Attempt.prediction_id == known.id)
    return await end_attempt(job, changes, failure, as_known, known.predict_time if known else None)


async def end_attempt(
    job: Job,
    changes: Changes,
    failure: Failure | None,
    only_if: Condition | None,
    predict_time: float | None,
    outputs: Sequence[Output] = (),
) -> Job | None:
    """End the attempt under way, if it is as `only_if` says, and with it this run of the job."""
    closed: Changes = {
        Attempt.finished_at: now(), Attempt.predict_time: predict_time, **reason_of(failure, Attempt),
        Attempt.error_code: _unless_unknown(failure.code if failure else None),
        Attempt.details: failure.details if failure else "",
    }  # fmt: skip
    under_way = (Attempt.job == job.id) & Attempt.finished_at.is_null()
    closing = step(Attempt.update(closed).where(under_way & only_if if only_if else under_way))
    none_left = [step(QueryString(NONE_UNDER_WAY, job.id), must=True)] if only_if else []
    ended = changed(mine(job), {**changes, **let_go(changes[Job.status]), Job.attempt: None})
    answers = await DB.run_steps([step(ended, must=True), closing, *none_left, *_saved(job, outputs)])
    if answers is None:
        return None
    after = row_as_job(answers[0][0])
    announce(after)
    return after


def _unless_unknown(code: str | None) -> QueryString:
    """An attempt's error code; of one that ends without knowing its prediction, that: see tasks/orphans.py."""
    unknown = f"prediction_id IS NULL AND error_code IN ('{UNKNOWN}', '{DOUBTFUL}')"
    return QueryString(f"CASE WHEN {unknown} THEN '{UNKNOWN}' ELSE {{}} END", code)


def _saved(job: Job, outputs: Sequence[Output]) -> list[Step]:
    """Save what a job's files are. They take the place of the notes that they may be in storage for nothing."""
    if not outputs:
        return []
    for output in outputs:
        output.job = job.id
    names = [(output.stored_key, output.stored_preview_key, output.stored_thumbnail_key) for output in outputs]
    stored = [name for those in names for name in those if name is not None]
    return [step(Output.insert(*outputs)), step(PendingFile.delete().where(PendingFile.key.is_in(stored)))]


def waits(seconds: float, failure: Failure | None = None, counts: bool = True) -> Changes:
    """What a job has that waits for so many seconds, because of a failure, which counts as one of its retries."""
    told = reason_of(failure) if failure else {}
    counted = {Job.retry_count: Job.retry_count + 1} if failure and counts else {}
    return {Job.status: Status.QUEUED, Job.due_at: from_now(seconds), Job.turn: 0, **told, **counted}


def let_go(status: Status) -> Changes:
    """What a job loses when no worker holds it any longer."""
    finished_at = now() if status in ENDED else None
    return {
        Job.finished_at: finished_at,
        Job.lease_token: None,
        Job.lease_until: None,
        Job.stage: None,
        Job.progress: None,
    }


def reason_of(failure: Failure | None, table: Any = Job) -> Changes:
    """A failure in the columns of a job or an attempt."""
    message, code = (failure.message, failure.code) if failure else (None, None)
    return {table.error: message, table.error_code: code}


def again(client: str, priority: int, finish_within: int) -> Changes:
    """What makes a job that ended badly wait again, its retries and its time counted anew."""
    return {
        Job.status: Status.QUEUED, Job.due_at: from_now(), Job.deadline_at: from_now(finish_within),
        Job.turn: queue.next_turn(client, priority),
        Job.retry_count: 0, Job.cancel_requested: False, Job.error: None, Job.error_code: None,
        Job.started_at: None, Job.finished_at: None,
    }  # fmt: skip


def tombstone() -> Changes:
    """What makes a tombstone. It counts as thrown away until nothing is left of the job: see tasks/trash.py."""
    moment = now()
    in_trash_since = QueryString("coalesce(trashed_at, {})", moment)
    return {Job.deleted_at: moment, Job.trashed_at: in_trash_since, Job.changed_at: moment}

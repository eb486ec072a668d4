"""Changes a job's row with one conditional UPDATE, together with everything that its new status requires.

The operations are in tasks/jobs/lifecycle.py and tasks/jobs/bulk.py. No other module writes a job's status.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.db.database import DB, now, run_inside
from tasks.db.dialect import from_now
from tasks.db.steps import Step, step
from tasks.db.tables import ENDED, Attempt, Condition, Job, Output, PendingFile, Status
from tasks.errors import Failure, storable
from tasks.jobs import budgets, endings, holds, ledger, queue
from tasks.jobs.attempts import SUBMISSION_DOUBTFUL, SUBMISSION_UNKNOWN, mine
from tasks.jobs.ledger import Charge
from tasks.messaging import events
from tasks.outbox import outbox
from tasks.replicate.client import Prediction
from tasks.tracing import spans

ENDED_BADLY: Condition = WhereRaw(
    "job.status IN ('failed', 'canceled') AND job.deleted_at IS NULL AND job.trashed_at IS NULL"
)
DELETABLE: Condition = WhereRaw("job.status IN ('completed', 'failed', 'canceled') AND job.deleted_at IS NULL")

Changes = dict[Any, Any]  # column -> value, as Piccolo's update takes them
ERASED: Changes = {
    Job.prompt: "", Job.parameters: "{}", Job.error: None, Job.notes: "", Job.metadata: None, Job.webhook: None,
}  # fmt: skip

NONE_UNDER_WAY = "SELECT 1 AS closed WHERE NOT EXISTS (SELECT 1 FROM attempt WHERE job = {} AND finished_at IS NULL)"
"""Returns no row when a webhook meanwhile named a prediction that the worker does not know: then nothing has ended."""

MARKED = (
    "UPDATE output SET favorite = job.favorite, rating = job.rating FROM job"
    " WHERE job.id = {} AND output.job = job.id AND (job.favorite = true OR job.rating > 0)"
)
"""Gives the outputs of a job what people gave the job while it waited or ran."""

MAX_ANNOUNCED = 200  # jobs per action
MAX_LOGS_LENGTH = 16_384  # characters: the end of what a model wrote, which is kept with its attempt


async def change(where: Condition, changes: Changes) -> Job | None:
    """Change the job that matches `where`, and announce it. Returns None when no job matches.

    Do not call this inside a transaction.
    """
    for job in await change_all(where, changes):
        announce(job)
        return job
    return None


async def change_all(where: Condition, changes: Changes) -> list[Job]:
    """Change every job that matches `where`, but do not end it. The caller announces them after the commit."""
    return [row_as_job(row) for row in await changed(where, changes)]


async def end_all(where: Condition, status: Status, failure: Failure | None = None) -> list[Job]:
    """End every job that matches `where` and has no attempt under way. The caller announces them.

    Programs are told in the same transaction, and what the jobs hold is released. Do not call this inside a
    transaction.
    """
    reason = reason_of(failure) if failure else {}
    to_endpoints = await outbox.has_endpoints()
    async with DB.transaction():
        ended = await change_all(where, {Job.status: status, **reason, **unclaimed(status)})
        as_told = (endings.ended(job, status, job.finished_at, job.error_code) for job in ended)
        told = endings.steps(list(as_told), to_endpoints)
        await run_inside(told)
    if told:
        outbox.announce(ended[0].id)
    await release_ended(ended)
    return ended


async def release_ended(jobs: Iterable[Job]) -> None:
    """Release what those of the jobs hold that have just ended. Do not call this inside a transaction."""
    await holds.release([job for job in jobs if job.status in ENDED])


def changed(where: Condition, changes: Changes) -> Any:
    """Return the query that changes every job that matches `where` and returns their rows."""
    return Job.update({**changes, Job.changed_at: now()}).where(where).returning(*Job.all_columns())


def row_as_job(row: Mapping[str, Any]) -> Job:
    """Return a query's row, which has all columns, as a Job."""
    return Job(**row, _exists_in_db=True)


def announce(job: Job) -> None:
    """Publish that a job changed. Do not call this inside a transaction."""
    events.publish(events.CHANGED, job.id)


def announce_all(job_ids: Iterable[UUID]) -> None:
    """Publish that the first MAX_ANNOUNCED of many jobs changed. Pages learn of the others when they next poll.

    Do not call this inside a transaction.
    """
    for job_id in islice(job_ids, MAX_ANNOUNCED):
        events.publish(events.CHANGED, job_id)


async def end_without_result(job: Job, changes: Changes, failure: Failure, known: Prediction | None) -> Job | None:
    """End the attempt without a result.

    Also returns None when a webhook meanwhile named a prediction that the worker does not know, as that one may still
    have a result.
    """
    as_known: Condition = Attempt.prediction_id.is_null()
    if known is not None:
        as_known = as_known | (Attempt.prediction_id == known.id)
    return await end_attempt(job, changes, failure, as_known, known)


async def end_attempt(
    job: Job,
    changes: Changes,
    failure: Failure | None,
    only_if: Condition | None,
    known: Prediction | None,
    outputs: Sequence[Output] = (),
) -> Job | None:
    """End the attempt under way, if it matches `only_if`, and with it this run of the job."""
    closed: Changes = {
        Attempt.finished_at: now(), **_used(known), **reason_of(failure, Attempt),
        Attempt.error_code: _unless_unknown(failure.code if failure else None),
        Attempt.details: failure.details if failure else "",
    }  # fmt: skip
    under_way = (Attempt.job == job.id) & Attempt.finished_at.is_null()
    closing = step(Attempt.update(closed).where(under_way & only_if if only_if else under_way))
    none_left = [step(QueryString(NONE_UNDER_WAY, job.id), must=True)] if only_if else []
    charge = await ledger.charge_of(job, known)
    free = {**unclaimed(changes[Job.status]), Job.attempt: None}
    ended = changed(mine(job), {**changes, **free, **ledger.added(charge)})
    paid = [*ledger.entered(job, job.attempt, charge), *await _counted(job, charge, changes)]
    told = await _told(job, changes | free)
    answers = await DB.run_steps([step(ended, must=True), closing, *none_left, *_saved(job, outputs), *paid, *told])
    if answers is None:
        return None
    after = row_as_job(answers[0][0])
    announce(after)
    if charge is not None:
        spans.note({"darkroom.cost_micros": charge.micros})
    if told:
        outbox.announce(after.id)
    return after


async def _told(job: Job, changes: Changes) -> list[Step]:
    """Return the steps that tell programs of a job that ends with these changes."""
    status = changes[Job.status]
    if status not in ENDED:
        return []
    ended = endings.ended(job, status, changes[Job.finished_at], changes.get(Job.error_code))
    return endings.steps([ended], await outbox.has_endpoints())


async def _counted(job: Job, charge: Charge | None, changes: Changes) -> list[Step]:
    """Return the steps that count what the attempt cost in the budgets, and release what an ended job holds."""
    ends = changes[Job.status] in ENDED and changes.get(Job.error_code) != SUBMISSION_UNKNOWN
    if charge is None and job.hold is None:
        return []
    return holds.settled(job, charge.micros if charge else 0, await budgets.current(), ends)


def _used(known: Prediction | None) -> Changes:
    """Return what a prediction used and wrote as the columns of its attempt."""
    metrics = known.metrics if known else None
    logs = (known.logs if known else None) or ""
    return {
        Attempt.predict_time: known.predict_time if known else None,
        Attempt.metrics: None if metrics is None else json.dumps(metrics),
        Attempt.logs: storable(logs[-MAX_LOGS_LENGTH:], MAX_LOGS_LENGTH) or None,
    }


def _unless_unknown(code: str | None) -> QueryString:
    """Return an attempt's error code: SUBMISSION_UNKNOWN if its prediction is not known, see orphans.py."""
    unknown = f"prediction_id IS NULL AND error_code IN ('{SUBMISSION_UNKNOWN}', '{SUBMISSION_DOUBTFUL}')"
    return QueryString(f"CASE WHEN {unknown} THEN '{SUBMISSION_UNKNOWN}' ELSE {{}} END", code)


def _saved(job: Job, outputs: Sequence[Output]) -> list[Step]:
    """Return the steps that save a job's outputs, which take its marks and replace the notes of pending files."""
    if not outputs:
        return []
    for output in outputs:
        output.job = job.id
    names = [(output.stored_key, output.stored_preview_key, output.stored_thumbnail_key) for output in outputs]
    stored = [name for those in names for name in those if name is not None]
    replaced = PendingFile.delete().where(PendingFile.key.is_in(stored))
    return [step(Output.insert(*outputs)), step(QueryString(MARKED, job.id)), step(replaced)]


def queued_for(seconds: float, failure: Failure | None = None, counts: bool = True) -> Changes:
    """Return the changes that make a job wait `seconds`. counts: whether `failure` counts as one of its retries."""
    reason = reason_of(failure) if failure else {}
    counted = {Job.retry_count: Job.retry_count + 1} if failure and counts else {}
    return {Job.status: Status.QUEUED, Job.due_at: from_now(seconds), Job.turn: 0, **reason, **counted}


def unclaimed(status: Status) -> Changes:
    """Return the changes of a job that no worker holds any longer."""
    finished_at = now() if status in ENDED else None
    return {
        Job.finished_at: finished_at,
        Job.lease_token: None,
        Job.lease_until: None,
        Job.stage: None,
        Job.progress: None,
    }


def reason_of(failure: Failure | None, table: Any = Job) -> Changes:
    """Return a failure as the columns of a job or an attempt."""
    message, code = (failure.message, failure.code) if failure else (None, None)
    return {table.error: message, table.error_code: code}


def restarted(client: str, priority: int, finish_within: int) -> Changes:
    """Return the changes that queue a failed or canceled job again, with its retries and time counted from scratch."""
    return {
        Job.status: Status.QUEUED, Job.due_at: from_now(), Job.deadline_at: from_now(finish_within),
        Job.turn: queue.next_turn(client, priority),
        Job.retry_count: 0, Job.cancel_requested: False, Job.error: None, Job.error_code: None,
        Job.started_at: None, Job.finished_at: None,
    }  # fmt: skip


def tombstone() -> Changes:
    """Return the changes that make a tombstone. While something is left it counts as trashed: see trash.py."""
    moment = now()
    in_trash_since = QueryString("coalesce(trashed_at, {})", moment)
    return {Job.deleted_at: moment, Job.trashed_at: in_trash_since, Job.changed_at: moment}

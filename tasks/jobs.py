"""The state machine: every change of a job, one verb each.

Each verb is one conditional UPDATE that answers with the changed row, or None for "not any more", and after its commit
says that the job changed. What a worker changes is fenced by the token of its claim. Nobody else writes a job's status.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from piccolo.columns.combination import And, Or, Where
from piccolo.querystring import QueryString

from tasks import events
from tasks.broker import generate_later
from tasks.database import DB, now
from tasks.failures import Failure
from tasks.tables import Attempt, Job, Output, Stage, Status, new_id

ENDED = (Status.COMPLETED, Status.FAILED, Status.CANCELED)

Changes = dict[Any, Any]  # column -> value, as Piccolo's update takes them
Condition = Where | And | Or


async def submit(prompt: str, model: str, parameters: Mapping[str, Any]) -> Job:
    """A new job, waiting for its turn. It is in the database when this returns."""
    moment = now()
    job = Job(
        id=new_id(), prompt=prompt, model=model, parameters=json.dumps(parameters, ensure_ascii=False),
        status=Status.QUEUED, created_at=moment, changed_at=moment, due_at=moment,
    )  # fmt: skip
    await job.save()
    _announce(job)
    generate_later()
    return job


async def claim(lease_seconds: float) -> Job | None:
    """Take the best due job, or one whose lease ran out, for `lease_seconds`. None when there is nothing to do."""
    moment = now()
    candidate = Job.select(Job.id).where(due(moment)).order_by(Job.id).limit(1)
    if DB.engine_type == "postgres":
        candidate = candidate.lock_rows("UPDATE", skip_locked=True)
    # Equal to one, not IN: PostgreSQL may run a locking subquery after IN again for every row, and claim several jobs.
    one = QueryString("({})", candidate.querystrings[0])
    return await _change(
        (Job.id == one) & due(moment),
        {
            Job.status: Status.RUNNING,
            Job.stage: Stage.SUBMITTING,
            Job.lease_token: uuid4(),
            Job.lease_until: moment + timedelta(seconds=lease_seconds),
        },
        moment,
    )


def due(moment: datetime) -> Condition:
    """What a worker may take at a moment: waiting jobs whose time has come, running ones that their worker left."""
    waiting = (Job.status == Status.QUEUED) & (Job.due_at <= moment)
    left = (Job.status == Status.RUNNING) & (Job.lease_until < moment)
    return waiting | left


async def renew(tokens: Iterable[UUID], lease_seconds: float) -> dict[UUID, bool]:
    """Prolong the leases that still hold: token -> whether somebody asked to cancel that job."""
    rows = (
        await Job.update({Job.lease_until: now() + timedelta(seconds=lease_seconds)})
        .where(Job.lease_token.is_in(list(tokens)) & (Job.status == Status.RUNNING))
        .returning(Job.lease_token, Job.cancel_requested)
    )
    return {row["lease_token"]: bool(row["cancel_requested"]) for row in rows}


async def release(tokens: Iterable[UUID]) -> None:
    """Give leases back, as a worker does that stops: another goes on with these jobs at once."""
    await Job.update({Job.lease_until: now()}).where(
        Job.lease_token.is_in(list(tokens)) & (Job.status == Status.RUNNING)
    )
    generate_later()


async def begin_attempt(job: Job, version: str, arguments: Mapping[str, Any]) -> Attempt | None:
    """Write down that a prediction is about to be created: its version and its input, exactly as they will be sent."""
    async with DB.transaction():
        if not await _held(job):
            return None
        attempt = Attempt(
            id=new_id(), job=job.id, number=await Attempt.count().where(Attempt.job == job.id) + 1,
            version=version, input=json.dumps(arguments, ensure_ascii=False), created_at=now(),
        )  # fmt: skip
        await attempt.save()
        return attempt


async def record_prediction(job: Job, attempt: Attempt, prediction_id: str) -> bool:
    """Save the id of the prediction that an attempt created, the moment it is known. False when the lease is gone."""
    return await _mark(job, attempt, {Attempt.prediction_id: prediction_id})


async def note(job: Job, attempt: Attempt, failure: Failure) -> bool:
    """Write down at once what an attempt met, before it is known what came of it. False when the lease is gone."""
    return await _mark(job, attempt, _reason(failure, Attempt))


async def open_attempt(job: Job) -> Attempt | None:
    """The attempt that a worker before us began and did not end."""
    return await Attempt.objects().where((Attempt.job == job.id) & Attempt.finished_at.is_null()).first()


async def recorded_predictions(prediction_ids: list[str]) -> set[str]:
    """Those of these predictions that some attempt already counts as its own."""
    rows = (
        await Attempt.select(Attempt.prediction_id).where(Attempt.prediction_id.is_in(prediction_ids))
        if prediction_ids
        else []
    )
    return {row["prediction_id"] for row in rows}


async def report(job: Job, stage: Stage, progress: float | None) -> Job | None:
    """Say how far a running job is; progress from 0 to 1, or None where nobody knows."""
    started = {} if stage in (Stage.SUBMITTING, Stage.STARTING) else {Job.started_at: now()}
    if started and job.started_at is not None:
        started = {}
    return await _change(_mine(job), {Job.stage: stage, Job.progress: progress, **started})


async def complete(job: Job, outputs: list[Output], predict_time: float | None) -> Job | None:
    """The end everybody hopes for: every output is in storage."""
    return await _end_attempt(
        job, {Job.status: Status.COMPLETED, Job.error: None, Job.error_code: None}, None, outputs, predict_time
    )


async def postpone(job: Job, failure: Failure, due_at: datetime, predict_time: float | None = None) -> Job | None:
    """The attempt failed and another may do better: back to the queue until `due_at`."""
    return await _end_attempt(job, _postponed(failure, due_at), failure, predict_time=predict_time)


async def resume_later(job: Job, failure: Failure, due_at: datetime) -> Job | None:
    """Something failed that the prediction is not to blame for: back to the queue, to go on with the same attempt."""
    return await _change(_mine(job), {**_postponed(failure, due_at), **_ended(Status.QUEUED)})


async def fail(job: Job, failure: Failure, predict_time: float | None = None) -> Job | None:
    """The attempt failed and no other will do better, or none is left."""
    return await _end_attempt(job, {Job.status: Status.FAILED, **_reason(failure)}, failure, predict_time=predict_time)


async def end_canceled(job: Job) -> Job | None:
    """The worker has called off what it ran."""
    return await _end_attempt(job, {Job.status: Status.CANCELED}, Failure("canceled", "Canceled."))


async def cancel(job_id: UUID) -> Job | None:
    """Call a job off: at once while it waits; the worker of a running one is asked to. None: too late."""
    waiting = (Job.id == job_id) & (Job.status == Status.QUEUED)
    if job := await _change(waiting, {Job.status: Status.CANCELED, **_ended()}):
        return job
    running = (Job.id == job_id) & (Job.status == Status.RUNNING)
    if job := await _change(running, {Job.cancel_requested: True}):
        events.publish(events.CANCEL, job_id)
    return job


async def retry(job_id: UUID) -> Job | None:
    """Have a failed or canceled job wait again, its retries counted anew. None: it is neither."""
    ended_badly = (Job.id == job_id) & Job.status.is_in([Status.FAILED, Status.CANCELED]) & Job.deleted_at.is_null()
    job = await _change(
        ended_badly,
        {
            Job.status: Status.QUEUED, Job.due_at: now(), Job.retry_count: 0, Job.cancel_requested: False,
            Job.error: None, Job.error_code: None, Job.started_at: None, Job.finished_at: None,
        },
    )  # fmt: skip
    if job is not None:
        generate_later()
    return job


async def delete(job_id: UUID) -> list[str] | None:
    """Forget an ended job but for a tombstone. Answers the keys of its files, for storage to drop. None: not ended."""
    async with DB.transaction():
        job = await _change_quietly(
            (Job.id == job_id) & Job.status.is_in(list(ENDED)) & Job.deleted_at.is_null(),
            {Job.deleted_at: now(), Job.prompt: "", Job.parameters: "{}", Job.error: None},
        )
        if job is None:
            return None
        rows = await Output.delete().where(Output.job == job_id).returning(Output.key, Output.preview_key)
        await Attempt.delete().where(Attempt.job == job_id)
    _announce(job)
    return [key for row in rows for key in (row["key"], row["preview_key"]) if key]


async def _end_attempt(
    job: Job,
    changes: Changes,
    failure: Failure | None,
    outputs: Iterable[Output] = (),
    predict_time: float | None = None,
) -> Job | None:
    async with DB.transaction():
        ended = await _change_quietly(_mine(job), {**changes, **_ended(changes[Job.status])})
        if ended is None:
            return None
        await Attempt.update(
            {Attempt.finished_at: now(), Attempt.predict_time: predict_time, **_reason(failure, Attempt)}
        ).where((Attempt.job == job.id) & Attempt.finished_at.is_null())
        for output in outputs:
            output.job = job.id
            await output.save()
    _announce(ended)
    return ended


def _postponed(failure: Failure, due_at: datetime) -> Changes:
    return {Job.status: Status.QUEUED, Job.due_at: due_at, Job.retry_count: Job.retry_count + 1, **_reason(failure)}


def _ended(status: Status = Status.CANCELED) -> Changes:
    """What a job loses when no worker holds it any longer."""
    finished_at = now() if status in ENDED else None
    return {
        Job.finished_at: finished_at,
        Job.lease_token: None,
        Job.lease_until: None,
        Job.stage: None,
        Job.progress: None,
    }


def _reason(failure: Failure | None, table: Any = Job) -> Changes:
    message, code = (failure.message, failure.code) if failure else (None, None)
    return {table.error: message, table.error_code: code}


def _mine(job: Job) -> Condition:
    return (Job.id == job.id) & (Job.status == Status.RUNNING) & (Job.lease_token == job.lease_token)


async def _mark(job: Job, attempt: Attempt, changes: Changes) -> bool:
    """Write on an attempt under way, fenced like every write of a worker. False when the lease is gone."""
    async with DB.transaction():
        if not await _held(job):
            return False
        await Attempt.update(changes).where(Attempt.id == attempt.id)
        return True


async def _held(job: Job) -> bool:
    """Whether the lease still holds, with the row locked until the transaction ends."""
    return bool(await Job.update({Job.stage: Job.stage}).where(_mine(job)).returning(Job.id))


async def _change(where: Condition, changes: Changes, moment: datetime | None = None) -> Job | None:
    job = await _change_quietly(where, changes, moment)
    if job is not None:
        _announce(job)
    return job


async def _change_quietly(where: Condition, changes: Changes, moment: datetime | None = None) -> Job | None:
    rows = await Job.update({**changes, Job.changed_at: moment or now()}).where(where).returning(*Job.all_columns())
    return Job(**rows[0], _exists_in_db=True) if rows else None


def _announce(job: Job) -> None:
    events.publish(events.CHANGED, job.id)

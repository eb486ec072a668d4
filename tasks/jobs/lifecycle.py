"""The state machine of jobs: one verb for each change of a job; changes of many jobs at once are in tasks/jobs/bulk.py.

Each verb is one conditional UPDATE. It returns the changed row, or None when the condition no longer holds, and
publishes after its commit that the job changed. The token of the claim fences the writes of a worker. No other code
writes a job's status.
"""

from collections.abc import Collection, Mapping
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from piccolo.columns.combination import WhereRaw

from tasks.db import columns, tables
from tasks.db.database import DB, now
from tasks.db.dialect import LOCK_FREE_ROWS, from_now, one_of
from tasks.db.steps import step
from tasks.db.tables import Attempt, Condition, Job, Output, Stage, Status
from tasks.errors import Failure
from tasks.jobs import backlog, holds, idempotency, insert, queue
from tasks.jobs.attempts import mine
from tasks.jobs.idempotency import Key
from tasks.jobs.insert import DEFAULTS, Terms
from tasks.jobs.needs import Needs
from tasks.jobs.transitions import (
    DELETABLE,
    ENDED_BADLY,
    ERASED,
    Changes,
    announce,
    change,
    change_all,
    changed,
    end_all,
    end_attempt,
    end_without_result,
    queued_for,
    reason_of,
    release_ended,
    restarted,
    row_as_job,
    tombstone,
    unclaimed,
)
from tasks.messaging import events
from tasks.messaging.broker import generate_later
from tasks.replicate.client import Prediction

ENDED = tables.ENDED

MAX_EXPIRED = 500  # jobs of one transaction

CLAIM_JOB = (  # built once, like REPORT_PROGRESS: these queries run more often than all others
    "UPDATE job SET status = 'running', stage = 'submitting', lease_token = {}, lease_until = {}, changed_at = {}"
    # "=" and not "IN": PostgreSQL may run a locking subquery after IN again for each row, and claim several jobs.
    " WHERE id = (SELECT id FROM job WHERE {} ORDER BY %s LIMIT 1%s) AND {}"
    f" RETURNING {columns.listed(Job)}"
)
REPORT_PROGRESS = (
    "UPDATE job SET stage = {}, progress = {}, changed_at = {}, started_at = coalesce(started_at, {})"
    " WHERE id = {} AND lease_token = {} AND status = 'running' RETURNING id"
)


async def submit(
    prompt: str, model: str, parameters: Mapping[str, Any], terms: Terms = DEFAULTS, key: Key | None = None
) -> Job:
    """Insert a new job that waits for its turn. It is committed when this returns. Do not call this in a transaction.

    key: of the request for it. Raises BudgetExceeded, PriceUnknown, and KeyTaken.
    """
    job = insert.new_job(prompt, model, parameters, terms, queue.next_turn(terms.client, int(terms.priority)))
    await insert.insert_job(job, key)
    announce(job)
    generate_later()
    return job


async def claim(lease_seconds: float) -> Job | None:
    """Claim the best waiting job for `lease_seconds`. Returns None when no job waits, or while the queue is halted."""
    return await _take(queue.waiting(), queue.RUN_ORDER, lease_seconds)


async def claim_probe(lease_seconds: float, last: UUID | None) -> Job | None:
    """Claim a job to probe whether a halted queue may resume. Returns None when no job waits.

    last: the job that met the halt. It is claimed only when no other job waits, and then even before it is due.
    """
    others = queue.waiting() if last is None else queue.waiting() & (Job.id != last)
    job = await _take(others, queue.RUN_ORDER, lease_seconds, although_halted=True)
    if job is None and last is not None:
        met = queue.unclaimed() & (Job.id == last)
        job = await _take(met, queue.RUN_ORDER, lease_seconds, although_halted=True)
    return job


async def take_over(lease_seconds: float) -> Job | None:
    """Claim a job to continue: its worker left it, or its attempt is due again. Returns None when there is none."""
    return await _take(queue.resumed(), "job.due_at", lease_seconds, although_halted=True)


async def renew(tokens: Collection[UUID], lease_seconds: float) -> dict[UUID, bool]:
    """Renew the leases that still hold. Returns token -> whether a user requested to cancel that job."""
    if not tokens:
        return {}
    rows = (
        await Job.update({Job.lease_until: from_now(lease_seconds)})
        .where(Job.lease_token.is_in(list(tokens)) & (Job.status == Status.RUNNING))
        .returning(Job.lease_token, Job.cancel_requested)
    )
    return {row["lease_token"]: bool(row["cancel_requested"]) for row in rows}


async def release(tokens: Collection[UUID]) -> None:
    """Release leases when a worker stops, so that another worker continues these jobs immediately."""
    if not tokens:
        return
    held = Job.lease_token.is_in(list(tokens)) & (Job.status == Status.RUNNING)
    await _requeue(held)
    nobodys: Changes = {Job.lease_until: from_now(), Job.lease_token: uuid4()}  # no renewal in progress has this token
    released = await Job.update(nobodys).where(held).returning(Job.id)
    generate_later(len(released))


async def requeue() -> list[Job]:
    """Put the jobs back in the queue that their worker left before it began an attempt."""
    return await _requeue(queue.left())


async def report(job: Job, stage: Stage, progress: float | None) -> bool:
    """Save how far a running job is. Returns whether this claim still holds the job.

    progress: 0 to 1, or None when unknown. The job counts as started from the first report of a stage in which its
    model works.
    """
    moment = now()
    started = None if stage in (Stage.SUBMITTING, Stage.STARTING) else moment
    values = (stage.value, progress, moment, started, job.id, job.lease_token)
    if not await Job.raw(REPORT_PROGRESS, *values):
        return False
    announce(job)
    return True


async def complete(job: Job, outputs: list[Output], known: Prediction | None = None) -> Job | None:
    """Complete a job: every output is in storage. known: its prediction."""
    kind = outputs[0].kind if outputs else None
    completed = {Job.status: Status.COMPLETED, Job.error: None, Job.error_code: None, Job.kind: kind}
    return await end_attempt(job, completed, None, None, known, outputs)


async def postpone(job: Job, failure: Failure, wait: float, known: Prediction | None = None) -> Job | None:
    """Put a job back in the queue for `wait` seconds: its attempt failed, and another may succeed."""
    return await _unless_canceled(await end_without_result(job, queued_for(wait, failure), failure, known))


async def unclaim(job: Job, failure: Failure, wait: float = 0.0) -> Job | None:
    """Put a job back in its place in the queue, as if it had not been tried: nothing was created.

    When it has to wait for `wait` seconds, the failure is saved as the reason.
    """
    waiting = queued_for(wait, failure, counts=False) if wait else queued_for(0)
    return await _unless_canceled(await end_without_result(job, waiting, failure, None))


async def resume_later(job: Job, failure: Failure, wait: float, counts: bool = False) -> Job | None:
    """Put a job back for `wait` seconds, then continue the same attempt: the failure was not the prediction's fault.

    counts: whether the failure counts toward MAX_ATTEMPTS.
    """
    back = changed(mine(job), {**queued_for(wait, failure, counts), **unclaimed(Status.QUEUED)})
    failed_once_more = Attempt.update({Attempt.failures: Attempt.failures + 1}).where(Attempt.id == job.attempt)
    answers = await DB.run_steps([step(back, must=True), step(failed_once_more)])
    if answers is None:
        return None
    later = row_as_job(answers[0][0])
    announce(later)
    return await _unless_canceled(later)


async def fail(job: Job, failure: Failure, known: Prediction | None = None) -> Job | None:
    """Fail a job: its attempt failed, and another would fail as well, or none is left."""
    return await end_without_result(job, {Job.status: Status.FAILED, **reason_of(failure)}, failure, known)


async def end_canceled(job: Job, known: Prediction | None = None) -> Job | None:
    """End a job as canceled, after its worker has canceled what it ran."""
    return await end_without_result(job, {Job.status: Status.CANCELED}, Failure("canceled", "Canceled."), known)


async def expire() -> list[Job]:
    """Fail the jobs that still wait for their first or another prediction after their deadline has passed.

    Fails up to MAX_EXPIRED at once; a worker soon looks again.
    """
    in_line = (Job.status == queue.QUEUED) & Job.attempt.is_null() & (Job.deadline_at <= from_now())
    found = await Job.select(Job.id).where(in_line).limit(MAX_EXPIRED)  # most often none: nobody waits for this one
    if not found:
        return []
    expired = await end_all(one_of([row["id"] for row in found]) & in_line, Status.FAILED, too_late())
    for job in expired:
        announce(job)
    return expired


async def cancel(job_id: UUID) -> Job | None:
    """Cancel a job: immediately when it has no prediction, else through a worker. Returns None when it is too late.

    The returned row is canceled, or has `cancel_requested`.
    """
    goes_on = (Job.id == job_id) & Job.status.is_in([Status.QUEUED, Status.RUNNING])
    job = await change(goes_on, {Job.cancel_requested: True, Job.due_at: from_now()})
    if job is not None and job.status == Status.RUNNING:
        events.publish(events.CANCEL, job_id)
    elif job is not None and job.attempt is not None:
        generate_later()
    return await _unless_canceled(job)


async def move_to_front(job_id: UUID) -> Job | None:
    """Have a waiting job run before all others. Returns None when it does not wait for its turn.

    It gets the turn before the first one's, and that one's priority: it could not pass a higher priority otherwise.
    """
    priority, turn = queue.ahead_of_all()
    return await change((Job.id == job_id) & queue.waiting(), {Job.priority: priority, Job.turn: turn})


async def retry(job_id: UUID, key: Key | None = None) -> Job | None:
    """Put a failed or canceled job back in the queue, and count its retries and its time from scratch.

    key: of the request. Returns None when it is neither failed nor canceled, or is in the trash. Raises QueueFull,
    BudgetExceeded, PriceUnknown, and KeyTaken.
    """
    asked = await Job.objects().get((Job.id == job_id) & ENDED_BADLY)
    if asked is None:
        return None
    await backlog.make_room({asked.client: 1}, [asked.model])
    restart = restarted(asked.client, asked.priority, asked.finish_within)

    async def held_again(needs: Needs) -> Job | None:
        async with DB.transaction():
            rows = await change_all((Job.id == job_id) & ENDED_BADLY, restart)
            if rows:
                if key is not None:
                    await idempotency.enter(key, job=job_id)
                await holds.take_again(rows, needs)
            return rows[0] if rows else None

    job = await holds.within_budgets(held_again, [asked])
    if job is not None:
        announce(job)
        generate_later()
    return job


async def delete(job_id: UUID) -> Job | None:
    """Delete an ended job except for a tombstone; tasks/curation/trash.py handles its files.

    Returns None when it has not ended, or is already deleted.
    """
    async with DB.transaction():
        deleted = await change_all((Job.id == job_id) & DELETABLE, tombstone() | ERASED)
        if not deleted:
            return None
        await Attempt.delete().where(Attempt.job == job_id)
    await release_ended(deleted)
    announce(deleted[0])
    return deleted[0]


async def _unless_canceled(job: Job | None) -> Job | None:
    """Return the job, canceled if a user requested that and it waits without a prediction."""
    if job is None or not job.cancel_requested:
        return job
    waits_in_vain = (Job.id == job.id) & (Job.status == Status.QUEUED) & Job.attempt.is_null()
    for canceled in await end_all(waits_in_vain & Job.cancel_requested.eq(True), Status.CANCELED):
        announce(canceled)
        return canceled
    return job


def too_late() -> Failure:
    """Return the failure of a job whose deadline has passed."""
    return Failure("deadline", "It did not finish within the time allowed.")


async def _requeue(where: Condition) -> list[Job]:
    back = await change_all(where & Job.attempt.is_null(), {**queued_for(0), **unclaimed(Status.QUEUED)})
    for job in back:
        announce(job)
        await _unless_canceled(job)
    generate_later(len(back))
    return back


async def _take(among: Condition, order: str, lease_seconds: float, although_halted: bool = False) -> Job | None:
    allowed = among if although_halted else among & WhereRaw("NOT EXISTS (SELECT 1 FROM halt)")
    values = (uuid4(), from_now(lease_seconds), now(), allowed.querystring, among.querystring)
    asked = monotonic()
    rows = await Job.raw(CLAIM_JOB % (order, LOCK_FREE_ROWS), *values)
    if not rows:
        return None
    job = row_as_job(rows[0])
    announce(job)
    job.held_until = asked + lease_seconds
    return job

"""The state machine: every change of a job, one verb each; those of many at once are in tasks/bulk.py.

Each verb is one conditional UPDATE that answers with the changed row, or None for "not any more", and after its commit
says that the job changed. What a worker changes is fenced by the token of its claim. Nobody else writes a job's status.
"""

from collections.abc import Collection, Mapping
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from piccolo.columns.combination import WhereRaw

from tasks import backlog, events, intake, queue, tables
from tasks.attempts import mine
from tasks.broker import generate_later
from tasks.database import DB, from_now, now
from tasks.failures import Failure
from tasks.queue import Condition
from tasks.replicate import Prediction
from tasks.steps import step
from tasks.tables import Attempt, Job, Output, Priority, Stage, Status
from tasks.transitions import (
    DELETABLE,
    ENDED_BADLY,
    FORGOTTEN,
    Changes,
    again,
    announce,
    change,
    change_all,
    changed,
    end_attempt,
    end_in_vain,
    let_go,
    reason_of,
    row_as_job,
    tombstone,
    waits,
)

ENDED = tables.ENDED

CLAIM = (  # put together once, as REPORT: they are asked more often than all else
    "UPDATE job SET status = 'running', stage = 'submitting', lease_token = {}, lease_until = {}, changed_at = {}"
    # Equal to one, not IN: PostgreSQL may run a locking subquery after IN again for every row, and claim several jobs.
    " WHERE id = (SELECT id FROM job WHERE {} ORDER BY %s LIMIT 1%s) AND {} RETURNING *"
)
REPORT = (
    "UPDATE job SET stage = {}, progress = {}, changed_at = {}, started_at = coalesce(started_at, {})"
    " WHERE id = {} AND lease_token = {} AND status = 'running' RETURNING id"
)


async def submit(
    prompt: str,
    model: str,
    parameters: Mapping[str, Any],
    client: str = "",
    priority: Priority = Priority.NORMAL,
    finish_within: int | None = None,
    made_from: UUID | None = None,
) -> Job:
    """A new job, waiting for its turn. It is in the database when this returns. Never inside a transaction.

    client: who asks, for the fair share. finish_within: seconds until it counts as failed; None for the setting's.
    made_from: the job whose result or settings it is made from.
    """
    turn = queue.next_turn(client, int(priority))
    job = intake.new(prompt, model, parameters, client, priority, finish_within, made_from, turn)
    await intake.insert(job)
    announce(job)
    generate_later()
    return job


async def claim(lease_seconds: float) -> Job | None:
    """Take the best waiting job for `lease_seconds`. None when none waits, or while the queue is halted."""
    return await _take(queue.waiting(), queue.IN_ORDER, lease_seconds)


async def claim_probe(lease_seconds: float, last: UUID | None) -> Job | None:
    """Take a job to see by whether a halted queue may go on. None when none waits.

    last: the job that met the halt. It is taken where no other waits, and then before its time.
    """
    others = queue.waiting() if last is None else queue.waiting() & (Job.id != last)
    job = await _take(others, queue.IN_ORDER, lease_seconds, although_halted=True)
    if job is None and last is not None:
        met = queue.unclaimed() & (Job.id == last)
        job = await _take(met, queue.IN_ORDER, lease_seconds, although_halted=True)
    return job


async def take_over(lease_seconds: float) -> Job | None:
    """Take a job to go on with: its worker left it, or it comes back to the attempt it has. None: there is none."""
    return await _take(queue.resumed(), "job.due_at", lease_seconds, although_halted=True)


async def renew(tokens: Collection[UUID], lease_seconds: float) -> dict[UUID, bool]:
    """Prolong the leases that still hold: token -> whether somebody asked to cancel that job."""
    if not tokens:
        return {}
    rows = (
        await Job.update({Job.lease_until: from_now(lease_seconds)})
        .where(Job.lease_token.is_in(list(tokens)) & (Job.status == Status.RUNNING))
        .returning(Job.lease_token, Job.cancel_requested)
    )
    return {row["lease_token"]: bool(row["cancel_requested"]) for row in rows}


async def release(tokens: Collection[UUID]) -> None:
    """Give leases back, as a worker does that stops: another goes on with these jobs at once."""
    if not tokens:
        return
    held = Job.lease_token.is_in(list(tokens)) & (Job.status == Status.RUNNING)
    await _requeue(held)
    nobodys: Changes = {Job.lease_until: from_now(), Job.lease_token: uuid4()}  # which no renewal under way prolongs
    released = await Job.update(nobodys).where(held).returning(Job.id)
    generate_later(len(released))


async def requeue() -> list[Job]:
    """Back to the queue with the jobs that their worker left before it began an attempt at them."""
    return await _requeue(queue.left())


async def report(job: Job, stage: Stage, progress: float | None) -> bool:
    """Say how far a running job is; progress from 0 to 1, or None where nobody knows. Whether it still is this claim's.

    It started when the first stage was reported in which its model works.
    """
    moment = now()
    started = None if stage in (Stage.SUBMITTING, Stage.STARTING) else moment
    values = (stage.value, progress, moment, started, job.id, job.lease_token)
    if not await Job.raw(REPORT, *values):
        return False
    announce(job)
    return True


async def complete(job: Job, outputs: list[Output], predict_time: float | None) -> Job | None:
    """The end everybody hopes for: every output is in storage."""
    kind = outputs[0].kind if outputs else None
    completed = {Job.status: Status.COMPLETED, Job.error: None, Job.error_code: None, Job.kind: kind}
    return await end_attempt(job, completed, None, None, predict_time, outputs)


async def postpone(job: Job, failure: Failure, wait: float, known: Prediction | None = None) -> Job | None:
    """The attempt failed and another may do better: back to the queue for `wait` seconds."""
    return await _unless_canceled(await end_in_vain(job, waits(wait, failure), failure, known))


async def put_back(job: Job, failure: Failure, wait: float = 0.0) -> Job | None:
    """Nothing was created: back to its place in the queue, as if it had not been tried.

    Where it is for `wait` seconds, the failure says why.
    """
    waiting = waits(wait, failure, counts=False) if wait else waits(0)
    return await _unless_canceled(await end_in_vain(job, waiting, failure, None))


async def resume_later(job: Job, failure: Failure, wait: float, counts: bool = False) -> Job | None:
    """Something failed that the prediction is not to blame for: back for `wait` seconds, then on with the same attempt.

    counts: whether it is one of the MAX_ATTEMPTS.
    """
    back = changed(mine(job), {**waits(wait, failure, counts), **let_go(Status.QUEUED)})
    failed_once_more = Attempt.update({Attempt.failures: Attempt.failures + 1}).where(Attempt.id == job.attempt)
    answers = await DB.run_steps([step(back, must=True), step(failed_once_more)])
    if answers is None:
        return None
    later = row_as_job(answers[0][0])
    announce(later)
    return await _unless_canceled(later)


async def fail(job: Job, failure: Failure, known: Prediction | None = None) -> Job | None:
    """The attempt failed and no other will do better, or none is left."""
    return await end_in_vain(job, {Job.status: Status.FAILED, **reason_of(failure)}, failure, known)


async def end_canceled(job: Job, known: Prediction | None = None) -> Job | None:
    """The worker has called off what it ran."""
    return await end_in_vain(job, {Job.status: Status.CANCELED}, Failure("canceled", "Canceled."), known)


async def expire() -> list[Job]:
    """Fail the jobs that still wait for their first prediction, or for another, when their deadline passes."""
    in_line = (Job.status == queue.QUEUED) & Job.attempt.is_null() & (Job.deadline_at <= from_now())
    rows = await change_all(in_line, {Job.status: Status.FAILED, **reason_of(too_late()), **let_go(Status.FAILED)})
    for job in rows:
        announce(job)
    return rows


async def cancel(job_id: UUID) -> Job | None:
    """Call a job off: at once where it has no prediction, else a worker is asked to. None: too late.

    The row answered is canceled, or has `cancel_requested`.
    """
    goes_on = (Job.id == job_id) & Job.status.is_in([Status.QUEUED, Status.RUNNING])
    job = await change(goes_on, {Job.cancel_requested: True, Job.due_at: from_now()})
    if job is not None and job.status == Status.RUNNING:
        events.publish(events.CANCEL, job_id)
    elif job is not None and job.attempt is not None:
        generate_later()
    return await _unless_canceled(job)


async def retry(job_id: UUID) -> Job | None:
    """Have a failed or canceled job wait again, its retries and its time counted anew.

    None: it is neither, or in the trash. Raises QueueFull.
    """
    asked = await Job.objects().get((Job.id == job_id) & ENDED_BADLY)
    if asked is None:
        return None
    await backlog.make_room({asked.client: 1}, [asked.model])
    job = await change((Job.id == job_id) & ENDED_BADLY, again(asked.client, asked.priority, asked.finish_within))
    if job is not None:
        generate_later()
    return job


async def delete(job_id: UUID) -> Job | None:
    """Forget an ended job but for a tombstone; of its files tasks/trash.py takes care.

    None: it has not ended, or is deleted already.
    """
    async with DB.transaction():
        deleted = await change_all((Job.id == job_id) & DELETABLE, tombstone() | FORGOTTEN)
        if not deleted:
            return None
        await Attempt.delete().where(Attempt.job == job_id)
    announce(deleted[0])
    return deleted[0]


async def _unless_canceled(job: Job | None) -> Job | None:
    """The job; canceled, where somebody wants that and it waits without a prediction."""
    if job is None or not job.cancel_requested:
        return job
    waits_in_vain = (Job.id == job.id) & (Job.status == Status.QUEUED) & Job.attempt.is_null()
    waits_in_vain = waits_in_vain & Job.cancel_requested.eq(True)
    return await change(waits_in_vain, {Job.status: Status.CANCELED, **let_go(Status.CANCELED)}) or job


def too_late() -> Failure:
    """The failure of a job whose deadline passed."""
    return Failure("deadline", "It was not done within the time that was given for it.")


async def _requeue(some: Condition) -> list[Job]:
    back = await change_all(some & Job.attempt.is_null(), {**waits(0), **let_go(Status.QUEUED)})
    for job in back:
        announce(job)
        await _unless_canceled(job)
    generate_later(len(back))
    return back


async def _take(among: Condition, order: str, lease_seconds: float, although_halted: bool = False) -> Job | None:
    may = among if although_halted else among & WhereRaw("NOT EXISTS (SELECT 1 FROM halt)")
    locked = " FOR UPDATE SKIP LOCKED" if DB.engine_type == "postgres" else ""
    values = (uuid4(), from_now(lease_seconds), now(), may.querystring, among.querystring)
    asked = monotonic()
    rows = await Job.raw(CLAIM % (order, locked), *values)
    if not rows:
        return None
    job = row_as_job(rows[0])
    announce(job)
    job.held_until = asked + lease_seconds
    return job

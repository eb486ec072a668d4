"""The state machine: every change of a job, one verb each.

Each verb is one conditional UPDATE that answers with the changed row, or None for "not any more", and after its commit
says that the job changed. What a worker changes is fenced by the token of its claim. Nobody else writes a job's status.
"""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks import events, intake, queue, tables
from tasks.attempts import mine
from tasks.broker import generate_later
from tasks.database import DB, from_now, now
from tasks.failures import Failure
from tasks.portions import among, announced, portions
from tasks.queue import Condition
from tasks.replicate import Prediction
from tasks.settings import settings
from tasks.tables import Attempt, Batch, Job, Output, Priority, Stage, Status, new_id
from tasks.transitions import (
    Changes,
    announce,
    announce_all,
    change,
    change_all,
    end_attempt,
    end_in_vain,
    let_go,
    reason_of,
    row_as_job,
    waits,
)

ENDED = tables.ENDED
ENDED_BADLY: Condition = WhereRaw(
    "job.status IN ('failed', 'canceled') AND job.deleted_at IS NULL AND job.trashed_at IS NULL"
)
DELETABLE: Condition = WhereRaw("job.status IN ('completed', 'failed', 'canceled') AND job.deleted_at IS NULL")
FORGOTTEN: Changes = {Job.prompt: "", Job.parameters: "{}", Job.error: None, Job.notes: ""}


async def submit(
    prompt: str,
    model: str,
    parameters: Mapping[str, Any],
    client: str = "",
    priority: Priority = Priority.NORMAL,
    finish_within: int | None = None,
    made_from: UUID | None = None,
) -> Job:
    """A new job, waiting for its turn. It is in the database when this returns.

    client: who asks, for the fair share. finish_within: seconds until it counts as failed; None for the setting's.
    made_from: the job whose result or settings it is made from.
    """
    job = _new(prompt, model, parameters, client, priority, finish_within, made_from)
    await intake.insert(job)
    announce(job)
    generate_later()
    return job


async def submit_all(
    batch: Batch,
    cells: Iterable[tuple[str, str, Mapping[str, Any]]],
    client: str = "",
    priority: Priority = Priority.NORMAL,
    finish_within: int | None = None,
    made_from: UUID | None = None,
) -> list[Job]:
    """A new batch and its jobs, all or none: prompt, model and parameters of each, in the order of their places.

    The client has as many turns as if it had submitted them one by one.
    """
    async with DB.transaction():
        await Batch.insert(batch)
        first = await queue.first_turn(client, int(priority))
        rows = [
            _new(prompt, model, parameters, client, priority, finish_within, made_from, first + place, batch.id, place)
            for place, (prompt, model, parameters) in enumerate(cells)
        ]
        inserted = await Job.insert(*rows).returning(*Job.all_columns())
    jobs = sorted((row_as_job(row) for row in inserted), key=lambda job: job.batch_place)
    announce_all(job.id for job in jobs)
    generate_later(len(jobs))
    return jobs


async def claim(lease_seconds: float, although_halted: bool = False) -> Job | None:
    """Take the best waiting job for `lease_seconds`. None when none waits, or while the queue is halted."""
    return await _take(queue.waiting(), queue.in_order, lease_seconds, although_halted)


async def take_over(lease_seconds: float) -> Job | None:
    """Take a job to go on with: its worker left it, or it comes back to the attempt it has. None: there is none."""
    return await _take(queue.resumed(), lambda query: query.order_by(Job.due_at), lease_seconds, although_halted=True)


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


async def report(job: Job, stage: Stage, progress: float | None) -> Job | None:
    """Say how far a running job is; progress from 0 to 1, or None where nobody knows."""
    starts = job.started_at is None and stage not in (Stage.SUBMITTING, Stage.STARTING)
    started = {Job.started_at: now()} if starts else {}
    return await change(mine(job), {Job.stage: stage, Job.progress: progress, **started})


async def complete(job: Job, outputs: list[Output], predict_time: float | None) -> Job | None:
    """The end everybody hopes for: every output is in storage."""
    kind = outputs[0].kind if outputs else None
    completed = {Job.status: Status.COMPLETED, Job.error: None, Job.error_code: None, Job.kind: kind}
    return await end_attempt(job, completed, None, Attempt.finished_at.is_null(), predict_time, outputs)


async def postpone(job: Job, failure: Failure, wait: float, known: Prediction | None = None) -> Job | None:
    """The attempt failed and another may do better: back to the queue for `wait` seconds."""
    return await _unless_canceled(await end_in_vain(job, waits(wait, failure), failure, known))


async def put_back(job: Job, failure: Failure) -> Job | None:
    """Replicate takes nothing from us at the moment: back to its place in the queue, as if it had not been tried."""
    return await _unless_canceled(await end_in_vain(job, waits(0), failure, None))


async def resume_later(job: Job, failure: Failure, wait: float, counts: bool = True) -> Job | None:
    """Something failed that the prediction is not to blame for: back for `wait` seconds, then on with the same attempt.

    counts: whether it is one of the MAX_ATTEMPTS.
    """
    later = await change(mine(job), {**waits(wait, failure, counts), **let_go(Status.QUEUED)})
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


async def cancel_batch(batch_id: UUID) -> None:
    """Call off what has not ended of a batch: at once what has no prediction, of the rest a worker is asked to."""
    of_batch = Job.batch == batch_id
    goes_on = of_batch & Job.status.is_in([Status.QUEUED, Status.RUNNING])
    asked = await change_all(goes_on, {Job.cancel_requested: True, Job.due_at: from_now()})
    waits_in_vain = of_batch & (Job.status == Status.QUEUED) & Job.attempt.is_null() & Job.cancel_requested.eq(True)
    await change_all(waits_in_vain, {Job.status: Status.CANCELED, **let_go(Status.CANCELED)})
    announce_all(job.id for job in asked)
    for job in asked:
        if job.status == Status.RUNNING:
            events.publish(events.CANCEL, job.id)
        elif job.attempt is not None:
            generate_later()


async def retry(job_id: UUID) -> Job | None:
    """Have a failed or canceled job wait again, its retries and its time counted anew.

    None: it is neither, or in the trash.
    """
    asked = await Job.objects().get(Job.id == job_id)
    if asked is None:
        return None
    job = await change((Job.id == job_id) & ENDED_BADLY, _again(asked.client, asked.priority, asked.finish_within))
    if job is not None:
        generate_later()
    return job


async def retry_all(some: Condition) -> int:
    """Have those of them that failed or were canceled wait again. Answers how many; in portions, each whole."""
    begun, count = now(), 0
    to_do = ENDED_BADLY & (Job.changed_at < begun)  # what fails again meanwhile is not tried once more
    async for job_ids in portions(some & to_do, newest_first=False):
        again = await _retried(job_ids, to_do)
        announce_all(again)
        generate_later(min(len(again), settings.worker_concurrency))
        count += len(again)
    return count


async def delete(job_id: UUID) -> list[str] | None:
    """Forget an ended job but for a tombstone. Answers the keys of its files, for tasks/trash.py to drop.

    None: it has not ended, or is deleted already.
    """
    async with DB.transaction():
        deleted = await change_all((Job.id == job_id) & DELETABLE, _deleted() | FORGOTTEN)
        if not deleted:
            return None
        keys = await files_of([job_id])
        await Attempt.delete().where(Attempt.job == job_id)
    announce(deleted[0])
    return keys


async def files_of(job_ids: Collection[UUID]) -> list[str]:
    """The keys of these jobs' files, but for those that are another job's as well, as some of a demonstration are."""
    rows = (
        await Output.select(Output.key, Output.preview_key)
        .where(Output.job.is_in(list(job_ids)))
        .order_by(Output.position)
    )
    if not rows:
        return []
    same = Output.key.is_in([row["key"] for row in rows]) & Output.job.not_in(list(job_ids))
    shared = {row["key"] for row in await Output.select(Output.key).where(same)}
    files = {key: None for row in rows if row["key"] not in shared for key in (row["key"], row["preview_key"]) if key}
    return list(files)


async def delete_all(some: Condition, still: Condition) -> int:
    """Delete those of them that have ended, at once and for good. Answers how many that were; in portions, each whole.

    still: what is asked again of each when its portion's turn comes. A worker removes what is left of them: see
    tasks/trash.py.
    """
    count, _ = await announced(_deleted_all(some, still & DELETABLE))
    return count


async def _retried(job_ids: Sequence[UUID], to_do: Condition) -> list[UUID]:
    alike: dict[tuple[str, int, int], list[UUID]] = defaultdict(list)
    for row in await Job.select(Job.id, Job.client, Job.priority, Job.finish_within).where(among(job_ids, to_do)):
        alike[row["client"], row["priority"], row["finish_within"]].append(row["id"])
    again: list[UUID] = []
    async with DB.transaction():
        for (client, priority, finish_within), ids in alike.items():
            changes = {**_again(client, priority, finish_within), Job.changed_at: now()}
            rows = await Job.update(changes).where(among(ids, to_do)).returning(Job.id)
            retried = [row["id"] for row in rows]
            await queue.line_up(retried)
            again += retried
    return again


async def _deleted_all(some: Condition, still: Condition) -> AsyncIterator[list[UUID]]:
    async for job_ids in portions(some & still):
        rows = await Job.update(_deleted()).where(among(job_ids, still)).returning(Job.id)
        yield [row["id"] for row in rows]


def _again(client: str, priority: int, finish_within: int) -> Changes:
    return {
        Job.status: Status.QUEUED, Job.due_at: from_now(), Job.deadline_at: from_now(finish_within),
        Job.turn: queue.next_turn(client, priority),
        Job.retry_count: 0, Job.cancel_requested: False, Job.error: None, Job.error_code: None,
        Job.started_at: None, Job.finished_at: None,
    }  # fmt: skip


def _deleted() -> Changes:
    """What makes a tombstone. It counts as thrown away until nothing is left of the job: see tasks/trash.py."""
    moment = now()
    in_trash_since = QueryString("coalesce(trashed_at, {})", moment)
    return {Job.deleted_at: moment, Job.trashed_at: in_trash_since, Job.changed_at: moment}


def _new(
    prompt: str,
    model: str,
    parameters: Mapping[str, Any],
    client: str,
    priority: Priority,
    finish_within: int | None,
    made_from: UUID | None,
    turn: int = 0,
    batch: UUID | None = None,
    place: int | None = None,
) -> Job:
    moment, seconds = now(), finish_within or settings.finish_within
    return Job(
        id=new_id(), prompt=prompt, model=model, parameters=json.dumps(parameters, ensure_ascii=False),
        client=client, priority=priority, turn=turn, finish_within=seconds, deadline_at=from_now(seconds),
        status=Status.QUEUED, created_at=moment, changed_at=moment, due_at=from_now(),
        made_from=made_from, batch=batch, batch_place=place,
    )  # fmt: skip


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


async def _take(among: Condition, in_order: Any, lease_seconds: float, although_halted: bool) -> Job | None:
    may = among if although_halted else among & WhereRaw("NOT EXISTS (SELECT 1 FROM halt)")
    candidate = in_order(Job.select(Job.id).where(may)).limit(1)
    if DB.engine_type == "postgres":
        candidate = candidate.lock_rows("UPDATE", skip_locked=True)
    # Equal to one, not IN: PostgreSQL may run a locking subquery after IN again for every row, and claim several jobs.
    one = QueryString("({})", candidate.querystrings[0])
    return await change(
        (Job.id == one) & among,
        {
            Job.status: Status.RUNNING,
            Job.stage: Stage.SUBMITTING,
            Job.lease_token: uuid4(),
            Job.lease_until: from_now(lease_seconds),
        },
    )

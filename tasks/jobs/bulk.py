"""Changes to many jobs at once, one function each: to a batch, or in portions to all jobs that match a condition.

As in tasks/jobs/lifecycle.py, the changes are conditional, and they are announced after the commit.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from piccolo.query.functions.aggregate import Count

from tasks.db.database import DB, now, run_inside
from tasks.db.dialect import from_now
from tasks.db.tables import Batch, Condition, Job, Status
from tasks.jobs import backlog, holds, idempotency, insert, queue
from tasks.jobs.chunks import among, announced, portions
from tasks.jobs.idempotency import Key
from tasks.jobs.insert import DEFAULTS, Terms
from tasks.jobs.needs import Needs, note
from tasks.jobs.transitions import (
    DELETABLE,
    ENDED_BADLY,
    announce_all,
    change_all,
    end_all,
    release_ended,
    restarted,
    row_as_job,
    tombstone,
)
from tasks.messaging import events
from tasks.messaging.broker import generate_later
from tasks.settings import settings


async def submit_all(
    batch: Batch,
    cells: Iterable[tuple[str, str, Mapping[str, Any]]],
    terms: Terms = DEFAULTS,
    key: Key | None = None,
) -> list[Job]:
    """Insert a new batch and its jobs, all or none.

    cells: prompt, model and parameters of each job, in the order of their places. The client gets as many turns as if
    it had submitted the jobs one by one. key: of the request for them. Raises BudgetExceeded, PriceUnknown, and
    KeyTaken.
    """
    new = [
        insert.new_job(prompt, model, parameters, terms, 0, batch.id, place)
        for place, (prompt, model, parameters) in enumerate(cells)
    ]

    async def inserted(needs: Needs) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        async with DB.transaction():
            if key is not None:
                await idempotency.enter(key, batch=batch.id)
            await holds.take(needs)
            await Batch.insert(batch)
            first = await queue.first_turn(terms.client, int(terms.priority))
            for start in range(0, len(new), insert.JOBS_PER_INSERT):  # SQLite takes only so many values at once
                portion = new[start : start + insert.JOBS_PER_INSERT]
                for job in portion:
                    note(job, needs)
                    job.turn = first + job.batch_place
                rows += await Job.insert(*portion).returning(*Job.all_columns())
                await run_inside([*holds.entered(portion, needs), *insert.with_metadata(portion)])
        return rows

    rows = await holds.within_budgets(inserted, new)
    jobs = sorted((row_as_job(row) for row in rows), key=lambda job: job.batch_place)
    announce_all(job.id for job in jobs)
    generate_later(len(jobs))
    return jobs


async def cancel_batch(batch_id: UUID) -> None:
    """Cancel a batch's unfinished jobs: immediately if they have no prediction, else by asking a worker to."""
    of_batch = Job.batch == batch_id
    announce_all(await _canceled(of_batch, of_batch & Job.status.is_in([Status.QUEUED, Status.RUNNING])))


async def cancel_waiting(where: Condition) -> int:
    """Cancel those of the jobs that wait, and return how many there were. One that has begun to run goes on.

    Works in portions, the newest first, so that workers claim few that are about to be canceled. Those without a
    prediction end at once.
    """
    waits = (Job.status == Status.QUEUED) & Job.cancel_requested.eq(False)

    async def canceled() -> AsyncIterator[list[UUID]]:
        async for job_ids in portions(where & waits):
            yield await _canceled(among(job_ids, where), among(job_ids, where & waits))

    count, _ = await announced(canceled())
    return count


async def retry_all(where: Condition) -> int:
    """Requeue the failed and canceled ones of the jobs, and return how many there were.

    Works in portions, each all or none. Raises QueueFull when there is no room for all of the jobs, and BudgetExceeded
    or PriceUnknown at the first portion that must not be held.
    """
    begun, count = now(), 0
    to_do = ENDED_BADLY & (Job.changed_at < begun)  # jobs that fail again meanwhile are not retried
    clients = Job.select(Job.client, Count().as_alias("jobs")).where(where & to_do).group_by(Job.client)
    await backlog.make_room({row["client"]: row["jobs"] for row in await clients})
    async for job_ids in portions(where & to_do, newest_first=False):
        retried = await _retried(job_ids, to_do)
        announce_all(retried)
        generate_later(min(len(retried), settings.worker_concurrency))
        count += len(retried)
    return count


async def delete_all(where: Condition, still: Condition) -> int:
    """Delete the ended ones of the jobs, immediately and permanently, and return how many there were.

    Works in portions, each all or none. still: the condition that each job must still meet when its portion is
    processed. A worker removes what is left of the jobs: see tasks/curation/trash.py.
    """
    count, _ = await announced(_deleted_all(where, still & DELETABLE))
    return count


async def _canceled(those: Condition, goes_on: Condition) -> list[UUID]:
    """Cancel the jobs among `those` that match `goes_on`, and return their ids. The caller announces them."""
    asked = await change_all(goes_on, {Job.cancel_requested: True, Job.due_at: from_now()})
    waits_in_vain = (Job.status == Status.QUEUED) & Job.attempt.is_null() & Job.cancel_requested.eq(True)
    await end_all(those & waits_in_vain, Status.CANCELED)
    for job in asked:
        if job.status == Status.RUNNING:
            events.publish(events.CANCEL, job.id)
        elif job.attempt is not None:
            generate_later()
    return [job.id for job in asked]


async def _retried(job_ids: Sequence[UUID], to_do: Condition) -> list[UUID]:
    jobs = await Job.objects().where(among(job_ids, to_do))
    alike: dict[tuple[str, int, int], list[UUID]] = defaultdict(list)
    for job in jobs:
        alike[job.client, job.priority, job.finish_within].append(job.id)

    async def held_again(needs: Needs) -> list[UUID]:
        retried: list[UUID] = []
        async with DB.transaction():
            for (client, priority, finish_within), ids in alike.items():
                changes = {**restarted(client, priority, finish_within), Job.changed_at: now()}
                rows = await Job.update(changes).where(among(ids, to_do)).returning(Job.id)
                alike_again = [row["id"] for row in rows]
                await queue.spread_turns(alike_again)
                retried += alike_again
            if needs or any(job.hold is not None for job in jobs):
                again = set(retried)
                await holds.take_again([job for job in jobs if job.id in again], needs)
        return retried

    return await holds.within_budgets(held_again, jobs)


async def _deleted_all(where: Condition, still: Condition) -> AsyncIterator[list[UUID]]:
    async for job_ids in portions(where & still):
        rows = await Job.update(tombstone()).where(among(job_ids, still)).returning(Job.id, Job.status, Job.hold)
        await release_ended([Job(**row) for row in rows])
        yield [row["id"] for row in rows]

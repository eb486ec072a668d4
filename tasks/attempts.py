"""The attempts at a job: written before the request that may cost money, fenced by the lease as all a worker writes.

An attempt is under way from before its prediction is asked for until it has certainly ended, with a result or without;
its job knows it for so long, and no other is begun.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks.database import DB, now
from tasks.failures import Failure
from tasks.queue import RUNNING, Condition
from tasks.tables import Attempt, Job, new_id


def mine(job: Job) -> Condition:
    """The job, as long as the lease of this claim holds."""
    return (Job.id == job.id) & (Job.status == RUNNING) & (Job.lease_token == job.lease_token)


async def under_way(job: Job) -> Attempt | None:
    """The attempt that a worker before us began and did not end."""
    return await Attempt.objects().get(Attempt.id == job.attempt) if job.attempt else None


async def begin(job: Job, version: str, arguments: Mapping[str, Any]) -> Attempt | None:
    """Write down that a prediction is about to be created: its version and its input, exactly as they will be sent.

    None: the lease is gone, an attempt is under way, or somebody wants the job called off.
    """
    attempt = Attempt(
        id=new_id(), job=job.id, number=1, version=version,
        input=json.dumps(arguments, ensure_ascii=False), created_at=now(),
    )  # fmt: skip
    seed = arguments.get("seed") if type(arguments.get("seed")) is int else None
    async with DB.transaction():
        free = mine(job) & Job.attempt.is_null() & Job.cancel_requested.eq(False)
        begun: dict[Any, Any] = {Job.attempt: attempt.id, Job.seed: seed}
        if not await Job.update(begun).where(free).returning(Job.id):
            return None
        attempt.number = await Attempt.count().where(Attempt.job == job.id) + 1
        await attempt.save()
    job.attempt, job.seed = attempt.id, seed
    return attempt


async def record_prediction(job: Job, attempt: Attempt, prediction_id: str) -> bool:
    """Save the id of the prediction that an attempt created, the moment it is known. False when the lease is gone."""
    return await _mark(job, {Attempt.prediction_id: prediction_id}, Attempt.id == attempt.id) is not None


async def adopt(job: Job, attempt: Attempt, prediction_id: str) -> Attempt | None:
    """Count a prediction that was found as the attempt's own, unless a webhook named its own, or this is another's.

    Answers the attempt as it is now, or None when the lease is gone.
    """
    free = (Attempt.id == attempt.id) & Attempt.prediction_id.is_null() & _nobodys(prediction_id)
    async with _alone_with(prediction_id):
        if await _mark(job, {Attempt.prediction_id: prediction_id}, free) is None:
            return None
    return await Attempt.objects().get(Attempt.id == attempt.id)


async def note(job: Job, attempt: Attempt, failure: Failure) -> bool:
    """Write down at once what an attempt met, before it is known what came of it. False when the lease is gone."""
    met: dict[Any, Any] = {Attempt.error: failure.message, Attempt.error_code: failure.code}
    return await _mark(job, met, Attempt.id == attempt.id) is not None


async def claim_prediction(attempt_id: UUID, prediction_id: str) -> UUID | None:
    """A prediction says that it belongs to this attempt: save its id where it was not known. Answers the job.

    None: the attempt is not under way any more, or has another prediction, or this one is another attempt's. For
    webhooks, so without a lease.
    """
    under_way = (Attempt.id == attempt_id) & Attempt.finished_at.is_null()
    async with _alone_with(prediction_id):
        adopted = (
            await Attempt.update({Attempt.prediction_id: prediction_id})
            .where(under_way & Attempt.prediction_id.is_null() & _nobodys(prediction_id))
            .returning(Attempt.job)
        )
    known = adopted or await Attempt.select(Attempt.job).where(under_way & (Attempt.prediction_id == prediction_id))
    return known[0]["job"] if known else None


@asynccontextmanager
async def _alone_with(prediction_id: str) -> AsyncIterator[None]:
    """A transaction in which nobody else adopts this prediction: on SQLite there is one writer anyway."""
    async with DB.transaction():
        if DB.engine_type == "postgres":
            await Attempt.raw("SELECT pg_advisory_xact_lock(hashtext({}))", prediction_id)
        yield


def _nobodys(prediction_id: str) -> WhereRaw:
    return WhereRaw("NOT EXISTS (SELECT 1 FROM attempt other WHERE other.prediction_id = {})", prediction_id)


async def _mark(job: Job, changes: dict[Any, Any], where: Condition) -> int | None:
    """Write on attempts, fenced. Answers how many that changed, or None when the lease is gone."""
    async with DB.transaction():
        if not await Job.update({Job.stage: Job.stage}).where(mine(job)).returning(Job.id):  # locks the row
            return None
        return len(await Attempt.update(changes).where(where).returning(Attempt.id))

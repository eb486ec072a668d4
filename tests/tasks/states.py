"""Jobs in the states from which tests of the state machine start, and time that passes when a test says so."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Attempt, Job, Output
from tasks.errors import Failure
from tasks.jobs import attempts, lifecycle
from tasks.jobs.insert import Terms
from tasks.replicate.client import Prediction

LEASE = 30.0
PASSING = Failure("provider_timeout", "API timeout while calling Replicate.", passing=True)
FINAL = Failure("moderated", "The model's safety filter rejected this prompt or its result.")

P1 = Prediction("p1", "failed", metrics={"predict_time": 2.5, "image_output_count": 2})


async def submitted(client: str = "", **more: Any) -> Job:
    return await lifecycle.submit("a fox in the snow", "stability-ai/sdxl", {"width": 512}, Terms(client, **more))


async def claimed() -> Job:
    """Return a new job that a worker has claimed. No other job may be waiting."""
    job = await submitted()
    claim = await lifecycle.claim(LEASE)
    assert claim is not None
    assert claim.id == job.id
    return claim


async def begun() -> tuple[Job, Attempt]:
    """Return a new job that a worker has claimed, and the attempt that it began, whose prediction is not known yet."""
    job = await claimed()
    attempt = await attempts.begin(job, "owner/name:1", {"prompt": "a fox", "seed": 7})
    assert attempt is not None
    return job, attempt


async def with_a_prediction() -> Job:
    """Return a new job whose worker follows its prediction, P1. No other attempt has P1 any more."""
    await Attempt.update({Attempt.prediction_id: None}).where(Attempt.prediction_id == P1.id)
    job, attempt = await begun()
    assert await attempts.record_prediction(job, attempt, P1.id)
    return job


async def left(attempt: bool = True) -> Job:
    """Return a new job that a worker left, with or without an attempt under way. Its lease has expired."""
    job = (await begun())[0] if attempt else await claimed()
    await passes(job.id, Job.lease_until)
    return job


async def taken_over() -> Job:
    """Return the job that is to be continued, claimed by another worker."""
    job = await lifecycle.take_over(LEASE)
    assert job is not None
    return job


async def row(job: Job) -> Job:
    found = await Job.objects().get(Job.id == job.id)
    assert found is not None
    return found


async def kept(attempt: Attempt) -> Attempt:
    found = await Attempt.objects().get(Attempt.id == attempt.id)
    assert found is not None
    return found


async def passes(job_id: UUID, *moments: Any) -> None:
    """Move the times in these columns of a job into the past."""
    past = now() - timedelta(minutes=1)
    await Job.update(dict.fromkeys(moments, past)).where(Job.id == job_id)


def an_output(key: str = "a.png") -> Output:
    return Output(
        id=ids.new(), position=0, key=key, stored_key=f"stored-{key}", kind="image", media_type="image/png", bytes=3,
        sha256="0" * 64,
    )  # fmt: skip


def nothing(*values: object) -> bool:
    """Return whether all values are None. Piccolo types nullable columns as if they were not nullable."""
    return all(value is None for value in values)

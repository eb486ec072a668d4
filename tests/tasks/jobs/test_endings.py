"""Each end of a job is written into the outbox once, in the transaction that ends it, and nothing else is."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Batch, Job, Status
from tasks.db.webhook_tables import WebhookDelivery
from tasks.jobs import bulk, endings, lifecycle
from tasks.outbox import outbox
from tests.tasks.outbox.hooks import deliveries, endpoint, said
from tests.tasks.plans import asked
from tests.tasks.states import (
    FINAL,
    P1,
    PASSING,
    an_output,
    begun,
    claimed,
    left,
    nothing,
    passes,
    submitted,
    with_a_prediction,
)

OWN = "https://user:secret@own.example.org:8443/hook?token=secret"


async def types() -> list[str]:
    return [kind for kind, _ in await said()]


async def hooked(job: Job) -> Job:
    """Let a job have a webhook of its own."""
    await Job.update({Job.webhook: OWN}).where(Job.id == job.id)
    job.webhook = OWN
    return job


async def expired() -> Job:
    job = await submitted()
    await passes(job.id, Job.deadline_at)
    return job


async def a_batch(*prompts: str) -> list[Job]:
    batch = Batch(id=ids.new(), prompt="a fox", jobs=len(prompts), created_at=now())
    return await bulk.submit_all(batch, [(prompt, "stability-ai/sdxl", {}) for prompt in prompts])


async def all_claimed(jobs: list[Job]) -> list[Job]:
    found = [await lifecycle.claim(30) for _ in jobs]
    return [job for job in found if job is not None]


async def ended(how: str) -> Job:
    """Return a job that has ended in one of all ways."""
    match how:
        case "complete":
            job = await with_a_prediction()
            await lifecycle.complete(job, [an_output()], P1)
        case "fail":
            job = await with_a_prediction()
            await lifecycle.fail(job, FINAL, P1)
        case "fail before an attempt":
            job = await claimed()
            await lifecycle.fail(job, FINAL)
        case "end canceled":
            job = await with_a_prediction()
            await lifecycle.end_canceled(job, P1)
        case "expire":
            job = await expired()
            await lifecycle.expire()
        case "cancel":
            job = await submitted()
            await lifecycle.cancel(job.id)
        case "cancel, then postpone":
            job = await with_a_prediction()
            await lifecycle.cancel(job.id)
            await lifecycle.postpone(job, PASSING, 60.0, P1)
        case "cancel, then leave":
            job = await left(attempt=False)
            await lifecycle.cancel(job.id)
            await lifecycle.requeue()
        case _:
            [job] = await a_batch("a fox")
            await bulk.cancel_batch(job.batch)
    return job


WAYS = {
    "complete": "completed", "fail": "failed", "fail before an attempt": "failed", "end canceled": "canceled",
    "expire": "failed", "cancel": "canceled", "cancel, then postpone": "canceled", "cancel, then leave": "canceled",
    "cancel batch": "canceled",
}  # fmt: skip
CODES = {"fail": "moderated", "fail before an attempt": "moderated", "expire": "deadline"}


@pytest.mark.parametrize("how", WAYS)
async def test_however_a_job_ends_its_endpoint_is_told_once(how: str) -> None:
    there = await endpoint()
    job = await ended(how)
    found = await Job.objects().get(Job.id == job.id)
    assert found is not None
    assert found.status == WAYS[how]
    [delivery, *more] = sorted(await deliveries(), key=lambda delivery: delivery.job is None)
    assert [one.type for one in more] == (["batch.ended"] if how == "cancel batch" else [])
    assert (delivery.endpoint, delivery.job, delivery.state) == (there.id, job.id, "pending")
    event = json.loads(delivery.body)
    data: dict[str, Any] = event["data"]
    assert event["type"] == delivery.type == f"job.{WAYS[how]}"
    assert event["timestamp"] == found.finished_at.isoformat().replace("+00:00", "Z")
    assert (data["job_id"], data["status"], data.get("error_code")) == (str(job.id), WAYS[how], CODES.get(how))
    assert data["links"] == {"status": f"/status/{job.id}", "page": f"/jobs/{job.id}"}


async def test_where_there_is_no_endpoint_nothing_is_written_or_asked() -> None:
    for how in WAYS:
        await ended(how)
    assert await deliveries() == []
    done = endings.ended(await with_a_prediction(), Status.COMPLETED, now(), None)
    assert endings.steps([done], await outbox.has_endpoints()) == []
    with asked() as queries:
        await outbox.has_endpoints()
    assert queries == []


async def test_a_job_with_a_webhook_of_its_own_tells_that_whether_there_are_endpoints_or_not() -> None:
    await lifecycle.complete(await hooked(await with_a_prediction()), [an_output()], P1)
    await hooked(await expired())
    await lifecycle.expire()
    await lifecycle.cancel((await hooked(await submitted())).id)
    assert await types() == ["job.completed", "job.failed", "job.canceled"]
    assert {(one.url, one.target) for one in await deliveries()} == {(OWN, "own.example.org:8443")}
    assert nothing(*(one.endpoint for one in await deliveries()))
    await endpoint()
    await lifecycle.cancel((await hooked(await submitted())).id)
    assert await WebhookDelivery.count() == 5


async def test_what_does_not_end_a_job_is_not_told() -> None:
    await endpoint()
    await lifecycle.postpone(await with_a_prediction(), PASSING, 0.0, P1)
    waiting = await lifecycle.claim(30)
    assert waiting is not None
    await lifecycle.unclaim(waiting, PASSING, 60.0)
    job, _ = await begun()
    await lifecycle.resume_later(job, PASSING, 60.0)
    assert await types() == []


async def test_a_worker_that_lost_its_lease_tells_nothing() -> None:
    await endpoint()
    old = await left()
    assert await lifecycle.take_over(30) is not None
    assert await lifecycle.complete(old, [an_output()]) is None
    assert await lifecycle.fail(old, FINAL) is None
    assert await types() == []


async def test_a_job_that_is_tried_again_is_told_again_in_order() -> None:
    await endpoint()
    job = await with_a_prediction()
    await lifecycle.fail(job, FINAL, P1)
    await lifecycle.retry(job.id)
    again = await lifecycle.claim(30)
    assert again is not None
    await lifecycle.fail(again, FINAL)
    await lifecycle.retry(job.id)
    await lifecycle.cancel(job.id)
    assert await types() == ["job.failed", "job.failed", "job.canceled"]
    assert len({delivery.event for delivery in await deliveries()}) == 3


async def test_a_batch_has_ended_with_the_last_of_its_jobs() -> None:
    await endpoint()
    jobs = await all_claimed(await a_batch("a fox", "a hare"))
    await lifecycle.complete(jobs[0], [an_output()])
    assert await types() == ["job.completed"]
    await lifecycle.fail(jobs[1], FINAL)
    assert sorted(await types()) == ["batch.ended", "job.completed", "job.failed"]
    [data] = [data for kind, data in await said() if kind == "batch.ended"]
    path = f"/batches/{jobs[0].batch}"
    assert data["batch_id"] == str(jobs[0].batch)
    assert data["links"] == {"status": f"{path}.json", "page": path}
    assert [data.get("batch") for kind, data in await said() if kind != "batch.ended"] == [str(jobs[0].batch)] * 2


async def test_a_batch_that_is_canceled_has_ended_once() -> None:
    await endpoint()
    [first, *_] = await a_batch("a fox", "a hare", "a deer")
    await bulk.cancel_batch(first.batch)
    assert sorted(await types()) == ["batch.ended", *["job.canceled"] * 3]


async def test_batches_whose_jobs_expire_together_have_each_ended_once() -> None:
    await endpoint()
    jobs = [*await a_batch("a fox", "a hare"), *await a_batch("a deer"), *await a_batch("an owl", "a bear")]
    for job in jobs[:-1]:
        await passes(job.id, Job.deadline_at)
    assert len(await lifecycle.expire()) == 4
    ended_ones = [data["batch_id"] for kind, data in await said() if kind == "batch.ended"]
    assert sorted(ended_ones) == sorted({str(job.batch) for job in jobs[:3]})


async def test_when_all_jobs_of_a_batch_end_at_once_it_has_ended_once() -> None:
    await endpoint()
    for _ in range(10):
        jobs = await all_claimed(await a_batch("a fox", "a hare", "a deer", "an owl"))
        await asyncio.gather(*(lifecycle.complete(job, [an_output(f"{job.id}.png")]) for job in jobs))
    assert (await types()).count("batch.ended") == 10
    assert (await types()).count("job.completed") == 40


async def test_a_batch_ends_again_when_one_of_its_jobs_is_tried_again() -> None:
    there = await endpoint()
    [job] = await all_claimed(await a_batch("a fox"))
    await lifecycle.fail(job, FINAL)
    await lifecycle.retry(job.id)
    await lifecycle.cancel(job.id)
    assert (await types()).count("batch.ended") == 2
    assert {delivery.endpoint for delivery in await deliveries()} == {there.id}


async def test_the_webhook_of_a_batch_is_told_of_its_end() -> None:
    jobs = await a_batch("a fox", "a hare")
    for job in jobs:
        await hooked(job)
    await bulk.cancel_batch(jobs[0].batch)
    assert sorted(await types()) == ["batch.ended", "job.canceled", "job.canceled"]


@pytest.mark.parametrize("how", ["complete", "expire"])
async def test_an_event_that_cannot_be_written_leaves_the_job_as_it_was(
    how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await endpoint()
    monkeypatch.setattr(outbox, "FOR_ENDPOINTS", outbox.FOR_ENDPOINTS.replace("webhook_delivery", "nowhere"))
    job = await (with_a_prediction() if how == "complete" else expired())
    with pytest.raises(Exception, match="nowhere"):
        await (lifecycle.complete(job, [an_output()], P1) if how == "complete" else lifecycle.expire())
    found = await Job.objects().get(Job.id == job.id)
    assert found is not None
    assert found.status == (Status.RUNNING if how == "complete" else Status.QUEUED)


async def test_many_that_expire_at_once_are_failed_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "MAX_EXPIRED", 2)
    for _ in range(3):
        await expired()
    assert [len(await lifecycle.expire()) for _ in range(3)] == [2, 1, 0]


async def test_of_many_deadlines_only_those_that_have_passed_count() -> None:
    await endpoint()
    job: UUID = (await expired()).id
    await Job.update({Job.deadline_at: now() + timedelta(hours=1)}).where(Job.id == (await submitted()).id)
    assert [one.id for one in await lifecycle.expire()] == [job]

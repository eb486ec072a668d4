"""The `webhook` of a job that came in by Replicate's door is sent its prediction, the same at each try."""

import json
from contextlib import aclosing
from typing import Any

import pytest

from tasks.accounts.audit import By
from tasks.db.database import now
from tasks.db.tables import Job, ModelSchema
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.outbox.events import REPLICATE
from tasks.settings import settings
from tasks.webhooks import history, predictions, sending, signing
from tasks.webhooks.sender import Sender
from tests import factories
from tests.receivers import Receiver, receiving
from tests.tasks.outbox import hooks
from tests.tasks.outbox.hooks import Clock, attempts, endpoint
from tests.tasks.states import FINAL

HOUR = 3600.0


async def ended(webhook: str, content: bytes | None = b"picture", **more: Any) -> Job:
    """Return a job of Replicate's door that has ended. content: of its file; None to fail it."""
    job = await factories.submitted(origin=REPLICATE, webhook=webhook, **more)
    claimed = await lifecycle.claim(30)
    assert claimed is not None
    if content is None:
        await lifecycle.fail(claimed, FINAL)
    else:
        storage = Storage.open(settings.storage_url)
        await lifecycle.complete(claimed, [await factories.kept(storage, f"{job.id}.png", content)])
    return job


async def send(clock: Clock | None = None) -> None:
    async with aclosing(sending.transport()) as transport:
        await Sender(transport, Storage.open(settings.storage_url), clock or Clock()).send_due()


def told(receiver: Receiver) -> list[dict[str, Any]]:
    return [dict(json.loads(arrival.body)) for arrival in receiver.arrivals]


async def test_a_prediction_is_sent_with_its_output_and_signed_for_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    public = settings.model_copy(update={"public_url": "https://darkroom.example.org"})
    monkeypatch.setattr(predictions, "settings", public)
    secret = await signing.secret_of_jobs(None)
    async with receiving(secret) as receiver:
        job = await ended(receiver.url, parameters={"width": 512})
        await send()
    [prediction] = told(receiver)
    assert [arrival.signed for arrival in receiver.arrivals] == [True]
    assert (prediction["id"], prediction["status"], prediction["error"]) == (str(job.id), "succeeded", None)
    assert prediction["input"] == {"prompt": "a fox in the snow", "width": 512}
    assert prediction["output"] == [f"https://darkroom.example.org/media/{job.id}.png"]
    assert prediction["urls"]["get"] == f"https://darkroom.example.org/replicate/v1/predictions/{job.id}"


async def test_without_a_public_url_addresses_are_paths() -> None:
    async with receiving() as receiver:
        job = await ended(receiver.url)
        await send()
    [prediction] = told(receiver)
    assert prediction["output"] == [f"/media/{job.id}.png"]


async def test_endpoints_are_sent_the_event_as_of_every_job() -> None:
    async with receiving() as receiver, receiving() as other:
        await endpoint(other.url)
        job = await ended(receiver.url, None)
        await send()
    [event], [prediction] = other.arrivals, told(receiver)
    assert (event.type, event.job) == ("job.failed", str(job.id))
    assert (prediction["status"], prediction["error"]) == ("failed", FINAL.message)


async def test_every_try_sends_the_same_although_the_job_is_tried_again() -> None:
    clock = Clock()
    async with receiving() as receiver:
        receiver.moods.extend(["500", "200"])
        job = await ended(receiver.url, None)
        await send(clock)
        await lifecycle.retry(job.id)
        clock.ahead = HOUR
        await send(clock)
        [delivery] = await hooks.deliveries()
        await history.replay(delivery, By())
        await send(clock)
    first, *others = receiver.arrivals
    assert {(arrival.id, arrival.body) for arrival in others} == {(first.id, first.body)}
    assert [prediction["status"] for prediction in told(receiver)] == ["failed"] * 3
    assert json.loads((await hooks.fresh(delivery)).body) == told(receiver)[0]


async def test_nothing_is_sent_of_a_job_that_was_deleted() -> None:
    async with receiving() as receiver:
        job = await ended(receiver.url)
        await lifecycle.delete(job.id)
        await send()
    [delivery] = await hooks.deliveries()
    assert (receiver.arrivals, delivery.state, await attempts(delivery)) == ([], "failed", [])


async def test_what_cannot_be_read_is_sent_later() -> None:
    schemas = {"Input": {"type": "object", "properties": {"prompt": {"type": "string"}}}, "Output": {"type": "string"}}
    model = "anna/poet"
    await ModelSchema.insert(ModelSchema(name=model, official=True, schemas=json.dumps(schemas), fetched_at=now()))
    storage, clock = Storage.open(settings.storage_url), Clock()
    async with receiving() as receiver:
        job = await factories.submitted(model=model, origin=REPLICATE, webhook=receiver.url)
        claimed = await lifecycle.claim(30)
        assert claimed is not None
        poem = await factories.kept(storage, f"{job.id}.txt", b"a fox is")
        await lifecycle.complete(claimed, [poem])
        await storage.delete([poem.stored_key])
        await send(clock)
        await storage.put(poem.stored_key, b"a fox is")
        clock.ahead = HOUR
        await send(clock)
    [delivery] = await hooks.deliveries()
    assert await attempts(delivery) == ["unreadable", "success"]
    assert [prediction["output"] for prediction in told(receiver)] == ["a fox is"]


async def test_what_was_said_of_a_job_goes_when_it_is_deleted() -> None:
    async with receiving() as receiver:
        deleted, kept = await ended(receiver.url), await ended(receiver.url)
        await send()
        await lifecycle.delete(deleted.id)
        await history.sweep()
    said = {delivery.job: delivery.body for delivery in await hooks.deliveries()}
    assert said[deleted.id] == ""
    assert json.loads(said[kept.id])["id"] == str(kept.id)

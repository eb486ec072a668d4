"""Every event arrives at least once, in the order of its job, and none is forged, whatever the receiver does."""

import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from random import Random

import pytest

from tasks.accounts.audit import By
from tasks.db.database import now
from tasks.db.tables import Job
from tasks.db.webhook_tables import WebhookDelivery, WebhookEndpoint
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.messaging import events
from tasks.outbox.events import SUBSCRIBABLE
from tasks.settings import ROOT, settings
from tasks.webhooks import endpoints, history, sending, signing
from tasks.webhooks.deliveries import CLAIM_SECONDS
from tasks.webhooks.sender import MAX_TO_ONE_TARGET, Sender
from tests import factories
from tests.receivers import HANG, RESET, Receiver, receiving
from tests.tasks import work
from tests.tasks.outbox import hooks
from tests.tasks.outbox.hooks import Clock, attempts, endpoint, happened
from tests.tasks.states import FINAL, an_output
from tests.waiting import eventually
from webapp.cli.parent_watch import Tether

BY = By()
HOUR = 3600.0
REDIRECT = "302\r\nLocation: http://127.0.0.1:1/"


@asynccontextmanager
async def an_endpoint() -> AsyncIterator[Receiver]:
    """Run a receiver that is an endpoint of the open house while the block runs."""
    async with receiving() as receiver:
        receiver.secret = (await endpoints.add(None, receiver.url, SUBSCRIBABLE, False, BY)).secret
        yield receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with an_endpoint() as receiver:
        yield receiver


@asynccontextmanager
async def a_sender(clock: Clock | None = None, within: float = 5.0) -> AsyncIterator[Sender]:
    async with aclosing(sending.transport()) as transport:
        yield Sender(transport, Storage.open(settings.storage_url), clock or Clock(), within)


@asynccontextmanager
async def at_work(every: float = 0.05) -> AsyncIterator[None]:
    """Let a sender run while the block runs."""
    async with a_sender() as one:
        task = asyncio.create_task(one.keep_sending(lambda: every))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def arrived(receiver: Receiver, count: int) -> None:
    async def so_many() -> bool:
        return len(receiver.arrivals) >= count

    await eventually(so_many, 20)


async def all_delivered() -> None:
    async def none_left() -> bool:
        return not await WebhookDelivery.exists().where(WebhookDelivery.state != "delivered")

    await eventually(none_left, 20)


async def ended(prompt: str = "a fox") -> Job:
    """Return a job that failed, was tried again, and is completed."""
    job = await lifecycle.submit(prompt, "stability-ai/sdxl", {})
    claimed = await lifecycle.claim(30)
    assert claimed is not None
    await lifecycle.fail(claimed, FINAL)
    await lifecycle.retry(job.id)
    claimed = await lifecycle.claim(30)
    assert claimed is not None
    await lifecycle.complete(claimed, [an_output(f"{job.id}.png")])
    return job


async def test_what_a_job_does_is_told_at_once_signed_and_in_order(receiver: Receiver) -> None:
    async def listens() -> bool:
        return bool(dict(await events.redis().pubsub_numsub(events.OUTBOX))[events.OUTBOX.encode()])

    async with at_work(every=60):
        await eventually(listens)
        job = await ended()
        await all_delivered()
    assert [(arrival.type, arrival.job, arrival.signed) for arrival in receiver.arrivals] == [
        ("job.failed", str(job.id), True), ("job.completed", str(job.id), True),
    ]  # fmt: skip
    assert [arrival.id for arrival in receiver.arrivals] == [f"msg_{one.id.hex}" for one in await hooks.deliveries()]


async def test_what_has_no_hint_is_found_soon(receiver: Receiver) -> None:
    async with at_work():
        await happened()
        await all_delivered()
    assert len(receiver.arrivals) == 1


async def test_a_receiver_that_comes_back_after_an_hour_gets_everything_in_order(receiver: Receiver) -> None:
    clock = Clock()
    jobs = [await ended() for _ in range(3)]
    await receiver.close()
    async with a_sender(clock) as sender:
        for wait in (0, 6, 330, 0.9 * HOUR):
            clock.ahead += wait
            await sender.send_due()
        assert receiver.arrivals == []
        await receiver.open()
        clock.ahead += 2.2 * HOUR
        await sender.send_due()
    assert all(arrival.signed for arrival in receiver.arrivals)
    for job in jobs:
        own = [arrival.type for arrival in receiver.arrivals if arrival.job == str(job.id)]
        assert own == ["job.failed", "job.completed"]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_a_receiver_does_every_event_arrives_in_the_order_of_its_job(
    receiver: Receiver, seed: int
) -> None:
    clock, chance = Clock(), Random(seed)
    async with an_endpoint() as good, a_sender(clock, within=0.5) as sender:
        jobs = [str((await ended()).id) for _ in range(8)]
        moods = ["200", "204", "400", "429\r\nRetry-After: 30", "500", "503", REDIRECT, RESET, HANG]
        receiver.moods.extend(chance.choices(moods, k=30))
        await sender.send_due()
        assert len(good.accepted) == 16, "what goes elsewhere is not held back"
        while await WebhookDelivery.exists().where(WebhookDelivery.state == "pending"):
            clock.ahead += HOUR
            await sender.send_due()
    ids = Counter(arrival.id for arrival in receiver.accepted)
    assert len(ids) == 16
    assert set(ids.values()) == {1}
    assert all(arrival.signed for arrival in receiver.arrivals)
    told = defaultdict(list)
    for arrival in receiver.arrivals:  # also what was refused: no later event comes before an earlier one is accepted
        told[arrival.job].append(arrival.type)
    assert told.keys() == set(jobs)
    assert all(sorted(types, key=("job.failed", "job.completed").index) == types for types in told.values())


async def test_what_was_not_sent_by_us_is_not_signed(receiver: Receiver) -> None:
    await happened()
    async with a_sender() as sender:
        await sender.send_due()
    async with aclosing(sending.transport()) as transport:
        [real] = receiver.arrivals
        headers = {name: real.headers[name] for name in real.headers if name.startswith("webhook-")}
        await sending.send(receiver.url, headers, real.body.replace("failed", "completed"), transport)
        own = signing.signed([signing.new_secret()], "msg_1", now(), real.body)
        await sending.send(receiver.url, own, real.body, transport)
    assert [arrival.signed for arrival in receiver.arrivals] == [True, False, False]


async def test_each_try_is_signed_anew_and_after_a_rotation_by_both_secrets(receiver: Receiver) -> None:
    receiver.mood, clock = "500", Clock()
    await happened()
    [there] = await endpoints.listed(None)
    async with a_sender(clock) as sender:
        await sender.send_due()
        new = await endpoints.rotate(there, BY)
        clock.ahead = 6
        await sender.send_due()
        receiver.secret = new
        [delivery] = await hooks.deliveries()
        await WebhookDelivery.update({WebhookDelivery.state: "failed"}).where(WebhookDelivery.id == delivery.id)
        await history.replay(delivery, BY)
        await sender.send_due()
    assert [arrival.signed for arrival in receiver.arrivals] == [True, True, True]
    assert [len(arrival.headers["webhook-signature"].split()) for arrival in receiver.arrivals] == [1, 2, 2]
    assert len({(arrival.id, arrival.body) for arrival in receiver.arrivals}) == 1


@pytest.mark.parametrize("somebody", [True, False])
async def test_the_webhook_of_a_job_is_signed_with_the_secret_of_its_owner(somebody: bool) -> None:
    owner = (await factories.person()).id if somebody else None
    async with receiving(await signing.secret_of_jobs(owner)) as receiver, a_sender() as sender:
        await happened(owner=owner, webhook=f"{receiver.url}?token=secret")
        await sender.send_due()
    assert [arrival.signed for arrival in receiver.arrivals] == [True]
    [delivery] = await hooks.deliveries()
    assert (delivery.state, await attempts(delivery)) == ("delivered", ["success"])


async def test_a_receiver_that_hangs_leaves_room_for_the_others(receiver: Receiver) -> None:
    receiver.mood = HANG
    for _ in range(MAX_TO_ONE_TARGET + 3):
        await happened()
    async with at_work():
        await arrived(receiver, MAX_TO_ONE_TARGET)
        async with an_endpoint() as other:
            await happened()
            await arrived(other, 1)
        assert len(receiver.arrivals) == MAX_TO_ONE_TARGET


async def test_a_sender_that_stops_leaves_what_it_sends_to_the_next_one_at_once(receiver: Receiver) -> None:
    receiver.mood = HANG
    await happened()
    async with at_work():
        await arrived(receiver, 1)
    receiver.mood = "200"
    async with at_work():
        await all_delivered()
    assert len({arrival.id for arrival in receiver.arrivals}) == 1


async def test_what_a_killed_worker_was_sending_is_sent_by_the_next_one(receiver: Receiver) -> None:
    receiver.mood, clock, job = HANG, Clock(), await ended()
    with Tether() as tether:
        words = ["-m", "webapp", "--tether", str(tether.descriptor), "worker"]
        process = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT, pass_fds=[tether.descriptor])
        await arrived(receiver, 1)
        process.kill()
        await process.wait()
    receiver.mood = "200"
    async with a_sender(clock) as sender:
        await sender.send_due()
        assert receiver.accepted == [], "the claim of the killed worker still holds"
        clock.ahead = CLAIM_SECONDS + 1
        await sender.send_due()
    assert [(arrival.type, arrival.job) for arrival in receiver.accepted] == [
        ("job.failed", str(job.id)), ("job.completed", str(job.id)),
    ]  # fmt: skip
    assert receiver.accepted[0].id == receiver.arrivals[0].id


async def test_a_delivery_whose_endpoint_was_removed_meanwhile_is_ended() -> None:
    there = await endpoint()
    await happened()
    await WebhookEndpoint.delete().where(WebhookEndpoint.id == there.id)
    async with a_sender() as sender:
        await sender.send_due()
    [delivery] = await hooks.deliveries()
    assert (delivery.state, await attempts(delivery)) == ("failed", [])


@pytest.mark.usefixtures("faults")
async def test_a_worker_sends(receiver: Receiver) -> None:
    async with work.at_work():
        job = await work.submitted("a fox that is told of")
        await work.ended(job)
        await all_delivered()
    assert [(arrival.type, arrival.job) for arrival in receiver.arrivals] == [("job.completed", str(job.id))]

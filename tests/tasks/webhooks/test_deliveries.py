"""Deliveries are claimed by one worker at a time, in the order of their job, and what a late worker writes is void."""

import asyncio
from uuid import UUID, uuid4

import pytest

from tasks.accounts import people
from tasks.accounts.audit import By
from tasks.db import ids
from tasks.db.dialect import from_now
from tasks.db.webhook_tables import WebhookAttempt, WebhookDelivery
from tasks.webhooks import deliveries, endpoints, history
from tasks.webhooks.deliveries import CLAIM_SECONDS
from tasks.webhooks.sending import Answer, Outcome
from tests import factories
from tests.tasks.outbox import hooks
from tests.tasks.outbox.hooks import Clock, attempts, endpoint, fresh, happened
from tests.tasks.states import nothing

BY = By()
GOOD, BAD, GONE = (
    Answer(Outcome.SUCCESS, 12, 200),
    Answer(Outcome.SERVER_ERROR, 9, 500),
    Answer(Outcome.CLIENT_ERROR, 5, 410),
)
OWN = "https://own.example.org/?token=secret"


async def claimed(clock: Clock | None = None) -> WebhookDelivery | None:
    return await deliveries.claim(clock or from_now)


async def the_next(clock: Clock | None = None) -> WebhookDelivery:
    delivery = await claimed(clock)
    assert delivery is not None
    return delivery


async def test_of_many_workers_one_gets_each_delivery() -> None:
    await endpoint()
    for _ in range(5):
        await happened()
    found = [one.id for one in await asyncio.gather(*(claimed() for _ in range(12))) if one is not None]
    assert len(found) == len(set(found)) == 5


async def test_what_is_claimed_is_due_again_when_the_claim_is_over_because_its_worker_is_dead() -> None:
    clock = Clock()
    await endpoint()
    await happened()
    first = await the_next(clock)
    clock.ahead = CLAIM_SECONDS - 1
    assert await claimed(clock) is None
    clock.ahead = CLAIM_SECONDS + 1
    again = await the_next(clock)
    assert (again.id, again.tries) == (first.id, 0)
    assert again.claim != first.claim


async def test_what_a_worker_writes_whose_claim_is_gone_is_void() -> None:
    clock = Clock()
    await endpoint()
    await happened()
    first = await the_next(clock)
    clock.ahead = CLAIM_SECONDS + 1
    again = await the_next(clock)
    assert not await deliveries.record(first, BAD, clock)
    assert await attempts(first) == []
    assert (await fresh(first)).claim == again.claim
    assert await deliveries.record(again, GOOD, clock)
    assert not await deliveries.record(again, BAD, clock)
    assert ((await fresh(again)).state, await attempts(again)) == ("delivered", ["success"])


async def test_a_claim_that_is_released_is_due_at_once() -> None:
    await endpoint()
    await happened()
    first = await the_next()
    await deliveries.release([uuid4()], from_now)
    assert await claimed() is None
    await deliveries.release([first.claim], from_now)
    assert (await the_next()).id == first.id
    await deliveries.release([], from_now)


async def test_what_came_of_a_try_is_kept() -> None:
    await endpoint()
    await happened()
    delivery = await the_next()
    await deliveries.record(delivery, Answer(Outcome.CLIENT_ERROR, 17, 404, "There is nothing."), from_now)
    [attempt] = await WebhookAttempt.objects()
    assert (attempt.outcome, attempt.status, attempt.answer, attempt.milliseconds, attempt.replay) == (
        "client_error", 404, "There is nothing.", 17, False,
    )  # fmt: skip


async def test_it_is_tried_on_its_schedule_and_then_has_failed() -> None:
    clock = Clock()
    there = await endpoint()
    await happened()
    for tries, wait in enumerate((0, 5.5, 330, 1980, 7920, 19_800, 39_600, 39_600)):
        assert not wait or await claimed(clock) is None
        clock.ahead += wait
        delivery = await the_next(clock)
        assert delivery.tries == tries
        await deliveries.record(delivery, BAD, clock)
    clock.ahead += 30 * 86_400
    assert await claimed(clock) is None
    [delivery] = await hooks.deliveries()
    assert (delivery.state, delivery.tries, delivery.endpoint) == ("failed", 8, there.id)
    assert await attempts(delivery) == ["server_error"] * 8


async def test_a_later_try_that_the_receiver_asks_for_is_later() -> None:
    clock = Clock()
    await endpoint()
    await happened()
    await deliveries.record(await the_next(clock), Answer(Outcome.CLIENT_ERROR, 5, 429, retry_after=600.0), clock)
    clock.ahead = 599
    assert await claimed(clock) is None
    clock.ahead = 601
    assert await claimed(clock) is not None


# In order of its job.


async def events_of(job: UUID, count: int = 2) -> list[UUID]:
    for _ in range(count):
        await happened(job)
        await asyncio.sleep(0.002)  # ids of one millisecond have no order
    return [delivery.id for delivery in await hooks.deliveries() if delivery.job == job]


@pytest.mark.parametrize("own", [True, False])
async def test_a_failing_event_holds_back_the_later_ones_of_its_job_there_and_no_others(own: bool) -> None:
    clock, job = Clock(), ids.new()
    if own:
        for _ in range(2):
            await happened(job, webhook=OWN)
    else:
        await endpoint()
        await events_of(job)
    [first, second] = await hooks.deliveries()
    assert (await the_next(clock)).id == first.id
    assert await claimed(clock) is None, "the first is being sent"
    await happened(ids.new(), webhook=OWN if own else None)
    other = await the_next(clock)
    assert other.id not in (first.id, second.id)
    await deliveries.record(await fresh(first), BAD, clock)
    assert await claimed(clock) is None, "the first is tried again later"
    clock.ahead = 6
    assert (await the_next(clock)).id == first.id
    await deliveries.record(await fresh(first), GOOD, clock)
    assert (await the_next(clock)).id == second.id


async def test_one_endpoint_that_fails_holds_back_no_other() -> None:
    first, second = await endpoint(), await endpoint()
    await events_of(ids.new())
    one, other = await the_next(), await the_next()
    assert {one.endpoint, other.endpoint} == {first.id, second.id}
    await deliveries.record(one, BAD, from_now)
    await deliveries.record(other, GOOD, from_now)
    third = await the_next()
    assert third.endpoint == other.endpoint
    assert await claimed() is None


async def test_an_event_that_has_failed_for_good_holds_back_nothing() -> None:
    await endpoint()
    job = ids.new()
    first, second = await events_of(job)
    await WebhookDelivery.update({WebhookDelivery.tries: 7}).where(WebhookDelivery.id == first)
    await deliveries.record(await the_next(), BAD, from_now)
    assert (await the_next()).id == second


async def test_events_of_no_job_wait_for_no_other() -> None:
    await endpoint()
    for _ in range(3):
        await happened()
    assert len({(await the_next()).id for _ in range(3)}) == 3


async def test_targets_that_are_busy_are_passed_over() -> None:
    first = await endpoint()
    await happened(webhook=OWN)
    found = await deliveries.claim(from_now, [str(first.id)])
    assert found is not None
    assert found.target == "own.example.org:443"
    assert await deliveries.claim(from_now, [str(first.id), "own.example.org:443"]) is None
    assert (await the_next()).endpoint == first.id


# Who is told nothing more.


async def test_what_is_on_its_way_to_a_paused_endpoint_waits_until_it_is_enabled() -> None:
    there = await endpoint()
    await happened()
    await happened()
    under_way = await the_next()
    await endpoints.pause(there, BY)
    assert await claimed() is None
    assert not await deliveries.any_due(from_now)
    await deliveries.record(under_way, BAD, from_now)
    clock = Clock()
    clock.ahead = 60
    assert await claimed(clock) is None, "also not what was being sent then"
    await endpoints.enable(there, BY)
    assert {(await the_next(clock)).id, (await the_next(clock)).id} == {one.id for one in await hooks.deliveries()}


async def test_nothing_is_sent_for_a_disabled_person() -> None:
    anna = await factories.person()
    await endpoint(owner=anna.id)
    await happened(owner=anna.id)
    await happened(owner=anna.id, webhook=OWN)
    await people.disable(anna, BY)
    assert await claimed() is None
    await people.enable(anna, BY)
    assert len([await the_next() for _ in range(3)]) == 3


async def test_a_410_is_no_reason_to_try_again() -> None:
    await happened(webhook=OWN)
    delivery = await the_next()
    await deliveries.record(delivery, GONE, from_now)
    after = await fresh(delivery)
    assert (after.state, nothing(after.due_at), after.tries) == ("failed", True, 1)


# Replays.


async def failed() -> WebhookDelivery:
    await happened()
    delivery = await the_next()
    await WebhookDelivery.update({WebhookDelivery.tries: 7}).where(WebhookDelivery.id == delivery.id)
    await deliveries.record(await fresh(delivery), BAD, from_now)
    return await fresh(delivery)


async def test_a_replay_is_one_try_whatever_comes_of_it() -> None:
    await endpoint()
    delivery = await failed()
    assert await history.replay(delivery, BY)
    assert not await history.replay(delivery, BY), "it is under way"
    await deliveries.record(await the_next(), BAD, from_now)
    after = await fresh(delivery)
    assert (after.state, nothing(after.due_at), after.tries, after.replay) == ("failed", True, 8, False)
    assert await history.replay(delivery, BY)
    await deliveries.record(await the_next(), GOOD, from_now)
    after = await fresh(delivery)
    assert (after.state, nothing(after.due_at), after.replay) == ("delivered", True, False)
    await history.replay(delivery, BY)
    await deliveries.record(await the_next(), BAD, from_now)
    again = await fresh(delivery)
    assert (again.state, again.delivered_at) == ("delivered", after.delivered_at)
    assert [row["replay"] for row in await WebhookAttempt.select().order_by(WebhookAttempt.id)] == [
        False,
        True,
        True,
        True,
    ]


async def test_a_replay_goes_to_a_disabled_endpoint_as_well() -> None:
    there = await endpoint()
    delivery = await failed()
    await endpoints.pause(there, BY)
    await history.replay(delivery, BY)
    await endpoints.hold_back(there.id)
    assert (await the_next()).id == delivery.id

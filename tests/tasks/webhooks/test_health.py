"""Endpoints that are gone, or to which nothing gets through for days, are disabled, and the audit tells it."""

import json

import pytest

from tasks.accounts import audit
from tasks.accounts.audit import By
from tasks.db.webhook_tables import WebhookEndpoint
from tasks.webhooks import deliveries, endpoints, history
from tasks.webhooks.sending import Answer, Outcome
from tests.tasks.outbox import hooks
from tests.tasks.outbox.hooks import Clock, endpoint, happened
from tests.tasks.states import nothing

BY = By()
GOOD, BAD, GONE = (
    Answer(Outcome.SUCCESS, 12, 200),
    Answer(Outcome.TIMEOUT, 15_000),
    Answer(Outcome.CLIENT_ERROR, 5, 410),
)
HOUR, DAY = 3600.0, 86_400.0


@pytest.fixture
async def there() -> WebhookEndpoint:
    return await endpoint("https://receiver.example.org/hook?token=secret")


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def tried(answer: Answer, clock: Clock) -> None:
    """Let a new event be tried once, with this answer."""
    await happened()
    delivery = await deliveries.claim(clock)
    assert delivery is not None
    await deliveries.record(delivery, answer, clock)
    await deliveries.drop(delivery)


async def now_of(there: WebhookEndpoint) -> WebhookEndpoint:
    found = await WebhookEndpoint.objects().get(WebhookEndpoint.id == there.id)
    assert found is not None
    return found


async def test_who_answers_410_is_disabled_at_once_and_it_is_in_the_audit(there: WebhookEndpoint, clock: Clock) -> None:
    await happened()
    await tried(GONE, clock)
    found = await now_of(there)
    assert (found.disabled_at is not None, found.disabled_why) == (True, "gone")
    [entry] = await audit.latest(1)
    assert (entry.actor, entry.action, entry.subject) == (
        "worker", "webhook disabled", "https://receiver.example.org/hook?…",
    )  # fmt: skip
    assert json.loads(entry.after) == {"why": "gone"}
    assert not await deliveries.any_due(clock), "what is on its way is held back"
    await endpoints.enable(found, BY)
    assert (await now_of(there)).disabled_why == ""
    assert await deliveries.any_due(clock)


async def test_after_five_days_of_failures_it_is_disabled(there: WebhookEndpoint, clock: Clock) -> None:
    for _ in range(10):
        await tried(BAD, clock)
        clock.ahead += 12 * HOUR - 1
    assert (await now_of(there)).disabled_at is None
    clock.ahead += 60
    await tried(BAD, clock)
    found = await now_of(there)
    assert (found.disabled_at is not None, found.disabled_why, found.failures) == (True, "failing", 11)
    assert [entry.action for entry in await audit.latest(2)] == ["webhook disabled", "webhook added"]


async def test_one_success_is_enough_to_begin_anew(there: WebhookEndpoint, clock: Clock) -> None:
    for _ in range(9):
        await tried(BAD, clock)
        clock.ahead += 12 * HOUR
    await tried(GOOD, clock)
    assert (await now_of(there)).failures == 0
    assert nothing((await now_of(there)).failing_since)
    for _ in range(9):
        await tried(BAD, clock)
        clock.ahead += 12 * HOUR
    assert (await now_of(there)).disabled_at is None


async def test_a_failure_that_is_alone_for_a_day_is_no_beginning(there: WebhookEndpoint, clock: Clock) -> None:
    await tried(BAD, clock)
    clock.ahead = 6 * DAY
    await tried(BAD, clock)
    assert (await now_of(there)).failures == 1
    clock.ahead += HOUR
    await tried(BAD, clock)
    assert (await now_of(there)).failures == 2
    assert nothing((await now_of(there)).disabled_at)
    clock.ahead += 5 * DAY
    await tried(BAD, clock)
    assert (await now_of(there)).disabled_why == "failing"


async def test_what_is_replayed_or_a_test_says_nothing_of_its_health(there: WebhookEndpoint, clock: Clock) -> None:
    for _ in range(2):
        await tried(BAD, clock)
    clock.ahead = 6 * DAY
    before = (await now_of(there)).to_dict()
    [delivery, _] = await hooks.deliveries()
    for again in (history.replay(delivery, BY), history.send_test(there)):
        assert await again
        for answer in (BAD, GONE, GOOD):
            claimed = await deliveries.claim(clock)
            assert claimed is not None
            await deliveries.record(claimed, answer, clock)
            await history.replay(claimed, BY)
        await deliveries.drop(delivery)
    assert (await now_of(there)).to_dict() == before


async def test_the_webhook_of_a_job_has_no_health(clock: Clock) -> None:
    await happened(webhook="https://own.example.org/")
    delivery = await deliveries.claim(clock)
    assert delivery is not None
    assert await deliveries.record(delivery, GONE, clock)
    assert await audit.latest(1) == []

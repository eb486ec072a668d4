"""What was sent is listed for a month, and can be sent once more."""

import asyncio
from datetime import timedelta
from uuid import uuid4

from tasks.accounts import audit
from tasks.accounts.audit import By
from tasks.db import ids
from tasks.db.database import now
from tasks.db.webhook_tables import WebhookAttempt, WebhookDelivery, WebhookSecret
from tasks.outbox.events import EventType
from tasks.webhooks import deliveries, endpoints, history, signing
from tasks.webhooks.history import KEPT_DAYS, MAX_LISTED, Filter
from tasks.webhooks.sending import Answer, Outcome
from tests import factories
from tests.tasks.outbox import hooks
from tests.tasks.outbox.hooks import Clock, endpoint, happened
from tests.tasks.states import nothing

BY = By("anna")
GOOD, BAD = Answer(Outcome.SUCCESS, 12, 200, "thanks"), Answer(Outcome.SERVER_ERROR, 9, 500, "oh")


async def every_one(answer: Answer, last: bool = True) -> None:
    """Let everything that is due be tried, with this answer. last: as if it was the last try of each."""
    clock = Clock()
    while (delivery := await deliveries.claim(clock)) is not None:
        delivery.tries = 7 if last else 0
        await deliveries.record(delivery, answer, clock)


async def listed(**which: object) -> list[str]:
    return [str(one.delivery.type) for one in await history.listed(Filter(**which))]  # type: ignore[arg-type]


async def test_deliveries_are_listed_with_their_tries_newest_first() -> None:
    await endpoint()
    await happened()
    await every_one(BAD, last=False)
    await asyncio.sleep(0.002)  # ids of one millisecond have no order
    await happened(kind=EventType.JOB_COMPLETED)
    await every_one(GOOD)
    first, second = await history.listed(Filter())
    assert (first.delivery.type, first.delivery.state) == ("job.completed", "delivered")
    assert [(each.outcome, each.status, each.answer) for each in first.attempts] == [("success", 200, "thanks")]
    assert (second.delivery.state, [each.outcome for each in second.attempts]) == ("pending", ["server_error"])


async def test_they_are_filtered() -> None:
    anna = await factories.person()
    there = await endpoint(owner=anna.id)
    await happened(owner=anna.id)
    await every_one(BAD)
    await happened(owner=anna.id, kind=EventType.JOB_COMPLETED)
    await happened(kind=EventType.JOB_CANCELED, webhook="https://own.example.org")
    assert sorted(await listed()) == ["job.canceled", "job.completed", "job.failed"]
    assert sorted(await listed(owner=anna.id)) == ["job.completed", "job.failed"]
    assert await listed(owner=ids.new()) == []
    assert sorted(await listed(endpoint=there.id)) == ["job.completed", "job.failed"]
    assert await listed(state="failed") == ["job.failed"]
    assert await listed(type="job.completed") == ["job.completed"]
    assert await listed(type="job.completed", state="failed") == []


async def test_a_page_has_so_many_and_the_next_one_the_older_ones() -> None:
    await endpoint()
    for _ in range(MAX_LISTED + 2):
        await happened()
    page = await history.listed(Filter())
    rest = await history.listed(Filter(before=page[-1].delivery.id))
    assert (len(page), len(rest)) == (MAX_LISTED, 2)
    assert len({one.delivery.id for one in (*page, *rest)}) == MAX_LISTED + 2


async def test_a_replay_has_the_same_id_and_body_and_is_in_the_audit() -> None:
    await endpoint()
    await happened()
    await every_one(BAD)
    [before] = await hooks.deliveries()
    await history.replay(before, BY)
    after = await deliveries.claim(Clock())
    assert after is not None
    assert (after.id, after.body) == (before.id, before.body)
    [entry] = await audit.latest(1)
    assert (entry.actor, entry.action, entry.subject) == ("anna", "webhook replayed", f"msg_{before.id.hex}")


async def test_what_goes_nowhere_any_more_is_not_replayed() -> None:
    there = await endpoint()
    await happened()
    [pending] = await hooks.deliveries()
    assert not await history.replay(pending, BY)
    await every_one(BAD)
    await endpoints.remove(there, BY)
    assert not await history.replay(pending, BY)
    await happened(webhook="https://own.example.org/")
    await every_one(GOOD)
    [own] = [one for one in await hooks.deliveries() if one.endpoint is None]
    assert await history.replay(own, BY)


async def test_all_that_failed_since_a_moment_is_sent_again_each_job_in_order() -> None:
    there, other, job = await endpoint(), await endpoint(), ids.new()
    await happened(job)
    await happened(job, kind=EventType.JOB_COMPLETED)
    await every_one(BAD)
    await history.send_test(there)
    await every_one(BAD)
    await happened(kind=EventType.JOB_CANCELED)
    await every_one(GOOD)
    assert await history.resend(there, now() + timedelta(hours=1), BY) == 0
    assert await history.resend(there, now() - timedelta(hours=1), BY) == 2
    assert await history.resend(there, now() - timedelta(hours=1), BY) == 0
    clock, sent = Clock(), []
    while (delivery := await deliveries.claim(clock)) is not None:
        assert delivery.endpoint == there.id
        assert await deliveries.claim(clock) is None, "one after the other"
        sent.append(delivery.type)
        await deliveries.record(delivery, BAD, clock)
    assert sent == ["job.failed", "job.completed"]
    assert await WebhookDelivery.count().where(WebhookDelivery.state == "failed") == 5
    [entry] = await audit.latest(1)
    assert (entry.action, entry.after) == ("webhooks resent", '{"events": 2}')
    assert await history.resend(other, now() - timedelta(hours=1), BY) == 2


async def test_a_test_goes_to_its_endpoint_alone_once_and_also_when_that_is_disabled() -> None:
    there, _ = await endpoint(types=["job.failed"]), await endpoint()
    await endpoints.pause(there, BY)
    delivery = await history.send_test(there)
    [only] = await hooks.deliveries()
    assert (only.id, only.type, only.endpoint) == (delivery.id, "webhook.test", there.id)
    await every_one(BAD, last=False)
    [after] = await hooks.deliveries()
    assert (after.state, nothing(after.due_at)) == ("failed", True)


async def test_after_a_month_it_is_forgotten() -> None:
    await endpoint()
    await happened()
    await every_one(GOOD)
    [kept] = await hooks.deliveries()
    old = ids.first_at(now() - timedelta(days=KEPT_DAYS, minutes=1))
    await WebhookDelivery.insert(WebhookDelivery(**kept.to_dict() | {"id": old, "event": "an old one"}))
    await WebhookAttempt.insert(WebhookAttempt(delivery=old, at=now(), outcome="success", milliseconds=1))
    await signing.rotate(holder := uuid4())
    new = await signing.rotate(holder)
    ended = {WebhookSecret.ends_at: now() - timedelta(seconds=1)}
    await WebhookSecret.update(ended).where((WebhookSecret.holder == holder) & WebhookSecret.ends_at.is_not_null())  # type: ignore[arg-type]
    await history.sweep()
    assert [row["secret"] for row in await WebhookSecret.select().where(WebhookSecret.holder == holder)] == [new]
    assert [one.id for one in await hooks.deliveries()] == [kept.id]
    assert [row["delivery"] for row in await WebhookAttempt.select()] == [kept.id]

"""What was sent in the last days and how that ended, and how to send it once more."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks.accounts import audit
from tasks.accounts.audit import By
from tasks.db import ids
from tasks.db.database import now
from tasks.db.dialect import from_now
from tasks.db.tables import Condition, Values
from tasks.db.webhook_tables import DeliveryState, WebhookAttempt, WebhookDelivery, WebhookEndpoint, WebhookSecret
from tasks.outbox import outbox
from tasks.outbox.events import Event, EventType, link
from tasks.webhooks import endpoints, predictions
from tasks.webhooks.deliveries import name_of

KEPT_DAYS = 30
MAX_LISTED = 50
SETTLE_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Filter:
    """Which deliveries are listed. owner: whose; None for everyone's. The others: None for any. before: older ones."""

    owner: UUID | None = None
    endpoint: UUID | None = None
    state: str | None = None
    type: str | None = None
    before: UUID | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A delivery with its tries, oldest first."""

    delivery: WebhookDelivery
    attempts: list[WebhookAttempt]


async def listed(which: Filter) -> list[Listed]:
    """Return the newest MAX_LISTED deliveries, newest first."""
    newest = WebhookDelivery.objects().where(_matching(which)).order_by(WebhookDelivery.id, ascending=False)
    found = await newest.limit(MAX_LISTED)
    tried = await _attempts([delivery.id for delivery in found])
    return [Listed(delivery, tried[delivery.id]) for delivery in found]


async def of_job(job_id: UUID) -> list[WebhookDelivery]:
    """Return the newest MAX_LISTED deliveries of a job's events, oldest first."""
    own = WebhookDelivery.objects().where(WebhookDelivery.job == job_id)
    return list(reversed(await own.order_by(WebhookDelivery.id, ascending=False).limit(MAX_LISTED)))


async def find(delivery_id: UUID) -> Listed | None:
    """Return a delivery with its tries, or None when there is none any more."""
    row = await WebhookDelivery.objects().get(WebhookDelivery.id == delivery_id)
    return None if row is None else Listed(row, (await _attempts([delivery_id]))[delivery_id])


async def send_test(endpoint: WebhookEndpoint) -> WebhookDelivery:
    """Send an event of its own to an endpoint, once, also when it is disabled. Says nothing of its health."""
    data = {"links": {"page": link("/webhooks")}}
    test = Event(EventType.TEST, now(), data, key=f"{EventType.TEST}:{ids.new()}")
    delivery = WebhookDelivery(
        id=ids.new(), endpoint=endpoint.id, target=str(endpoint.id), event=test.key, type=test.type,
        owner=endpoint.owner, body=test.body, created_at=from_now(), due_at=from_now(), replay=True,
    )  # fmt: skip
    await WebhookDelivery.insert(delivery)
    outbox.announce()
    return delivery


async def replay(delivery: WebhookDelivery, by: By) -> bool:
    """Send an event that was delivered, or failed, once more: the same id and body, signed as today.

    It is tried once, also when its endpoint is disabled, and says nothing of its health. Returns False when the event
    is still on its way, or its endpoint was removed.
    """
    its_endpoint = WebhookEndpoint.exists().where(WebhookEndpoint.id == delivery.endpoint)
    if delivery.endpoint is not None and not await its_endpoint:
        return False
    this = (WebhookDelivery.id == delivery.id) & (WebhookDelivery.state != DeliveryState.PENDING)
    if not await _once_more(this):
        return False
    await audit.note(by, "webhook replayed", name_of(delivery.id))
    return True


async def resend(endpoint: WebhookEndpoint, since: datetime, by: By) -> int:
    """Send everything once more that failed since a moment, the events of each job in order. Returns how many it is."""
    failed = (WebhookDelivery.endpoint == endpoint.id) & (WebhookDelivery.state == DeliveryState.FAILED)
    count = await _once_more(failed & (WebhookDelivery.id >= ids.first_at(since)) & _no_test())
    if count:
        await audit.note(by, "webhooks resent", endpoints.label(endpoint), after={"events": count})
    return count


async def settle(delivery: WebhookDelivery, within: float) -> None:
    """Wait until what is sent now was tried, at most `within` seconds: its sender wants to see what came of it."""
    waits = WebhookDelivery.exists().where((WebhookDelivery.id == delivery.id) & WebhookDelivery.due_at.is_not_null())
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while await waits:  # noqa: ASYNC110  # another process writes it
                await asyncio.sleep(SETTLE_LOOK_SECONDS)


async def sweep() -> None:
    """Remove what is older than KEPT_DAYS, what deleted jobs said, and secrets that sign no longer."""
    oldest = ids.first_at(now() - timedelta(days=KEPT_DAYS))
    await WebhookAttempt.delete().where(WebhookAttempt.delivery < oldest)
    await WebhookDelivery.delete().where(WebhookDelivery.id < oldest)
    await WebhookSecret.delete().where(WebhookSecret.ends_at < now())
    await predictions.erase_deleted()


async def _once_more(which: Condition) -> int:
    again: Values = {
        WebhookDelivery.state: DeliveryState.PENDING,
        WebhookDelivery.replay: True,
        WebhookDelivery.due_at: from_now(),
    }
    changed = await WebhookDelivery.update(again).where(which).returning(WebhookDelivery.id)
    if changed:
        outbox.announce()
    return len(changed)


def _matching(which: Filter) -> Condition:
    condition: Condition = WhereRaw("true")
    if which.owner is not None:
        condition = condition & (WebhookDelivery.owner == which.owner)
    if which.endpoint is not None:
        condition = condition & (WebhookDelivery.endpoint == which.endpoint)
    if which.state is not None:
        condition = condition & (WebhookDelivery.state == which.state)
    if which.type is not None:
        condition = condition & (WebhookDelivery.type == which.type)
    if which.before is not None:
        condition = condition & (WebhookDelivery.id < which.before)
    return condition


def _no_test() -> Condition:
    return WebhookDelivery.type != EventType.TEST


async def _attempts(deliveries: Sequence[UUID]) -> dict[UUID, list[WebhookAttempt]]:
    tried: dict[UUID, list[WebhookAttempt]] = defaultdict(list)
    if deliveries:
        of_these = WebhookAttempt.delivery.is_in(list(deliveries))
        for attempt in await WebhookAttempt.objects().where(of_these).order_by(WebhookAttempt.id):
            tried[attempt.delivery].append(attempt)
    return tried

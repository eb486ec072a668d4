"""Endpoints: added with a secret, paused and enabled, rotated and removed."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.accounts import audit
from tasks.accounts.audit import By
from tasks.db import ids
from tasks.db.database import DB, now
from tasks.db.dialect import LOCK_ROWS, from_now, one_transaction_at_a_time
from tasks.db.steps import step
from tasks.db.tables import Condition, Values
from tasks.db.webhook_tables import DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookSecret
from tasks.errors import Fault, Rejected
from tasks.outbox import outbox
from tasks.outbox.addresses import redacted
from tasks.outbox.events import SUBSCRIBABLE
from tasks.webhooks import receivers, signing

MAX_ENDPOINTS = 20  # of an owner
ENDPOINT_LOCK = 0x77686570  # for one new endpoint of an owner at a time
DISABLED = f"SELECT id FROM webhook_endpoint WHERE id = {{}} AND disabled_at IS NOT NULL{LOCK_ROWS}"
HOLD_BACK = "UPDATE webhook_delivery SET due_at = NULL WHERE endpoint = {} AND state = 'pending' AND NOT replay"


class Why(StrEnum):
    """Why an endpoint is told nothing."""

    PAUSED = "paused"
    """Somebody wants that."""
    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """Nothing got through for days."""


@dataclass(frozen=True, slots=True)
class Made:
    """An endpoint that was just made, with its secret, which is shown now and never again."""

    endpoint: WebhookEndpoint
    secret: str


async def add(owner: UUID | None, url: str, types: Collection[str], everyone: bool, by: By) -> Made:
    """Add an endpoint. Raises Rejected("invalid_webhook").

    It is told what happens from a second later on: see outbox.has_endpoints(). everyone: whether of the jobs of all,
    too, which is for admins.
    """
    url = url.strip()
    faults = [Fault("/url", fault)] if (fault := receivers.fault(url)) else []
    if not types or not set(types) <= set(SUBSCRIBABLE):
        faults.append(Fault("/types", f"An endpoint needs one or more of the events {', '.join(SUBSCRIBABLE)}."))
    if faults:
        raise Rejected("invalid_webhook", faults)
    wanted = " ".join(kind for kind in SUBSCRIBABLE if kind in types)
    endpoint = WebhookEndpoint(
        id=ids.new(), owner=owner, everyone=everyone, url=url, types=wanted, created_at=now()
    )  # fmt: skip
    async with DB.transaction():
        await one_transaction_at_a_time(ENDPOINT_LOCK, str(owner))
        if await WebhookEndpoint.count().where(_owned(owner)) >= MAX_ENDPOINTS:
            message = f"There can be {MAX_ENDPOINTS} endpoints. Remove one first."
            raise Rejected("invalid_webhook", [Fault("/url", message)])
        await WebhookEndpoint.insert(endpoint)
        secret = await signing.add_secret(endpoint.id)
    outbox.has_endpoints.cache_clear()
    await audit.note(by, "webhook added", label(endpoint), after={"types": wanted, "everyone": everyone})
    return Made(endpoint, secret)


async def listed(owner: UUID | None) -> list[WebhookEndpoint]:
    """Return the endpoints of a person, or everyone's for None, oldest first."""
    whose = WhereRaw("true") if owner is None else _owned(owner)
    return await WebhookEndpoint.objects().where(whose).order_by(WebhookEndpoint.id)


async def pause(endpoint: WebhookEndpoint, by: By) -> None:
    """Tell an endpoint nothing more. What is on its way waits until it is enabled again."""
    paused: Values = {WebhookEndpoint.disabled_at: now(), WebhookEndpoint.disabled_why: Why.PAUSED}
    enabled = (WebhookEndpoint.id == endpoint.id) & WebhookEndpoint.disabled_at.is_null()
    if await WebhookEndpoint.update(paused).where(enabled).returning(WebhookEndpoint.id):
        await hold_back(endpoint.id)
        await audit.note(by, "webhook paused", label(endpoint))


async def hold_back(endpoint_id: UUID) -> None:
    """Hold back what is on its way to an endpoint, as long as it is disabled, so that nobody looks at it again."""
    held = step(QueryString(HOLD_BACK, endpoint_id))
    await DB.run_steps([step(QueryString(DISABLED, endpoint_id), must=True), held])


async def enable(endpoint: WebhookEndpoint, by: By) -> None:
    """Enable an endpoint again. What was held back is sent now; what happened meanwhile is not."""
    enabled: Values = {
        WebhookEndpoint.disabled_at: None,
        WebhookEndpoint.disabled_why: "",
        WebhookEndpoint.failures: 0,
        WebhookEndpoint.failing_since: None,
    }
    disabled = (WebhookEndpoint.id == endpoint.id) & WebhookEndpoint.disabled_at.is_not_null()
    held = _pending(endpoint) & WebhookDelivery.due_at.is_null()
    steps = [
        step(WebhookEndpoint.update(enabled).where(disabled).returning(WebhookEndpoint.id), must=True),
        step(WebhookDelivery.update({WebhookDelivery.due_at: from_now()}).where(held)),
    ]
    if await DB.run_steps(steps) is not None:
        outbox.has_endpoints.cache_clear()
        outbox.announce()
        await audit.note(by, "webhook enabled", label(endpoint))


async def rotate(endpoint: WebhookEndpoint, by: By) -> str:
    """Return a new secret of an endpoint: see signing.rotate()."""
    secret = await signing.rotate(endpoint.id)
    await audit.note(by, "webhook secret rotated", label(endpoint))
    return secret


async def rotate_for_jobs(owner: UUID | None, by: By) -> str:
    """Return a new secret that signs what is told of a person's jobs at their own `webhook`."""
    secret = await signing.rotate(owner or signing.OPEN_HOUSE)
    await audit.note(by, "webhook secret rotated", "jobs")
    return secret


async def remove(endpoint: WebhookEndpoint, by: By) -> None:
    """Remove an endpoint. Nothing more is sent to it; what was sent stays listed."""
    ended: Values = {WebhookDelivery.state: DeliveryState.FAILED, WebhookDelivery.due_at: None}
    async with DB.transaction():
        await WebhookEndpoint.delete().where(WebhookEndpoint.id == endpoint.id)
        await WebhookSecret.delete().where(WebhookSecret.holder == endpoint.id)
        await WebhookDelivery.update(ended).where(_pending(endpoint))
    await audit.note(by, "webhook removed", label(endpoint))


def label(endpoint: WebhookEndpoint) -> str:
    """Return the address of an endpoint as pages and the audit show it."""
    return redacted(endpoint.url)


def _owned(owner: UUID | None) -> Condition:
    return WebhookEndpoint.owner.is_null() if owner is None else WebhookEndpoint.owner == owner


def _pending(endpoint: WebhookEndpoint) -> Condition:
    return (WebhookDelivery.endpoint == endpoint.id) & (WebhookDelivery.state == DeliveryState.PENDING)

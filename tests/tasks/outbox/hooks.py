"""Endpoints, what they are told, and a clock, for tests."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from piccolo.querystring import QueryString

from tasks.accounts.audit import By
from tasks.db import ids
from tasks.db.database import DB, now
from tasks.db.dialect import from_now
from tasks.db.webhook_tables import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from tasks.outbox import outbox
from tasks.outbox.events import SUBSCRIBABLE, Event, EventType
from tasks.webhooks import endpoints

NOWHERE = "https://receiver.example.org/hook"


async def endpoint(
    url: str = NOWHERE, types: Sequence[str] = SUBSCRIBABLE, owner: UUID | None = None, everyone: bool = False
) -> WebhookEndpoint:
    """Return a new endpoint."""
    return (await endpoints.add(owner, url, types, everyone, By())).endpoint


async def deliveries() -> list[WebhookDelivery]:
    """Return all deliveries, oldest first."""
    return await WebhookDelivery.objects().order_by(WebhookDelivery.created_at).order_by(WebhookDelivery.id)


async def said() -> list[tuple[str, dict[str, Any]]]:
    """Return the type and the data of each delivery, oldest first."""
    return [(delivery.type, json.loads(delivery.body)["data"]) for delivery in await deliveries()]


async def happened(
    job: UUID | None = None,
    owner: UUID | None = None,
    kind: EventType = EventType.JOB_FAILED,
    webhook: str | None = None,
) -> None:
    """Let something have happened: write an event into the outbox."""
    event = Event(kind, now(), {"job_id": job}, f"{kind}:{ids.new()}", owner, job=job, webhook=webhook)
    await DB.run_steps(outbox.steps([event], await outbox.has_endpoints()))


async def fresh(delivery: WebhookDelivery) -> WebhookDelivery:
    """Return a delivery as it is now."""
    found = await WebhookDelivery.objects().get(WebhookDelivery.id == delivery.id)
    assert found is not None
    return found


async def attempts(delivery: WebhookDelivery) -> list[str]:
    """Return how each try of a delivery ended, oldest first."""
    tried = WebhookAttempt.objects().where(WebhookAttempt.delivery == delivery.id).order_by(WebhookAttempt.id)
    return [attempt.outcome for attempt in await tried]


class Clock:
    """A clock that can be set forward: it counts from now on. ahead: by how many seconds it is."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self, seconds: float) -> datetime | QueryString:
        return from_now(self.ahead + seconds)

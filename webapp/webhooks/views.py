"""Endpoints and deliveries as /webhooks shows them."""

import json
from dataclasses import dataclass
from typing import Any

from tasks.db.webhook_tables import DeliveryState, WebhookAttempt, WebhookEndpoint
from tasks.outbox.addresses import redacted
from tasks.outbox.events import EventType
from tasks.webhooks import endpoints
from tasks.webhooks.deliveries import name_of
from tasks.webhooks.endpoints import Why
from tasks.webhooks.history import Listed
from tasks.webhooks.sending import Outcome

EVENTS = {
    EventType.JOB_COMPLETED: "a job is completed",
    EventType.JOB_FAILED: "a job has failed",
    EventType.JOB_CANCELED: "a job is canceled",
    EventType.BATCH_ENDED: "the last job of a batch has ended",
    EventType.BUDGET_WARNING: "most of a budget is used",
    EventType.QUEUE_HALTED: "the queue is halted",
    EventType.QUEUE_STALLED: "jobs wait although workers have room",
    EventType.STORAGE_LOW: "the disk is nearly full",
    EventType.WORKER_GONE: "a worker is gone",
}
"""The events that an endpoint can have, in words."""
WHY = {
    Why.PAUSED: "Paused: it is told nothing.",
    Why.GONE: "Disabled, because it answered 410: it is gone.",
    Why.FAILING: "Disabled, because nothing got through for five days.",
}
OUTCOMES = {
    Outcome.SUCCESS: "arrived",
    Outcome.CLIENT_ERROR: "the receiver refused it",
    Outcome.SERVER_ERROR: "the receiver had an error",
    Outcome.TIMEOUT: "the receiver did not answer in time",
    Outcome.REDIRECT_REFUSED: "the receiver sent a redirect, which is not followed",
    Outcome.SSRF_BLOCKED: "the address is not allowed",
    Outcome.CONNECTION_ERROR: "there was no connection",
    Outcome.UNREADABLE: "the result could not be read",
}


@dataclass(frozen=True, slots=True)
class EndpointView:
    """An endpoint. whose: the name of its person, where that is somebody else."""

    row: WebhookEndpoint
    whose: str = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)

    @property
    def label(self) -> str:
        """Its address, without what may be secret."""
        return endpoints.label(self.row)

    @property
    def types(self) -> list[str]:
        """The events that it has."""
        return self.row.types.split()

    @property
    def why(self) -> str:
        """Why it is told nothing, as a sentence, or ""."""
        return WHY[Why(self.row.disabled_why)] if self.row.disabled_at else ""


@dataclass(frozen=True, slots=True)
class AttemptView:
    """A try to deliver an event."""

    row: WebhookAttempt

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)

    @property
    def words(self) -> str:
        """How it ended."""
        return OUTCOMES[Outcome(self.row.outcome)]


class DeliveryView:
    """A delivery. to: the endpoint's label, or the `webhook` of the job."""

    def __init__(self, listed: Listed, labels: dict[Any, str]) -> None:
        self.row = listed.delivery
        self.attempts = [AttemptView(attempt) for attempt in listed.attempts]
        self.last = self.attempts[-1] if self.attempts else None
        self.name = name_of(self.row.id)
        own = redacted(self.row.url) if self.row.url else "an endpoint that was removed"
        self.to = labels.get(self.row.endpoint, own)
        self.ended = self.row.state != DeliveryState.PENDING
        self.can_be_replayed = self.ended and (self.row.url is not None or self.row.endpoint in labels)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)

    @property
    def body(self) -> str:
        """What is sent, laid out for people, or "" for a prediction that is made when it is sent first."""
        return json.dumps(json.loads(self.row.body), ensure_ascii=False, indent=2) if self.row.body else ""

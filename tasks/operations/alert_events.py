"""Alerts told to webhooks: a stalled queue, a full disk, a worker that is gone. Halts and budgets tell themselves."""

from tasks.db.database import DB, now
from tasks.jobs import workers
from tasks.operations import alerts, queue_state, storage_use
from tasks.operations.alerts import Alert, AlertKind
from tasks.outbox import outbox
from tasks.outbox.events import Event, EventType, link

EVENTS = {
    AlertKind.STALLED: EventType.QUEUE_STALLED,
    AlertKind.STORAGE_LOW: EventType.STORAGE_LOW,
    AlertKind.WORKER_GONE: EventType.WORKER_GONE,
}
ONCE_IN = {EventType.QUEUE_STALLED: "%Y-%m-%dT%H", EventType.STORAGE_LOW: "%Y-%m-%d"}
"""How the hour or the day is written, in which an event is told once. That of a worker is told once for good."""


async def tell() -> None:
    """Tell webhooks of the alerts of which they have not been told yet. Without an endpoint nothing is looked at."""
    if not await outbox.has_endpoints():
        return
    found = await alerts.without_checks(await queue_state.current(), await workers.everyone(), storage_use.space())
    told = outbox.steps([_event(alert) for alert in found if alert.kind in EVENTS], to_endpoints=True)
    if told:
        await DB.run_steps(told)
        outbox.announce()


def _event(alert: Alert) -> Event:
    kind, moment = EVENTS[alert.kind], now()
    once = alert.about or moment.strftime(ONCE_IN[kind])
    data = {"message": alert.words, "links": {"page": link("/operate")}}
    return Event(kind, moment, data, f"{kind}:{once}", of_all=True)

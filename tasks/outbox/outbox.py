"""The outbox: a row for each event and each address that is told of it, in the transaction in which it happens.

So no event is lost, and none is told that did not happen. tasks/webhooks sends the rows. Where there is no endpoint, no
transaction has a step more: see has_endpoints().
"""

from collections.abc import Iterable, Iterator
from uuid import UUID

from async_lru import alru_cache
from piccolo.querystring import QueryString

from tasks.db import ids
from tasks.db.dialect import from_now, new_id, typed
from tasks.db.steps import Step, step
from tasks.db.webhook_tables import WebhookEndpoint
from tasks.messaging import events as messages
from tasks.outbox.addresses import target_of
from tasks.outbox.events import Event

HINT_TTL_SECONDS = 1.0
COLUMNS = "id, endpoint, url, target, event, type, owner, job, body, created_at, due_at"
FOR_ENDPOINTS = (
    f"INSERT INTO webhook_delivery ({COLUMNS})"
    " SELECT {}, endpoint.id, NULL, CAST(endpoint.id AS TEXT), {}, {}, endpoint.owner, {}, {}, {}, {}"
    " FROM webhook_endpoint AS endpoint LEFT JOIN person ON person.id = endpoint.owner"
    " WHERE endpoint.disabled_at IS NULL AND person.disabled_at IS NULL AND ' ' || endpoint.types || ' ' LIKE {}"
    " AND (coalesce(CAST(endpoint.owner AS TEXT), '') = {} OR endpoint.everyone AND person.role = 'admin'"
    " OR endpoint.owner IS NULL AND NOT EXISTS (SELECT 1 FROM person))"
    " AND {} ON CONFLICT DO NOTHING"
)
"""In the open house, an endpoint is told everything. From the first person on, only what is nobody's."""
FOR_WEBHOOK = (
    f"INSERT INTO webhook_delivery ({COLUMNS})"
    " SELECT {}, NULL, {}, {}, {}, {}, {}, {}, {}, {}, {} WHERE {} ON CONFLICT DO NOTHING"
)
OF_ALL = "all"
"""In place of an event's owner, so that it is no one's own."""


@alru_cache(ttl=HINT_TTL_SECONDS)
async def has_endpoints() -> bool:
    """Return whether there is an endpoint, as it was a moment ago: a hint, so that most jobs end without asking.

    Do not call this inside a transaction.
    """
    return await WebhookEndpoint.exists().where(WebhookEndpoint.disabled_at.is_null())


def steps(events: Iterable[Event], to_endpoints: bool) -> list[Step]:
    """Return the steps that write events into the outbox. to_endpoints: what has_endpoints() returned."""
    return [step(statement) for event in events for statement in _statements(event, to_endpoints)]


def _statements(event: Event, to_endpoints: bool) -> Iterator[QueryString]:
    key = QueryString(typed("{}", "text"), event.key) if isinstance(event.key, str) else event.key
    said = (key, str(event.type))
    moment = from_now()
    only_if = event.only_if or QueryString("true")
    if to_endpoints:
        whose = OF_ALL if event.of_all else str(event.owner or "")
        told = (event.job, event.body, moment, moment)
        yield QueryString(FOR_ENDPOINTS, new_id(), *said, *told, f"% {event.type} %", whose, only_if)
    if event.webhook is not None:
        target = target_of(event.webhook)
        told = (event.job, "" if event.as_prediction else event.body, moment, moment)
        yield QueryString(FOR_WEBHOOK, new_id(), event.webhook, target, *said, event.owner, *told, only_if)


def announce(about: UUID | None = None) -> None:
    """Hint that there are events to send. Call this after the commit. about: a job, if it is about one."""
    messages.publish(messages.OUTBOX, about or ids.new())

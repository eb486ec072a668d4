"""/webhooks: the endpoints that a person has, or all for admins, and what was sent to them."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, route

from tasks.accounts import people
from tasks.accounts.actors import Actor, Permission
from tasks.db.webhook_tables import DeliveryState, WebhookEndpoint
from tasks.outbox.events import EventType
from tasks.webhooks import endpoints, history
from tasks.webhooks.history import KEPT_DAYS, MAX_LISTED, Filter
from webapp.http.authentication import actor_of
from webapp.http.errors import AnyRequest, Problem
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ
from webapp.render import templates
from webapp.schemas.codes import Code
from webapp.webhooks.views import EVENTS, DeliveryView, EndpointView

USUAL = (EventType.JOB_COMPLETED, EventType.JOB_FAILED, EventType.JOB_CANCELED, EventType.BATCH_ENDED)
"""The events that the form for an endpoint offers first."""
SINCE = {"1": "the last hour", "24": "the last day", "168": "the last week", "720": "the last 30 days"}
"""The hours within which something failed that is sent again."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the page says of the form that was sent.

    fault: why there is no endpoint, and field: which one is wrong. done: what was done. secret: of an endpoint, and of:
    its address. url, types, everyone: as they were sent.
    """

    fault: str = ""
    field: str = ""
    done: str = ""
    secret: str = ""
    of: str = ""
    url: str = ""
    types: tuple[str, ...] = USUAL
    everyone: bool = False


@route("/webhooks", http_method=READ)
async def webhooks(request: AnyRequest) -> Response[str]:
    """Return the page."""
    return await page(request)


async def page(request: AnyRequest, said: Said = Said()) -> Response[str]:
    """Return the page. said: what it says of the form that was sent."""
    actor = actor_of(request)
    rows = await endpoints.listed(sees(actor))
    which = _filter(request, actor)
    found = await history.listed(which)
    names = {person.id: person.name for person in await people.everyone()} if actor.may(Permission.MANAGE) else {}
    labels = {row.id: endpoints.label(row) for row in rows}
    return templates.page(
        "pages/webhooks.html",
        422 if said.fault else 200,
        NO_STORE,
        endpoints=[EndpointView(row, names.get(row.owner, "") if row.owner != actor.person else "") for row in rows],
        deliveries=[DeliveryView(each, labels) for each in found],
        which=which,
        older=_older(request, found[-1].delivery.id) if len(found) == MAX_LISTED else "",
        events=EVENTS,
        kinds=list(EventType),
        states=list(DeliveryState),
        since=SINCE,
        said=said,
        kept_days=KEPT_DAYS,
    )


def sees(actor: Actor) -> UUID | None:
    """Return the person whose webhooks are all that an actor sees, or None when it sees everyone's."""
    return None if actor.may(Permission.MANAGE) else actor.person


async def existing(request: AnyRequest, endpoint_id: UUID) -> WebhookEndpoint:
    """Return an endpoint. Raises Problem when there is none, or none for who asks."""
    endpoint = await WebhookEndpoint.objects().get(WebhookEndpoint.id == endpoint_id)
    if endpoint is None or sees(actor_of(request)) not in (None, endpoint.owner):
        raise Problem(Code.NOT_FOUND, "There is no such webhook.")
    return endpoint


def _filter(request: AnyRequest, actor: Actor) -> Filter:
    """Return which deliveries are asked for. What cannot be is not asked for."""
    given = request.query_params
    state, kind = given.get("state"), given.get("type")
    return Filter(
        owner=sees(actor),
        endpoint=_id(given.get("endpoint", "")),
        state=state if state in list(DeliveryState) else None,
        type=kind if kind in list(EventType) else None,
        before=_id(given.get("before", "")),
    )


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _older(request: AnyRequest, last: UUID) -> str:
    """Return the address of the next page."""
    kept: dict[str, Any] = {name: request.query_params.get(name) for name in ("endpoint", "state", "type")}
    return f"?{urlencode({name: value for name, value in kept.items() if value} | {'before': str(last)})}#deliveries"


ROUTES = [webhooks]

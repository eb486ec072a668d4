"""GET /webhooks/deliveries: what was sent, for programs. POST .../{delivery_id}/replay: for forms, too."""

from typing import Any
from uuid import UUID

from litestar import Response, post, route
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.db.webhook_tables import DeliveryState
from tasks.errors import Fault, Rejected
from tasks.webhooks import endpoints, history
from tasks.webhooks.history import MAX_LISTED, Filter, Listed
from webapp.http.authentication import actor_of, requester
from webapp.http.clients import came_from
from webapp.http.errors import AnyRequest, Problem, wants_html
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ
from webapp.schemas import describe, examples
from webapp.schemas.codes import Code
from webapp.schemas.webhooks import Delivery, DeliveryPage
from webapp.webhooks.views import DeliveryView
from webapp.webhooks.webhooks import sees

PATH = "/webhooks/deliveries"
SETTLE_SECONDS = 3.0  # in which most receivers have answered
STATES = ", ".join(DeliveryState)
PARAMETERS = [
    describe.parameter("state", "query", f"Only those in this state: {STATES}.", describe.STRING),
    describe.parameter("before", "query", "Only those before this one.", describe.UUID),
]
DELIVERY_ID = describe.parameter(
    "delivery_id", "path", "The id of a delivery: that in `webhook-id` after `msg_`.", describe.UUID, required=True
)


@route(
    PATH,
    http_method=READ,
    name="deliveries",
    tags=["Webhooks"],
    summary="List what was sent",
    response_headers=[describe.LINK],
    responses=describe.problems(Code.INVALID_QUERY)
    | {200: describe.answer(DeliveryPage, "The newest first.", examples.DELIVERY_PAGE)},
    opt=describe.takes(parameters=PARAMETERS),
)
async def deliveries(request: AnyRequest) -> Response[DeliveryPage]:
    """Return the webhooks that were sent, or are on their way, in the last 30 days, to endpoints and for single jobs.

    The address of the next page is in the body, and in the header Link (RFC 8288); the last page has neither.
    """
    state, before = request.query_params.get("state"), request.query_params.get("before")
    found = await history.listed(Filter(sees(actor_of(request)), state=_state(state), before=_before(before)))
    page, headers = DeliveryPage(await _shapes(request, found)), dict(NO_STORE)
    if len(found) == MAX_LISTED:
        page.next = f"{PATH}?before={found[-1].delivery.id}{f'&state={state}' if state else ''}"
        headers["Link"] = f'<{page.next}>; rel="next"'
    return Response(page, headers=headers)


@post(
    f"{PATH}/{{delivery_id:uuid}}/replay",
    status_code=200,
    tags=["Webhooks"],
    summary="Send a webhook once more",
    responses=describe.problems(Code.CROSS_SITE)
    | {200: describe.answer(Delivery, "What came of it so far.", examples.DELIVERY)},
    opt=describe.takes(parameters=[DELIVERY_ID]),
)
async def replay(request: AnyRequest, delivery_id: FromPath[UUID]) -> Response[Any]:
    """Send an event once more that was delivered, or failed: with the same id and body. One on its way is left alone.

    Waits up to three seconds for the receiver. Browsers get HTML.
    """
    delivery = (await _existing(request, delivery_id)).delivery
    if await history.replay(delivery, requester(request)):
        await history.settle(delivery, SETTLE_SECONDS)
    if wants_html(request):
        page = origin if (origin := came_from(request)).startswith("/webhooks") else "/webhooks"
        return Redirect(f"{page}#delivery-{delivery.id}", status_code=303)
    [shape] = await _shapes(request, [await _existing(request, delivery_id)])
    return Response(shape, headers=NO_STORE)


async def _existing(request: AnyRequest, delivery_id: UUID) -> Listed:
    found = await history.find(delivery_id)
    if found is None or sees(actor_of(request)) not in (None, found.delivery.owner):
        raise Problem(Code.NOT_FOUND, "There is no such event.")
    return found


async def _shapes(request: AnyRequest, found: list[Listed]) -> list[Delivery]:
    labels = {row.id: endpoints.label(row) for row in await endpoints.listed(sees(actor_of(request)))}
    return [Delivery.of(each, DeliveryView(each, labels).to) for each in found]


def _state(text: str | None) -> str | None:
    if text not in (None, *DeliveryState):
        raise Rejected("invalid_query", [Fault("/state", f"The state must be one of {STATES}.")])
    return text


def _before(text: str | None) -> UUID | None:
    try:
        return None if text is None else UUID(text)
    except ValueError:
        raise Rejected("invalid_query", [Fault("/before", "There is no such delivery.")]) from None


ROUTES = [deliveries, replay]

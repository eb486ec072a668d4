"""The forms of /webhooks: endpoints are added and changed, and events are sent once more."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Response, post
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.accounts.actors import Permission
from tasks.db.database import now
from tasks.db.webhook_tables import WebhookEndpoint
from tasks.errors import Rejected
from tasks.webhooks import endpoints, history
from webapp.http.authentication import actor_of, requester
from webapp.http.errors import AnyRequest, Problem
from webapp.schemas.codes import Code
from webapp.webhooks import webhooks
from webapp.webhooks.deliveries import SETTLE_SECONDS
from webapp.webhooks.webhooks import SINCE, Said, existing


@post("/webhooks", status_code=200)
async def add(request: AnyRequest) -> Response[str]:
    """Add an endpoint. Its secret is on the page that this returns, and never again."""
    form, actor = await request.form(), actor_of(request)
    url, types = str(form.get("url", "")), tuple(str(kind) for kind in form.getall("types", []))
    everyone = bool(form.get("everyone")) and actor.may(Permission.MANAGE)
    try:
        made = await endpoints.add(actor.person, url, types, everyone, requester(request))
    except Rejected as rejected:
        fault = rejected.faults[0]
        said = Said(fault.message, fault.pointer.removeprefix("/"), url=url, types=types, everyone=everyone)
        return await webhooks.page(request, said)
    return await webhooks.page(request, Said(secret=made.secret, of=endpoints.label(made.endpoint)))


@post("/webhooks/{endpoint_id:uuid}", status_code=200)
async def change(request: AnyRequest, endpoint_id: FromPath[UUID]) -> Response[Any]:
    """Change an endpoint, or send something to it, as the button says that was pressed."""
    form, endpoint, by = await request.form(), await existing(request, endpoint_id), requester(request)
    match str(form.get("action", "")):
        case "pause":
            await endpoints.pause(endpoint, by)
        case "enable":
            await endpoints.enable(endpoint, by)
        case "remove":
            await endpoints.remove(endpoint, by)
        case "rotate":
            said = Said(secret=await endpoints.rotate(endpoint, by), of=endpoints.label(endpoint))
            return await webhooks.page(request, said)
        case "test":
            delivery = await history.send_test(endpoint)
            await history.settle(delivery, SETTLE_SECONDS)
            return Redirect(f"/webhooks#delivery-{delivery.id}", status_code=303)
        case "resend":
            return await _resent(request, endpoint, str(form.get("since", "")))
        case _:
            raise Problem(Code.BAD_REQUEST, "There is no such action.")
    return Redirect("/webhooks", status_code=303)


@post("/webhooks/secret", status_code=200)
async def rotate_for_jobs(request: AnyRequest) -> Response[str]:
    """Make another secret for the jobs that have a `webhook`."""
    secret = await endpoints.rotate_for_jobs(actor_of(request).person, requester(request))
    return await webhooks.page(request, Said(secret=secret, of="your jobs"))


async def _resent(request: AnyRequest, endpoint: WebhookEndpoint, hours: str) -> Response[str]:
    if hours not in SINCE:
        raise Problem(Code.BAD_REQUEST, "There is no such time.")
    count = await history.resend(endpoint, now() - timedelta(hours=int(hours)), requester(request))
    events = "1 event is" if count == 1 else f"{count:,} events are"
    said = Said(done=f"{events} sent once more." if count else f"Nothing has failed in {SINCE[hours]}.")
    return await webhooks.page(request, said)


ROUTES = [add, change, rotate_for_jobs]

"""GET /events: the live stream of a page, by server-sent events.

A page that reconnects sends the id of the last event that it received as Last-Event-ID, and gets every card that
changed since. This is plain ASGI: a parsed request would stay in memory for each of thousands of pages, as long as they
are open.
"""

from collections.abc import AsyncGenerator, Mapping
from datetime import datetime
from urllib.parse import parse_qsl
from uuid import UUID

from litestar import asgi
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from tasks.db.database import now
from tasks.errors import Fault, Rejected
from tasks.library import moments
from webapp.http.errors import Problem
from webapp.http.event_stream import streamed
from webapp.http.zones import zone_in
from webapp.listing.query import read_page
from webapp.live.hub import Hub
from webapp.schemas.codes import Code


@asgi("/events", copy_scope=False)
async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Stream the live events of a page: of a sheet of the gallery, or of one job."""
    if scope["type"] != ScopeType.HTTP or scope["method"] != "GET":
        raise Problem(Code.METHOD_NOT_ALLOWED, "This address does not support this method.", headers={"Allow": "GET"})
    response = await streamed(_source(scope["litestar_app"].state.hub, scope))
    await response(scope, receive, send)


def _source(hub: Hub, scope: Scope) -> AsyncGenerator[bytes, None]:
    query, actor = dict(parse_qsl(scope["query_string"].decode("latin-1"))), scope["state"]["actor"]
    if job := query.get("job"):
        return hub.job_page(_id(job), actor)
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    heard = headers.get(b"last-event-id", "")
    sheet = read_page(query, actor, zone_in(headers.get(b"cookie", "")))
    return hub.gallery(sheet, _moment(heard) if heard else _since(query), actor)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Problem(Code.JOB_NOT_FOUND, "There is no such job.") from None


def _moment(text: str) -> datetime:
    try:
        return moments.read(text)
    except ValueError:
        return now()


def _since(query: Mapping[str, str]) -> datetime:
    try:
        return moments.read(query["since"]) if query.get("since") else now()
    except ValueError:
        fault = Fault("/since", "This must be a date and time in ISO 8601, from 1970 on.")
        raise Rejected("invalid_query", [fault]) from None

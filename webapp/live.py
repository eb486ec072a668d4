"""GET /events: the live stream of a page, by server-sent events.

A page that comes back sends the id of the last event that it heard as Last-Event-ID, and gets every card changed since.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.types import ASGIApp
from sse_starlette import EventSourceResponse

from tasks.database import now
from webapp.hub import Hub
from webapp.sheet import read

PING = 15  # seconds


@get("/events")
async def stream(
    request: Request[Any, Any, Any],
    hub: NamedDependency[Hub],
    since: FromQuery[str] = "",
    job: FromQuery[UUID | None] = None,
) -> ASGIApp:
    """The live stream of a page: of a sheet of the gallery, or of one job."""
    if job is not None:
        source = hub.job_page(job)
    else:
        source = hub.gallery(read(request.query_params), _moment(request.headers.get("Last-Event-ID") or since))
    stream = _begun(source, await anext(source))  # begun here: where the database is away, that is the answer
    return EventSourceResponse(stream, ping=PING, send_timeout=10, headers={"Cache-Control": "no-store"})  # type: ignore[return-value]


async def _begun(source: AsyncGenerator[bytes, None], first: bytes) -> AsyncIterator[bytes]:
    async with aclosing(source):
        yield first
        async for message in source:
            yield message


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return now()
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

"""The response that streams server-sent events, with a comment now and then that keeps the connection alive."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import cast

from litestar.types import ASGIApp
from sse_starlette import EventSourceResponse

PING_SECONDS = 15  # seconds
STREAMS = r"/(?:operate/)?events$|/events\.json$|/jobs/[^/]+/events$"
"""The paths that stay open, as a regular expression from their beginning on: also those of routes."""


async def streamed(events: AsyncGenerator[bytes, None], headers: Mapping[str, str] | None = None) -> ASGIApp:
    """Return the response that streams events. The first one is awaited, so that its DatabaseAway is the response."""
    stream = _begun(events, await anext(events))
    every = {"Cache-Control": "no-store", **(headers or {})}
    return cast("ASGIApp", EventSourceResponse(stream, ping=PING_SECONDS, send_timeout=10, headers=every))


async def _begun(source: AsyncGenerator[bytes, None], first: bytes) -> AsyncIterator[bytes]:
    async with aclosing(source):
        yield first
        async for event in source:
            yield event

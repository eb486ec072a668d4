"""POST /mcp: the Model Context Protocol, by which agents use Darkroom. Stateless: each request stands for itself.

The protocol is the business of its SDK. That takes 24 MiB and up to a second to import, so it waits for the first
request, in a thread: neither the start nor any page is delayed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from litestar import Request, post
from litestar.types import ASGIApp, HTTPReceiveMessage, Receive, Scope, Send

from tasks.models import strict_json
from tasks.models.strict_json import Malformed
from webapp.http.errors import Problem
from webapp.schemas.codes import Code

Answer = Callable[[Scope, Receive, Send], Awaitable[None]]


@post("/mcp", status_code=200)
async def mcp(request: Request[Any, Any, Any]) -> ASGIApp:
    """Answer a message. It is read here, so that its body is bounded like all others."""
    body = await request.body()
    try:
        strict_json.decode(body)
    except Malformed as malformed:
        raise Problem(Code.MALFORMED_JSON, f"The body is not valid JSON: {malformed}.") from malformed
    answer, receive = await asyncio.to_thread(_load), _receiver(body)

    async def respond(scope: Scope, _: Receive, send: Send) -> None:
        await answer(scope, receive, send)

    return respond


def _receiver(body: bytes) -> Receive:
    """Return what hands over a body, and never tells of a disconnect.

    The SDK would cancel what is under way then, wherever it is, and that may cost money.
    """
    messages: list[HTTPReceiveMessage] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> HTTPReceiveMessage:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    return receive


def _load() -> Answer:
    from webapp.doors.mcp_server import answer

    return answer

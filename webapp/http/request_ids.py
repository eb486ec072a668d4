"""The id of each request: in the log, in the header X-Request-ID of its response, and in what tells of a problem."""

import re

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars, get_contextvars

from tasks.db import ids

HEADER = b"x-request-id"
NAME = "request_id"
"""What the log and problems call it."""
GIVEN = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


class RequestIds:
    """An application whose requests have ids: the ones that clients and proxies give them, or new ones."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request.

        Its id stays bound, so that what uvicorn logs of it afterwards has it, too: a request is a task of its own.
        """
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == HEADER]
        own = given[0] if len(given) == 1 and GIVEN.fullmatch(given[0]) else ids.new().hex.encode()
        bind_contextvars(**{NAME: own.decode()})

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (HEADER, own)]
            await send(message)

        await self._app(scope, receive, send_with_id)


def current() -> str | None:
    """Return the id of the request that is answered here, or None when there is none."""
    return get_contextvars().get(NAME)

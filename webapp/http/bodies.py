"""Request bodies: the limits on their size, and a file that receives large ones as they arrive."""

from typing import Any, cast

from litestar import HttpMethod, Request
from litestar.datastructures import Headers, UploadFile
from litestar.enums import RequestEncodingType, ScopeType
from litestar.handlers.http_handlers import HTTPRouteHandler
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPScope, Message, Receive, RouteHandlerType, Scope, Send

from webapp.http.errors import Problem
from webapp.schemas.codes import Code

MAX_BODY_BYTES = 2**20  # bytes, unless a route overrides it with request_max_body_size, and too_large in its opt
MAX_QUERY_FIELDS = 1000


class BoundedBodies:
    """Middleware that refuses a body larger than its route accepts.

    A body whose Content-Length is too large is refused before anything else happens, any other as soon as too much of
    it has arrived. The fields of a query string are counted before they are parsed, because Litestar caches those of a
    thousand URLs.
    """

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """Return the application behind this middleware."""

        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            if scope["query_string"].count(b"&") >= MAX_QUERY_FIELDS:
                detail = f"A URL can have up to {MAX_QUERY_FIELDS:,} fields."
                raise Problem(Code.TOO_MANY_FIELDS, detail, other_status=400)
            body = _Body(scope, receive, send)
            await app(scope, body.receive, body.send)

        return middleware


class _Body:
    """A body that is counted while it arrives. Raises Problem when its Content-Length is too large or not a number."""

    def __init__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        headers = Headers.from_scope(scope)
        self._left, self._code, self._sentence = _limit(scope["route_handler"], headers)
        declared = _declared(headers)
        if declared > self._left:
            raise self._too_large()
        self._complete = declared == 0 and "Transfer-Encoding" not in headers
        # A GET or HEAD body is never read, but a streaming response waits here for the client to disconnect.
        self._answered = scope["method"] in (HttpMethod.GET, HttpMethod.HEAD)

    async def receive(self) -> HTTPReceiveMessage:
        """Return the next piece.

        Raises Problem when the body becomes too large or ends too soon. Once the response has begun, a client that
        sends too much counts as disconnected.
        """
        message = cast("HTTPReceiveMessage", await self._receive())
        if message["type"] == "http.request":
            self._left -= len(message["body"])
            self._complete = not message.get("more_body", False)
        if self._left < 0 and not self._answered:
            raise self._too_large()
        if message["type"] == "http.disconnect" and not self._complete and not self._answered:
            raise Problem(Code.INCOMPLETE_BODY, "The request body ended too soon.")
        return message if self._left >= 0 else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Pass on a message of the response."""
        self._answered = True
        await self._send(message)

    def _too_large(self) -> Problem:
        return Problem(self._code, self._sentence)


async def in_file(request: Request[Any, Any, Any]) -> UploadFile:
    """Return the body in a file, which is on disk when it is large. The caller must close it."""
    file = UploadFile("application/octet-stream", "body")
    try:
        async for piece in request.stream():
            await file.write(piece)
        await file.seek(0)
    except BaseException:
        await file.close()
        raise
    return file


def _limit(handler: RouteHandlerType, headers: Headers) -> tuple[int, Code, str]:
    """Return how many bytes a body may have, and the code and the sentence that refuse a larger one.

    The limit of routes that accept files does not apply to forms without files.
    """
    limit = handler.resolve_request_max_body_size() if isinstance(handler, HTTPRouteHandler) else None
    content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if limit is None or (limit > MAX_BODY_BYTES and content_type == RequestEncodingType.URL_ENCODED):
        return MAX_BODY_BYTES, *_refusal(MAX_BODY_BYTES)
    return limit, *handler.opt.get("too_large", _refusal(limit))


def _declared(headers: Headers) -> int:
    """Return the Content-Length. Raises Problem when it is not a number."""
    value = headers.get("Content-Length", "0")
    if not (value.isascii() and value.isdecimal() and len(value) < 20):
        raise Problem(Code.BAD_REQUEST, "The Content-Length header must be a whole number.")
    return int(value)


def _refusal(limit: int) -> tuple[Code, str]:
    return Code.BODY_TOO_LARGE, f"The request body is larger than {limit // 2**20} MiB."

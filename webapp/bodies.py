"""Bodies of requests: how large each may be, and those that may be large put into a file as they come."""

from typing import Any, cast

from litestar import HttpMethod, Request
from litestar.datastructures import Headers, UploadFile
from litestar.enums import RequestEncodingType, ScopeType
from litestar.handlers.http_handlers import HTTPRouteHandler
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPScope, Message, Receive, RouteHandlerType, Scope, Send

from webapp.errors import Problem

MAX_BODY = 2**20  # bytes, where a route does not say otherwise: by request_max_body_size, and too_large in its opt
MAX_QUERY_FIELDS = 1000


class BoundedBodies:
    """Middleware that refuses a body which is larger than its route takes.

    One that says so in Content-Length is refused before anything is done, another as soon as too much of it has come.
    The fields of an address are counted, too, before they are read: Litestar remembers those of a thousand addresses.
    """

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            if scope["query_string"].count(b"&") >= MAX_QUERY_FIELDS:
                raise Problem(400, "too_many_fields", f"An address may have up to {MAX_QUERY_FIELDS:,} fields.")
            body = _Body(scope, receive, send)
            await app(scope, body.receive, body.send)

        return middleware


class _Body:
    """A body that is counted while it comes. Raises Problem where its Content-Length is too large, or none."""

    def __init__(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        headers = Headers.from_scope(scope)
        self._left, self._code, self._sentence = _limit(scope["route_handler"], headers)
        declared = _declared(headers)
        if declared > self._left:
            raise self._too_large()
        self._complete = declared == 0 and "Transfer-Encoding" not in headers
        # Where nothing is changed nobody reads a body, but an answer that flows listens for the end of the connection.
        self._answered = scope["method"] in (HttpMethod.GET, HttpMethod.HEAD)

    async def receive(self) -> HTTPReceiveMessage:
        """Return the next piece.

        Raises Problem where it is one too many, or none comes any more; once the answer has begun, whoever sends too
        much counts as gone.
        """
        message = cast("HTTPReceiveMessage", await self._receive())
        if message["type"] == "http.request":
            self._left -= len(message["body"])
            self._complete = not message.get("more_body", False)
        if self._left < 0 and not self._answered:
            raise self._too_large()
        if message["type"] == "http.disconnect" and not self._complete and not self._answered:
            raise Problem(400, "incomplete_body", "The request's body ended too soon.")
        return message if self._left >= 0 else {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Pass on the answer."""
        self._answered = True
        await self._send(message)

    def _too_large(self) -> Problem:
        return Problem(413, self._code, self._sentence)


async def in_file(request: Request[Any, Any, Any]) -> UploadFile:
    """The body in a file, which is on the disk where it is large. It is the caller's to close."""
    file = UploadFile("application/octet-stream", "body")
    try:
        async for piece in request.stream():
            await file.write(piece)
        await file.seek(0)
    except BaseException:
        await file.close()
        raise
    return file


def _limit(handler: RouteHandlerType, headers: Headers) -> tuple[int, str, str]:
    """How many bytes a body may have, and how it is refused where they are more: code and sentence.

    What routes allow that take files is not for forms without any.
    """
    limit = handler.resolve_request_max_body_size() if isinstance(handler, HTTPRouteHandler) else None
    content_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if limit is None or (limit > MAX_BODY and content_type == RequestEncodingType.URL_ENCODED):
        return MAX_BODY, *_refusal(MAX_BODY)
    return limit, *handler.opt.get("too_large", _refusal(limit))


def _declared(headers: Headers) -> int:
    """The Content-Length. Raises Problem where it is no number."""
    value = headers.get("Content-Length", "0")
    if not (value.isascii() and value.isdecimal() and len(value) < 20):
        raise Problem(400, "bad_request", "The header Content-Length must be a whole number.")
    return int(value)


def _refusal(limit: int) -> tuple[str, str]:
    return "body_too_large", f"The request's body is larger than {limit // 2**20} MiB."

"""The spans of requests, named by their routes. Only what is the same for all requests of a route is in them."""

import re

from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from tasks.tracing import spans
from tasks.tracing.spans import Span
from webapp.http.event_stream import STREAMS
from webapp.http.methods import KNOWN

UNTRACED = re.compile(rf"{STREAMS}|/metrics$|/static/|/healthz$|/readyz$")
"""The paths of streams that stay open, and of what is asked for all the time."""


class RequestSpans:
    """An application whose requests have spans: those of clients that send one `traceparent` continue its trace.

    OpenTelemetry's own middleware answers a header or a query that is not UTF-8 with 500, records whole addresses, and,
    as Litestar's plugin, does not know the route.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request within its span."""
        if scope["type"] != ScopeType.HTTP or UNTRACED.match(scope["path"]):
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in KNOWN else "HTTP"
        given = Headers.from_scope(scope).getall("traceparent", [])
        with spans.request(method, given[0] if len(given) == 1 else None) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    _note(span, method, scope.get("path_template"), message["status"])
                await send(message)

            await self._app(scope, receive, noted)


def _note(span: Span, method: str, route: str | None, status: int) -> None:
    if route is not None:
        span.rename(f"{method} {route}")
    span.note({"http.request.method": method, "http.route": route, "http.response.status_code": status})
    if status >= 500:
        span.fail(str(status))

"""Which methods an address takes, and what OPTIONS says of that."""

from typing import Any

from litestar import HttpMethod, Request, Response
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

READ = [HttpMethod.GET, HttpMethod.HEAD]
"""What is read can be read by both (RFC 9110, section 9.1): Litestar's `get` takes GET alone."""

PLAIN = ("GET", "OPTIONS")
"""What a route of plain ASGI takes here, of which Litestar knows no methods."""


class AllowedMethods:
    """Middleware that answers OPTIONS with all methods of a route.

    Litestar's own answer leaves out those of handlers that came after the first one of their route.
    """

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP or scope["method"] != HttpMethod.OPTIONS:
                await app(scope, receive, send)
                return
            routes = scope["litestar_app"].routes
            methods = next((route.methods for route in routes if route.path_format == scope["path_template"]), ())
            response = Response(None, status_code=204, headers={"Allow": ", ".join(sorted(methods or PLAIN))})
            request: Request[Any, Any, Any] = Request(scope, receive, send)
            await response.to_asgi_response(app=None, request=request)(scope, receive, send)

        return middleware

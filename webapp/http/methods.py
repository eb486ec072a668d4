"""The methods that routes accept, and the response to OPTIONS."""

from typing import Any

from litestar import HttpMethod, Request, Response
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

READ = [HttpMethod.GET, HttpMethod.HEAD]
"""The methods of every route that only reads (RFC 9110, section 9.1). Litestar's `get` accepts GET alone."""

KNOWN = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""The methods that are told apart in metrics and traces: a client may send any word."""
PLAIN = ("GET", "OPTIONS")
"""The methods of a plain ASGI route here. Litestar knows no methods for such a route."""


class AllowedMethods:
    """Middleware that answers OPTIONS with all methods of a route.

    Litestar's own response leaves out the methods of every handler after the first one of its route.
    """

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """Return the application behind this middleware."""

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

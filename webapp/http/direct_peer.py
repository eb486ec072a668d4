"""The address that a connection comes from, noted before it is replaced with the one that a trusted proxy names."""

from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

KEY = "peer"
"""Where the address is in scope["state"]."""


class NotedPeer:
    """An application behind uvicorn's reading of X-Forwarded-For, which sees who really connected, too."""

    def __init__(self, app: Any, trusted_proxies: str) -> None:
        self._app = ProxyHeadersMiddleware(app, trusted_hosts=trusted_proxies)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Note the peer of a request, and pass it on."""
        if scope["type"] == "http":
            scope.setdefault("state", {})[KEY] = scope["client"][0] if scope["client"] else ""
        await self._app(scope, receive, send)

"""Forms are taken from our own pages only: the defence against cross-site request forgery.

Browsers say where a request comes from (Sec-Fetch-Site, and before that Origin), and pages cannot change it. So no
token is needed in the forms, and one rendered card can be sent to every page. Programs send neither header, and are let
through.
"""

from urllib.parse import urlsplit

from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from tasks.settings import settings
from webapp.errors import Problem

SAFE = ("GET", "HEAD", "OPTIONS")


def same_origin_only(app: ASGIApp) -> ASGIApp:
    """Middleware that refuses what changes something and comes from a page of another site."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == ScopeType.HTTP and scope["method"] not in SAFE and not _ours(Headers.from_scope(scope)):
            raise Problem(403, "cross_site", "This request came from a page of another site.")
        await app(scope, receive, send)

    return middleware


def _ours(headers: Headers) -> bool:
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None:
        return site in ("same-origin", "none")
    if origin is None:
        return True
    ours = {headers.get("Host", ""), urlsplit(settings.public_url).netloc} - {""}
    return urlsplit(origin).netloc in ours

"""Forms are taken from our own pages only: the defence against cross-site request forgery.

Browsers say where a request comes from (Sec-Fetch-Site, and before that Origin), and pages cannot change it. So no
token is needed in the forms, and one rendered card can be sent to every page. Programs send neither header, and are let
through.
"""

import logging
import re
from urllib.parse import urlsplit

from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from tasks.settings import settings
from webapp.errors import Problem

log = logging.getLogger(__name__)

SAFE = ("GET", "HEAD", "OPTIONS")
CROSS_SITE = "This request came from a page of another site."
PROXY = (
    "If this is your Darkroom behind a proxy, its operator has to set PUBLIC_URL to the address that you see in the"
    " browser."
)
LONGEST = 200  # characters of a stranger's header in our log


class SameOriginOnly:
    """Middleware that refuses what changes something and comes from a page of another site.

    Where Sec-Fetch-Site is missing, as it is over plain HTTP, a proxy that asks for another Host looks like that: the
    log says so once.
    """

    def __init__(self) -> None:
        self._warned = False

    def __call__(self, app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == ScopeType.HTTP and scope["method"] not in SAFE:
                self._check(Headers.from_scope(scope))
            await app(scope, receive, send)

        return middleware

    def _check(self, headers: Headers) -> None:
        site, origin, host = headers.get("Sec-Fetch-Site"), headers.get("Origin"), headers.get("Host", "")
        if site is not None:
            if site not in ("same-origin", "none"):
                raise Problem(403, "cross_site", CROSS_SITE)
        elif origin is not None and not is_ours(origin, host):
            self._warn(origin, host)
            raise Problem(403, "cross_site", f"{CROSS_SITE} {PROXY}")

    def _warn(self, origin: str, host: str) -> None:
        if self._warned or not _server(origin):
            return
        self._warned = True
        log.warning(
            "Refused a form of a page at %a, because the request was for the host %a. If that page is this Darkroom,"
            " behind a proxy, set PUBLIC_URL to its address. Further ones are refused without a word.",
            origin[:LONGEST],
            host[:LONGEST],
        )


def is_ours(address: str, host: str) -> bool:
    """Whether a page's address, or its origin, is this Darkroom's: the host that was asked, or PUBLIC_URL's."""
    server = _server(address)
    return server != "" and server in (_server(f"//{host}"), _server(settings.public_url))


def _server(address: str) -> str:
    """The host and port that an address names, or "" where it is nonsense. The usual ports go without saying."""
    try:
        return re.sub(r":(80|443)$", "", urlsplit(address).netloc.lower())
    except ValueError:
        return ""

"""The defense against forged requests and side channels: pages of other sites may link to ours, and nothing else.

Browsers report where a request comes from (Sec-Fetch-Site, in older browsers Origin), and pages cannot change it. So
the forms need no CSRF token, and one rendered card can be sent to every page. Programs send neither header, and are let
through. A request must also name this server by a name of ours: see hosts.py.
"""

import logging
import re
from urllib.parse import urlsplit

from litestar import Request
from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from tasks.settings import settings
from webapp.http import hosts
from webapp.http.errors import AnyRequest, Problem, answer
from webapp.schemas.codes import Code

log = logging.getLogger(__name__)

SAFE = ("GET", "HEAD", "OPTIONS")
CROSS_SITE = "This request came from another site."
PROXY = "If this Darkroom is behind a proxy, the operator must set PUBLIC_URL to the address in the browser."
MAX_LOGGED_LENGTH = 200  # characters of an untrusted header in the log


class OurOwnOnly:
    """The application, for requests that are meant for it and that no page of another site made.

    Where Sec-Fetch-Site is missing, as over plain HTTP, our own form behind a proxy that changes Host looks like
    another site's form. The log warns about this once.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._names = app, settings.host_names
        self._warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with 400, 403 or 421."""
        if scope["type"] == ScopeType.HTTP:
            try:
                hosts.check(scope, self._names)
                self._check(scope["method"], Headers.from_scope(scope))
            except (hosts.Misdirected, Problem) as error:
                request: AnyRequest = Request(scope, receive, send)
                problem = error if isinstance(error, Problem) else _misdirected(error)
                response = answer(request, problem).to_asgi_response(app=None, request=request)
                await response(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, method: str, headers: Headers) -> None:
        site, origin, host = headers.get("Sec-Fetch-Site"), headers.get("Origin"), headers.get("Host", "")
        if site is not None:
            if site not in ("same-origin", "none") and not _follows_a_link(method, headers):
                raise Problem(Code.CROSS_SITE, CROSS_SITE)
        elif method in SAFE:
            return
        elif origin is not None and not is_ours(origin, host):
            self._warn(origin, host)
            raise Problem(Code.CROSS_SITE, f"{CROSS_SITE} {PROXY}")

    def _warn(self, origin: str, host: str) -> None:
        if self._warned or not _server(origin):
            return
        self._warned = True
        log.warning(
            "Refused a form from a page at %a, because the request was for the host %a. If that page is this Darkroom"
            " behind a proxy, set PUBLIC_URL to its address. Further refusals are not logged.",
            origin[:MAX_LOGGED_LENGTH],
            host[:MAX_LOGGED_LENGTH],
        )


def _follows_a_link(method: str, headers: Headers) -> bool:
    """Return whether a page is to be shown in its own tab, not as a picture, script or frame in another site's page."""
    navigates = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
    return navigates and method in ("GET", "HEAD")


def is_ours(address: str, host: str) -> bool:
    """Return whether a page's address or origin is this Darkroom's: the requested host, or that of PUBLIC_URL."""
    server = _server(address)
    return server != "" and server in (_server(f"//{host}"), _server(settings.public_url))


def _server(address: str) -> str:
    """Return the host and port of an address, or "" when it is invalid. The ports 80 and 443 are left out."""
    try:
        return re.sub(r":(80|443)$", "", urlsplit(address).netloc.lower())
    except ValueError:
        return ""


def _misdirected(error: hosts.Misdirected) -> Problem:
    return Problem(Code.WRONG_HOST, error.detail, other_status=error.status)

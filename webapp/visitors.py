"""Who asks: a page of ours by htmx, a browser, or a program; and whose turn in the queue it is."""

import re
from ipaddress import IPv6Address, IPv6Network, ip_address
from secrets import token_urlsafe
from typing import Any
from urllib.parse import SplitResult, urlsplit

from litestar import Request, Response

from tasks.settings import settings
from webapp.errors import Problem
from webapp.origin import is_ours

AnyRequest = Request[Any, Any, Any]

COOKIE = "darkroom-session"
YEAR = 365 * 86400  # seconds
CLIENT = re.compile(r"[\x21-\x7e]{1,100}")
OWN_PAGE = re.compile(r"/(?![/\\])[^\x00-\x20\x7f]*")
LONGEST_CLIENT = 100  # characters that a job's row has for peer and name
OWN = (ip_address("127.0.0.1"), ip_address("::1"))
SESSION = re.compile(rf"(?:^|; ?){COOKIE}=([A-Za-z0-9_-]{{22}})(?:;|$)")


def by_htmx(request: AnyRequest) -> bool:
    """Whether htmx asks, for a piece of a page."""
    return request.headers.get("HX-Request") == "true"


def came_from(request: AnyRequest) -> str:
    """The page of ours that a form was sent from."""
    address = request.headers.get("Referer", "")
    if not is_ours(address, request.headers.get("Host", "")):
        return "/"
    referer = urlsplit(address)
    return own_page(referer.path + (f"?{referer.query}" if referer.query else ""))


def own_page(address: str) -> str:
    """An address on this site, else the gallery's. What browsers leave out of addresses is in none of ours."""
    return address if OWN_PAGE.fullmatch(address) else "/"


def page_of(request: AnyRequest) -> SplitResult:
    """The address of the page that htmx asks from; an empty one where it is nonsense."""
    try:
        return urlsplit(request.headers.get("HX-Current-URL", ""))
    except ValueError:
        return urlsplit("")


def client_of(request: AnyRequest) -> str:
    """Whose turn it is among those that wait: the peer's address, and behind a space the name in the header X-Client.

    Without that header, the browser's session is the name, if any. Where no address is told, it is this machine. Raises
    Problem where the header is nonsense.
    """
    named = request.headers.get("X-Client", _session(request) or None)
    if named is not None and not CLIENT.fullmatch(named):
        raise Problem(400, "invalid_client", "The header X-Client must have 1 to 100 visible ASCII characters.")
    peer = _peer(request)
    return f"{peer} {named or ''}"[:LONGEST_CLIENT] if peer else named or ""


def keep_session(request: AnyRequest, response: Response[Any]) -> None:
    """Have a browser that is new here remember an id, so that the queue can be fair to it. It says nothing else."""
    if _session(request):
        return
    secure = request.url.scheme == "https" or settings.public_url.startswith("https://")
    response.set_cookie(COOKIE, token_urlsafe(16), max_age=YEAR, httponly=True, samesite="lax", secure=secure)


def _peer(request: AnyRequest) -> str:
    """The address that a request comes from, "" for this machine. Of IPv6 the network: who has one has 2**64 addresses.

    Behind a proxy in TRUSTED_PROXIES, the server has read it from X-Forwarded-For.
    """
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address in OWN:
        return ""
    return str(IPv6Network((address, 64), strict=False) if isinstance(address, IPv6Address) else address)


def _session(request: AnyRequest) -> str:
    """The session in the cookies, which are not taken apart: Litestar would remember those of a thousand requests."""
    found = SESSION.search(request.headers.get("Cookie", ""))
    return found[1] if found else ""

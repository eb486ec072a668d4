"""Who sends a request: a page of ours by htmx, a browser, or a program; and which client has its turn in the queue."""

import re
from ipaddress import IPv6Address, IPv6Network, ip_address
from secrets import token_urlsafe
from typing import Any
from urllib.parse import SplitResult, urlsplit

from litestar import Request, Response

from tasks.accounts.actors import Actor
from tasks.settings import settings
from webapp.http.csrf import is_ours
from webapp.http.errors import Problem, with_key
from webapp.schemas.codes import Code

AnyRequest = Request[Any, Any, Any]

COOKIE = "darkroom-session"
COOKIE_SECONDS = 365 * 86400  # seconds
CLIENT = re.compile(r"[\x21-\x7e]{1,100}")
OWN_PAGE = re.compile(r"/(?![/\\])[^\x00-\x20\x7f]*")
MAX_CLIENT_LENGTH = 100  # characters in a job's row for peer and name
LOOPBACK = (ip_address("127.0.0.1"), ip_address("::1"))
SESSION = re.compile(rf"(?:^|; ?){COOKIE}=([A-Za-z0-9_-]{{22}})(?:;|$)")


def by_htmx(request: AnyRequest) -> bool:
    """Return whether htmx requests a fragment of a page."""
    return request.headers.get("HX-Request") == "true" and not with_key(request)


def came_from(request: AnyRequest) -> str:
    """Return the page of ours that a form was sent from, or "/"."""
    address = request.headers.get("Referer", "")
    if not is_ours(address, request.headers.get("Host", "")):
        return "/"
    referer = urlsplit(address)
    return own_page(referer.path + (f"?{referer.query}" if referer.query else ""))


def own_page(address: str) -> str:
    """Return an address on this site unchanged, and the gallery's for any other.

    Characters that browsers strip from addresses are in none of ours.
    """
    return address if OWN_PAGE.fullmatch(address) else "/"


def site_of(request: AnyRequest) -> str:
    """Return the address of this Darkroom as a client sees it, without a slash at its end."""
    return settings.public_url or str(request.base_url).rstrip("/")


def page_of(request: AnyRequest) -> SplitResult:
    """Return the address of the page that an htmx request comes from, or an empty one when it is invalid."""
    try:
        return urlsplit(request.headers.get("HX-Current-URL", ""))
    except ValueError:
        return urlsplit("")


def client_of(request: AnyRequest) -> str:
    """Return the client that takes its turn in the queue: a key, a person or a peer, a space, and a name.

    The name is the X-Client header or, where nobody is signed in, the browser's session, if any. A peer without an
    address is this machine. Raises Problem when the header is invalid.
    """
    actor: Actor = request.scope["state"]["actor"]
    named = request.headers.get("X-Client")
    if named is None:
        named = _session(request) if actor.person is None else ""
    elif not CLIENT.fullmatch(named):
        raise Problem(Code.INVALID_CLIENT, "The X-Client header must have 1 to 100 visible ASCII characters.")
    peer = f"key:{actor.key}" if actor.key else f"person:{actor.person}" if actor.person else network_of(request)
    return f"{peer} {named}"[:MAX_CLIENT_LENGTH] if peer else named


def keep_session(request: AnyRequest, response: Response[Any]) -> None:
    """Give a new browser a session cookie, so that the queue can be fair to it. The cookie holds nothing but an id."""
    if _session(request):
        return
    secure = request.url.scheme == "https" or settings.public_url.startswith("https://")
    response.set_cookie(COOKIE, token_urlsafe(16), max_age=COOKIE_SECONDS, httponly=True, samesite="lax", secure=secure)


def network_of(request: AnyRequest) -> str:
    """Return the address that a request comes from, or "" for this machine.

    For IPv6 it is the network, because the owner of one has 2**64 addresses. Behind a proxy in TRUSTED_PROXIES, the
    server has read the address from X-Forwarded-For.
    """
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if address in LOOPBACK:
        return ""
    return str(IPv6Network((address, 64), strict=False) if isinstance(address, IPv6Address) else address)


def _session(request: AnyRequest) -> str:
    """Return the session from the raw Cookie header: Litestar's parser would cache a thousand requests' cookies."""
    found = SESSION.search(request.headers.get("Cookie", ""))
    return found[1] if found else ""

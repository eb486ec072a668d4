"""Who asks: a page of ours by htmx, a browser, or a program; and whose turn in the queue it is."""

import re
from secrets import token_urlsafe
from typing import Any
from urllib.parse import SplitResult, urlsplit

from litestar import Request, Response

from webapp.errors import Problem
from webapp.origin import is_ours

AnyRequest = Request[Any, Any, Any]

COOKIE = "darkroom-session"
YEAR = 365 * 86400  # seconds
CLIENT = re.compile(r"[\x21-\x7e]{1,100}")
SESSION = re.compile(r"[A-Za-z0-9_-]{22}")


def by_htmx(request: AnyRequest) -> bool:
    """Whether htmx asks, for a piece of a page."""
    return request.headers.get("HX-Request") == "true"


def came_from(request: AnyRequest) -> str:
    """The page of ours that a form was sent from."""
    address = request.headers.get("Referer", "")
    if not is_ours(address, request.headers.get("Host", "")) or (referer := urlsplit(address)).path.startswith("//"):
        return "/"
    return referer.path + (f"?{referer.query}" if referer.query else "")


def page_of(request: AnyRequest) -> SplitResult:
    """The address of the page that htmx asks from; an empty one where it is nonsense."""
    try:
        return urlsplit(request.headers.get("HX-Current-URL", ""))
    except ValueError:
        return urlsplit("")


def client_of(request: AnyRequest) -> str:
    """Whose turn it is among those that wait: what the header X-Client says, else the browser's session, else "".

    Raises Problem where the header is nonsense.
    """
    named = request.headers.get("X-Client")
    if named is None:
        return _session(request)
    if not CLIENT.fullmatch(named):
        raise Problem(400, "invalid_client", "The header X-Client must have 1 to 100 visible ASCII characters.")
    return named


def keep_session(request: AnyRequest, response: Response[Any]) -> None:
    """Have a browser that is new here remember an id, so that the queue can be fair to it. It says nothing else."""
    if _session(request):
        return
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token_urlsafe(16), max_age=YEAR, httponly=True, samesite="lax", secure=secure)


def _session(request: AnyRequest) -> str:
    session = request.cookies.get(COOKIE, "")
    return session if SESSION.fullmatch(session) else ""

"""Who asks: the actor of each request, by its key, a trusted proxy, or its session. No other module reads these.

As long as there is no person, everyone is the open house. From the first person on, who shows neither is a stranger.
"""

import logging
import re
from contextlib import suppress
from hmac import compare_digest
from urllib.parse import quote

from litestar import Request, Response
from litestar.datastructures import Headers
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.response import Redirect
from litestar.types import ASGIApp, Receive, Scope, Send

from tasks.accounts import audit, keys, people, sessions
from tasks.accounts.actors import OPEN_HOUSE, PERMISSIONS, SCOPES, SCRAPER, STRANGER, Actor, Permission, Role
from tasks.accounts.audit import By
from tasks.accounts.keys import KeyRefused
from tasks.db.account_tables import Person
from tasks.errors import DatabaseAway, Rejected
from tasks.settings import settings
from webapp.http import access, direct_peer, signed_media
from webapp.http.clients import by_htmx, came_from, own_page, page_of
from webapp.http.credentials import key_in
from webapp.http.errors import AnyRequest, Problem, wants_html
from webapp.http.etag import NO_STORE
from webapp.render.viewer import viewer
from webapp.schemas.codes import Code

log = logging.getLogger(__name__)

CHALLENGE = 'Bearer realm="Darkroom"'  # Basic is accepted, but not named: browsers would show a dialog of their own
INVALID = 'Bearer realm="Darkroom", error="invalid_token"'
DETAILS = {
    "key_mistyped": "The key is mistyped or incomplete.",
    "key_unknown": "There is no such key.",
    "key_revoked": "The key was revoked.",
    "key_expired": "The key has expired.",
}
"""What programs are told of a key that does not work (RFC 6750, section 3.1)."""
COOKIE, SECURE_COOKIE = "darkroom-signed-in", "__Host-darkroom-signed-in"
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
MAX_LOGGED_LENGTH = 200  # characters of a name
MAX_ADDRESS_LENGTH = 64  # characters


class Authentication:
    """Middleware that finds out who asks, as scope["state"]["actor"], and refuses what they may not do."""

    def __call__(self, app: ASGIApp) -> ASGIApp:
        """Return the application behind this middleware."""

        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                return await app(scope, receive, send)
            path = scope["path_template"]
            actor = STRANGER if path in access.WITHOUT_ACTOR else await _identified(scope)
            scope["state"]["actor"] = actor
            viewer.set(actor)
            lacking = next((each for each in access.needed(path, scope["method"]) if not actor.may(each)), None)
            if lacking is None or scope["method"] == "OPTIONS" or await signed_media.admits(scope):
                return await app(scope, receive, send)
            request: AnyRequest = Request(scope, receive, send)
            if actor is not STRANGER:
                raise await refused(request, lacking)
            response = _sign_in(request).to_asgi_response(app=None, request=request)
            return await response(scope, receive, send)

        return middleware


async def recognize(error: Exception, scope: Scope) -> None:
    """Find out for whom the page is that tells of an error outside of all routes, as that there is none."""
    if isinstance(error, HTTPException) and "actor" not in scope["state"] and wants_html(Request(scope)):
        with suppress(DatabaseAway):
            viewer.set(await _identified(scope))


def actor_of(request: AnyRequest) -> Actor:
    """Return who sends a request."""
    return request.scope["state"]["actor"]  # type: ignore[no-any-return]


def requester(request: AnyRequest) -> By:
    """Return who sends a request, and from where, as the audit notes it."""
    return By(actor_of(request).name, peer(request.scope))


async def refused(request: AnyRequest, permission: Permission) -> Problem:
    """Return the problem for what an actor may not do, and note it. A key is told which scope it lacks."""
    actor = actor_of(request)
    await audit.note_refusal(requester(request), permission, request.scope["path_template"])
    if actor is OPEN_HOUSE:
        return Problem(Code.NOT_ALLOWED, "There are no people yet. Add the first: darkroom people add NAME --admin")
    if actor.key is None or permission not in SCOPES:
        return Problem(Code.NOT_ALLOWED, f"{actor.name} may not do this.")
    challenge = f'{CHALLENGE}, error="insufficient_scope", scope="{permission}"'
    return Problem(
        Code.MISSING_SCOPE, f"The key lacks the scope {permission}.", headers={"WWW-Authenticate": challenge}
    )


def is_secure(scope: Scope) -> bool:
    """Return whether browsers see this Darkroom over https."""
    return scope["scheme"] == "https" or settings.public_url.startswith("https://")


def cookie_name(scope: Scope) -> str:
    """Return the name of the session's cookie. Over https, browsers accept it from this host over https only."""
    return SECURE_COOKIE if is_secure(scope) else COOKIE


def _sign_in(request: AnyRequest) -> Response[bytes]:
    """Return what a stranger gets: pages lead to the one where they sign in. Raises Problem for programs."""
    leads = f"/sign-in?next={quote(_page_before(request), safe='/')}"
    if by_htmx(request):
        return Response(b"", status_code=401, headers={"HX-Redirect": leads, "WWW-Authenticate": CHALLENGE})
    # A link that downloads would save the page under the name of the file.
    if wants_html(request) and "download" not in request.query_params:
        return Redirect(leads, status_code=303, headers=NO_STORE)
    detail = "This needs a key, in the header Authorization: Bearer dk_..."
    raise Problem(Code.SIGN_IN_REQUIRED, detail, headers={"WWW-Authenticate": CHALLENGE})


def _page_before(request: AnyRequest) -> str:
    """Return the page to come back to: the one that is requested, or on which a form or a script is."""
    if by_htmx(request):
        page = page_of(request)
        return own_page(page.path + (f"?{page.query}" if page.query else ""))
    if request.method not in ("GET", "HEAD"):
        return came_from(request)
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


async def _identified(scope: Scope) -> Actor:
    """Return who sends a request. Raises Problem when it shows a key that does not work."""
    headers = Headers.from_scope(scope)
    if scope.get("path_template") == "/metrics" and _has_metrics_token(headers):
        return SCRAPER
    named = await _of_proxy(scope, headers)
    if named is None and not await people.exist():
        return OPEN_HOUSE
    if secret := key_in(headers.get("Authorization", "")):
        return await _of_key(secret, peer(scope))
    return named or await _of_session(scope, headers) or STRANGER


def _has_metrics_token(headers: Headers) -> bool:
    given, token = headers.get("Authorization", ""), settings.metrics_token.get_secret_value()
    return bool(token) and compare_digest(given.encode(), f"Bearer {token}".encode())


async def _of_key(secret: str, address: str) -> Actor:
    try:
        return await keys.find(secret)
    except KeyRefused as refusal:
        if refusal.news:
            await audit.note(By(refusal.news, address), "key refused", refusal.news, after={"code": refusal.code})
        code = Code.of(refusal.code)
        raise Problem(code, DETAILS[refusal.code], headers={"WWW-Authenticate": INVALID}) from refusal


async def _of_session(scope: Scope, headers: Headers) -> Actor | None:
    """Return who is signed in, by the raw Cookie header: Litestar's parser would cache a thousand requests' cookies."""
    for pair in headers.get("Cookie", "").split(";"):
        name, _, token = pair.strip().partition("=")
        if name == cookie_name(scope) and TOKEN.fullmatch(token):
            return await sessions.find(token, peer(scope))
    return None


async def _of_proxy(scope: Scope, headers: Headers) -> Actor | None:
    """Return the person that a trusted proxy names, or None. Anyone can send the header: the connection counts."""
    given = headers.getall(settings.trusted_user_header, []) if settings.trusted_user_header else []
    name = given[0].strip().lower() if len(given) == 1 else ""
    if not name or not settings.is_proxy(scope["state"].get(direct_peer.KEY, "")):
        return None
    person = await people.named(name)
    if person is None and settings.trusted_signup:
        person = await _signed_up(name, By(name, peer(scope)))
    if person is None or person.disabled_at is not None or person.role == Role.SERVICE:
        return None
    return Actor(person.name, PERMISSIONS[Role(person.role)], person.id)


async def _signed_up(name: str, by: By) -> Person | None:
    """Add a person whom a trusted proxy names. Returns None when the name is not valid."""
    try:
        return await people.add(name, Role.MEMBER, by)
    except Rejected as rejected:
        log.warning("a proxy named %a, who cannot be added: %s", name[:MAX_LOGGED_LENGTH], rejected.faults[0].message)
        return await people.named(name)  # when another request has just added them


def peer(scope: Scope) -> str:
    """Return the address that a request comes from; behind a trusted proxy, the one that it names, which may be any."""
    client = scope["client"]
    return client[0][:MAX_ADDRESS_LENGTH] if client else ""

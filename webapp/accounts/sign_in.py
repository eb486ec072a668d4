"""Sign in and out, and the link with which a person sets a password."""

import math
from collections.abc import Mapping
from typing import Any

from litestar import Response, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.accounts import audit, passwords, people, sessions, throttle
from tasks.accounts.actors import Permission
from tasks.accounts.audit import By
from tasks.accounts.passwords import Passwords
from tasks.db.account_tables import Person
from webapp.http.authentication import actor_of, cookie_name, is_secure, peer, requester
from webapp.http.clients import network_of, own_page
from webapp.http.errors import AnyRequest, Problem
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ
from webapp.render import templates
from webapp.schemas.codes import Code

WRONG = "This name and password do not fit together."
TOO_MANY = "Too many attempts. Try again in {} s."
GONE = "This link was used, replaced by a newer one, or is over a day old. Ask an admin for another."
MAX_NAME_LENGTH = 64  # characters
COOKIE_SECONDS = 400 * 86400  # seconds; as long as browsers allow: the session is prolonged, and ends sooner


@route("/sign-in", http_method=READ)
async def ask(request: AnyRequest) -> Response[Any]:
    """Return the page on which a person signs in. Who has done so meanwhile, in another tab, goes on."""
    following = own_page(request.query_params.get("next", "/"))
    if actor_of(request).may(Permission.SIGNED_IN):
        return Redirect("/" if following.startswith("/sign-in") else following, status_code=303, headers=NO_STORE)
    return _page(following)


@post("/sign-in", status_code=200)
async def sign_in(request: AnyRequest, hasher: NamedDependency[Passwords]) -> Response[Any]:
    """Sign in. Takes as long, and says the same, whether the name or the password is wrong."""
    form = await request.form()
    name = str(form.get("name", "")).replace("\0", "")[:MAX_NAME_LENGTH].strip().lower()  # PostgreSQL stores no NUL
    password = str(form.get("password", ""))
    following, by = own_page(str(form.get("next", "/"))), By(name, peer(request.scope))
    if wait := await seconds_to_wait(request, name):
        return _page(following, name, TOO_MANY.format(wait), 429, {"Retry-After": str(wait)})
    person = await people.named(name)
    if not await hasher.fits(password, person.password if person and not person.disabled_at else None):
        await audit.note(by, "sign-in refused", name)
        return _page(following, name, WRONG, 422)
    assert person is not None
    await throttle.succeeded(throttle.person(name), throttle.address(network_of(request)))
    return await signed_in(request, person, following)


@post("/sign-out", status_code=303)
async def sign_out(request: AnyRequest) -> Redirect:
    """End the session of this browser."""
    actor = actor_of(request)
    response = Redirect("/sign-in", status_code=303, headers=NO_STORE)
    if actor.session is not None and actor.person is not None:
        await sessions.end(actor.session, actor.person)
        await audit.note(requester(request), "signed out", actor.name)
    _keep(response, request, "", 0)
    return response


@route("/welcome/{token:str}", http_method=READ)
async def welcome(token: FromPath[str]) -> Response[str]:
    """Return the page on which an invited person sets a password."""
    return _welcome(await _invited(token), token)


@post("/welcome/{token:str}", status_code=200)
async def accept(request: AnyRequest, token: FromPath[str], hasher: NamedDependency[Passwords]) -> Response[Any]:
    """Set the password of an invited person, who is then signed in. The link works once."""
    person, password = await _invited(token), str((await request.form()).get("password", ""))
    if fault := passwords.fault(password):
        return _welcome(person, token, fault)
    by = By(person.name, peer(request.scope))
    if not await people.set_password(person, await hasher.hashed(password), by, token):
        raise Problem(Code.LINK_GONE, GONE)
    return await signed_in(request, person, "/")


async def _invited(token: str) -> Person:
    person = await people.invited(token)
    if person is None:
        raise Problem(Code.LINK_GONE, GONE)
    return person


async def seconds_to_wait(request: AnyRequest, name: str) -> int:
    """Count an attempt to guess a person's password. Returns the seconds until one is allowed: 0 if this one is."""
    of_address, of_person = throttle.address(network_of(request)), throttle.person(name)
    for counted, free in ((of_address, throttle.FREE_OF_ADDRESS), (of_person, throttle.FREE_OF_PERSON)):
        if wait := math.ceil(await throttle.begin(counted, free)):
            return wait
    return 0


async def signed_in(request: AnyRequest, person: Person, following: str) -> Redirect:
    """Begin a new session, whatever session the browser had, and go on to a page."""
    by, before = By(person.name, peer(request.scope)), actor_of(request)
    if before.session is not None and before.person is not None:
        await sessions.end(before.session, before.person)
    token = await sessions.begin(person.id, request.headers.get("User-Agent", ""), by.address)
    await audit.note(by, "signed in", person.name)
    response = Redirect(following, status_code=303, headers=NO_STORE)
    _keep(response, request, token, COOKIE_SECONDS)
    return response


def _keep(response: Response[Any], request: AnyRequest, token: str, seconds: int) -> None:
    """Set the session's cookie for this many seconds; 0 deletes it."""
    response.set_cookie(
        cookie_name(request.scope), token, max_age=seconds, path="/", httponly=True, samesite="lax",
        secure=is_secure(request.scope),
    )  # fmt: skip


def _page(
    following: str, name: str = "", fault: str = "", status: int = 200, headers: Mapping[str, str] = NO_STORE
) -> Response[str]:
    context = {"following": following, "name": name, "fault": fault}
    return templates.page("pages/sign_in.html", status, {**NO_STORE, **headers}, **context)


def _welcome(person: Person, token: str, fault: str = "") -> Response[str]:
    context = {"person": person, "token": token, "fault": fault, "least": passwords.MIN_LENGTH}
    return templates.page("pages/welcome.html", 422 if fault else 200, NO_STORE, **context)


ROUTES = [ask, sign_in, sign_out, welcome, accept]

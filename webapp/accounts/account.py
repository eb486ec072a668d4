"""/account: a person's own password, the browsers in which it is signed in, and its keys for programs."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Response, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.accounts import audit, keys, passwords, people, sessions, throttle
from tasks.accounts.passwords import Passwords
from tasks.db.account_tables import ApiKey, Person
from tasks.db.database import now
from tasks.errors import Rejected
from webapp.accounts import browsers, key_forms
from webapp.accounts.key_forms import KeyForm, key_from
from webapp.accounts.sign_in import TOO_MANY, seconds_to_wait, signed_in
from webapp.http.authentication import actor_of, requester
from webapp.http.clients import network_of
from webapp.http.errors import AnyRequest, Problem
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ
from webapp.render import templates
from webapp.schemas.codes import Code


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the page says of the form that was sent.

    fault: why the password is not changed. secret: of a new key, which is shown this once. of: the name of the key.
    """

    fault: str = ""
    secret: str = ""
    of: str = ""


@route("/account", http_method=READ)
async def account(request: AnyRequest) -> Response[str]:
    """Return the page of the person who is signed in."""
    return await _page(request)


@post("/account/password", status_code=200)
async def change_password(request: AnyRequest, hasher: NamedDependency[Passwords]) -> Response[Any]:
    """Change the password. All sessions end, and a new one begins in this browser."""
    form, person = await request.form(), await _person(request)
    if person.password is None:
        raise Problem(Code.NOT_ALLOWED, "You have no password here: a proxy says who you are.")
    if wait := await seconds_to_wait(request, person.name):
        return await _page(request, Outcome(TOO_MANY.format(wait)))
    if not await hasher.fits(str(form.get("old", "")), person.password):
        return await _page(request, Outcome("The current password is not right."))
    await throttle.succeeded(throttle.person(person.name), throttle.address(network_of(request)))
    new = str(form.get("password", ""))
    if fault := passwords.fault(new):
        return await _page(request, Outcome(fault))
    await people.set_password(person, await hasher.hashed(new), requester(request))
    return await signed_in(request, person, "/account")


@post("/account/sessions/{session_id:uuid}/end", status_code=303)
async def end_session(request: AnyRequest, session_id: FromPath[UUID]) -> Redirect:
    """End a session of the person, in this or another browser."""
    person = await _person(request)
    if await sessions.end(session_id, person.id):
        await audit.note(requester(request), "session ended", person.name)
    return Redirect("/account", status_code=303)


@post("/account/keys", status_code=200)
async def add_key(request: AnyRequest) -> Response[str]:
    """Make a key. Its secret is on the page that this returns, and never again."""
    form, person = await request.form(), await _person(request)
    try:
        made = await key_from(form, person, requester(request))
    except Rejected as rejected:
        return await _page(request, key_form=key_forms.filled_in(form, rejected.faults[0].message))
    return await _page(request, Outcome(secret=made.secret, of=made.key.name))


@post("/account/keys/{key_id:uuid}/rotate", status_code=200)
async def rotate_key(request: AnyRequest, key_id: FromPath[UUID]) -> Response[str]:
    """Make another secret for a key. The one before stays valid until the key is rotated again."""
    key = await _key(request, key_id)
    secret = await keys.rotate(key, actor_of(request).name, requester(request))
    if secret is None:
        raise Problem(Code.NOT_FOUND, "There is no such key.")
    return await _page(request, Outcome(secret=secret, of=key.name))


@post("/account/keys/{key_id:uuid}/revoke", status_code=303)
async def revoke_key(request: AnyRequest, key_id: FromPath[UUID]) -> Redirect:
    """Revoke a key of the person."""
    await keys.revoke(await _key(request, key_id), actor_of(request).name, requester(request))
    return Redirect("/account", status_code=303)


async def _person(request: AnyRequest) -> Person:
    person = await Person.objects().get(Person.id == actor_of(request).person)
    assert person is not None
    return person


async def _key(request: AnyRequest, key_id: UUID) -> ApiKey:
    key = await keys.of(key_id)
    if key is None or key.person != actor_of(request).person:
        raise Problem(Code.NOT_FOUND, "There is no such key.")
    return key


async def _page(request: AnyRequest, said: Outcome = Outcome(), key_form: KeyForm | None = None) -> Response[str]:
    person = await _person(request)
    return templates.page(
        "pages/account.html",
        422 if said.fault or key_form else 200,
        NO_STORE,
        person=person,
        sessions=[(row, browsers.named(row.agent)) for row in await sessions.of(person.id)],
        this=actor_of(request).session,
        keys=await keys.of_person(person),
        said=said,
        key_form=key_form or key_forms.empty(person.role),
        offered=key_forms.offered(person.role),
        lifetimes=key_forms.LIFETIMES,
        now=now(),
        least=passwords.MIN_LENGTH,
    )


ROUTES = [account, change_password, end_session, add_key, rotate_key, revoke_key]

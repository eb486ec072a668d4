"""/people: admins invite people, change what they may do, and disable them; services and their keys."""

from dataclasses import dataclass
from uuid import UUID

from litestar import Response, post, route
from litestar.datastructures import FormMultiDict
from litestar.params import FromPath

from tasks.accounts import keys, people
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db.account_tables import Person
from tasks.db.database import now
from tasks.errors import Rejected
from webapp.accounts import key_forms
from webapp.accounts.key_forms import KeyForm, key_from
from webapp.http.authentication import actor_of, requester
from webapp.http.clients import site_of
from webapp.http.errors import AnyRequest, Problem
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ
from webapp.render import templates
from webapp.schemas.codes import Code

ROLES = {Role.VIEWER: "a viewer", Role.MEMBER: "a member", Role.ADMIN: "an admin", Role.SERVICE: "a service"}
EMPTY_KEY_FORM = key_forms.empty(Role.SERVICE)
LAST_ADMIN = "This is the last admin. Make somebody else an admin first."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the page says of the form that was sent.

    fault: why nothing was changed. done: what was changed. link: the token of a new link. secret: of a new key. whose:
    the name of the person or the key that they are for. name, role: of a person who could not be added. key_form: for a
    key of `key_for`, a service.
    """

    fault: str = ""
    done: str = ""
    link: str | None = None
    secret: str = ""
    whose: str = ""
    name: str = ""
    role: str = Role.MEMBER
    key_form: KeyForm = EMPTY_KEY_FORM
    key_for: UUID | None = None


@route("/people", http_method=READ)
async def listed(request: AnyRequest) -> Response[str]:
    """Return the page with all people and services."""
    return await _page(request, Outcome())


@post("/people", status_code=200)
async def add(request: AnyRequest) -> Response[str]:
    """Add a person, whose link is on the page that this returns, or a service, whose form for a key is open on it."""
    form = await request.form()
    name, role = str(form.get("name", "")).strip().lower(), _role(str(form.get("role", "")))
    try:
        person = await people.add(name, role, requester(request))
    except Rejected as rejected:
        return await _page(request, Outcome(rejected.faults[0].message, name=name, role=role))
    if role == Role.SERVICE:
        return await _page(request, Outcome(done=f"Added {name}. It needs a key.", key_for=person.id))
    return await _page(request, Outcome(link=await people.new_link(person, requester(request)), whose=name))


@post("/people/{person_id:uuid}", status_code=200)
async def change(request: AnyRequest, person_id: FromPath[UUID]) -> Response[str]:
    """Change a person or a key, as the button says that was pressed."""
    form, person, by = await request.form(), await _existing(person_id), requester(request)
    match str(form.get("action", "")):
        case "link":
            link = await people.new_link(person, by)
            said = Outcome(link=link, whose=person.name) if link else Outcome(f"{person.name} cannot sign in.")
        case "disable":
            done = person.disabled_at is not None or await people.disable(person, by)
            words = f"{person.name} is disabled: signed out everywhere, and without keys that work."
            said = Outcome(done=words) if done else Outcome(LAST_ADMIN)
        case "enable":
            await people.enable(person, by)
            said = Outcome(done=f"{person.name} is enabled again.")
        case "role":
            said = await _role_changed(person, _role(str(form.get("role", ""))), by)
        case "key":
            said = await _key_made(form, person, by)
        case "rotate" | "revoke" as action:
            said = await _key_changed(str(form.get("key", "")), action, person, by)
        case _:
            raise Problem(Code.BAD_REQUEST, "There is no such action.")
    return await _page(request, said)


async def _role_changed(person: Person, role: Role, by: By) -> Outcome:
    if person.role == Role.SERVICE:
        return Outcome(f"{person.name} is a service, and has no role to change.")
    if role == Role.SERVICE:
        return Outcome(f"{person.name} is a person, and cannot become a service.")
    done = await people.change_role(person, role, by)
    return Outcome(done=f"{person.name} is now {ROLES[role]}.") if done else Outcome(LAST_ADMIN)


async def _key_made(form: FormMultiDict, person: Person, by: By) -> Outcome:
    try:
        made = await key_from(form, person, by)
    except Rejected as rejected:
        sent = key_forms.filled_in(form, rejected.faults[0].message)
        return Outcome(key_form=sent, key_for=person.id)
    return Outcome(secret=made.secret, whose=f"{person.name}/{made.key.name}")


async def _key_changed(key_id: str, action: str, person: Person, by: By) -> Outcome:
    try:
        key = await keys.of(UUID(key_id))
    except ValueError:
        key = None
    if key is None or key.person != person.id:
        raise Problem(Code.NOT_FOUND, "There is no such key.")
    name = f"{person.name}/{key.name}"
    if action == "revoke":
        await keys.revoke(key, person.name, by)
        return Outcome(done=f"The key {name} is revoked.")
    secret = await keys.rotate(key, person.name, by)
    return Outcome(secret=secret, whose=name) if secret else Outcome(f"The key {name} is revoked.")


async def _existing(person_id: UUID) -> Person:
    person = await Person.objects().get(Person.id == person_id)
    if person is None:
        raise Problem(Code.NOT_FOUND, "There is no such person.")
    return person


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError:
        raise Problem(Code.BAD_REQUEST, "There is no such role.") from None


async def _page(request: AnyRequest, said: Outcome) -> Response[str]:
    everyone = await people.everyone()
    return templates.page(
        "pages/people.html",
        422 if said.fault or said.key_form.fault else 200,
        NO_STORE,
        people=[person for person in everyone if person.role != Role.SERVICE],
        services=[person for person in everyone if person.role == Role.SERVICE],
        keys={person.id: await keys.of_person(person) for person in everyone},
        me=actor_of(request).person,
        said=said,
        address=f"{site_of(request)}/welcome/{said.link}" if said.link else "",
        empty_key_form=EMPTY_KEY_FORM,
        offered=key_forms.offered(Role.SERVICE),
        lifetimes=key_forms.LIFETIMES,
        now=now(),
    )


ROUTES = [listed, add, change]

"""The people who share this Darkroom: added, invited by a link that sets their password, changed and disabled."""

import re
from datetime import timedelta

from async_lru import alru_cache
from piccolo.columns.combination import WhereRaw

from tasks.accounts import audit, secrets
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db.account_tables import Person, Session
from tasks.db.database import DB, UNIQUE_VIOLATIONS, now
from tasks.db.dialect import one_transaction_at_a_time
from tasks.db.tables import Condition, Values
from tasks.errors import Fault, Rejected

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,62}[a-z0-9])?")
LINK_HOURS = 24
EXIST_TTL_SECONDS = 1.0  # each request asks for it while there is no person
ADMIN_LOCK = 0x61646D69  # so that of two admins who stop at once, one stays
ANOTHER_ADMIN: Condition = WhereRaw(
    "(person.role <> 'admin' OR EXISTS (SELECT 1 FROM person AS other"
    " WHERE other.role = 'admin' AND other.disabled_at IS NULL AND other.id <> person.id))"
)
"""Whether there is an admin without this person, so that it may stop being one."""


@alru_cache(ttl=EXIST_TTL_SECONDS)
async def exist() -> bool:
    """Return whether there is a person, so that one has to sign in. It may take a second until this is known."""
    return await Person.exists()


async def add(name: str, role: Role, by: By) -> Person:
    """Add a person. Raises Rejected("invalid_name") when the name is invalid or taken."""
    if not NAME.fullmatch(name):
        message = "A name has up to 64 of a-z, 0-9 and ._@+-, and begins and ends with a-z or 0-9."
        raise Rejected("invalid_name", [Fault("/name", message)])
    person = Person(name=name, role=role, created_at=now())
    try:
        await person.save()
    except UNIQUE_VIOLATIONS:
        raise Rejected("invalid_name", [Fault("/name", f"There is already a person named {name}.")]) from None
    exist.cache_clear()
    await audit.note(by, "person added", name, after={"role": role})
    return person


async def new_link(person: Person, by: By) -> str | None:
    """Return the token of a new link with which a person sets a password. It works once, for LINK_HOURS.

    Earlier links no longer work. Returns None when the person is disabled, or a service.
    """
    token = secrets.new_token()
    changes: Values = {Person.link_hash: secrets.digest(token), Person.link_until: now() + timedelta(hours=LINK_HOURS)}
    if not await Person.update(changes).where(_may_sign_in(person)).returning(Person.id):
        return None
    await audit.note(by, "link made", person.name)
    return token


async def invited(token: str) -> Person | None:
    """Return the person whose link has this token, or None when it was used, replaced, or is too old."""
    valid = (Person.link_hash == secrets.digest(token)) & (Person.link_until > now()) & Person.disabled_at.is_null()
    return await Person.objects().get(valid)


async def set_password(person: Person, hashed: str, by: By, token: str | None = None) -> bool:
    """Set the password of a person, and end all its sessions. Returns False when the link was used meanwhile.

    token: of the link, which works only once; None when the person is signed in.
    """
    this = _may_sign_in(person)
    if token is not None:
        this = this & (Person.link_hash == secrets.digest(token)) & (Person.link_until > now())
    changes: Values = {Person.password: hashed, Person.link_hash: None, Person.link_until: None}
    if not await Person.update(changes).where(this).returning(Person.id):
        return False
    await Session.delete().where(Session.person == person.id)
    await audit.note(by, "password set", person.name)
    return True


async def everyone() -> list[Person]:
    """Return all people and services, by name."""
    return await Person.objects().order_by(Person.name)


async def named(name: str) -> Person | None:
    """Return the person with this name, in any case, or None."""
    return await Person.objects().get(Person.name == name.lower())


async def change_role(person: Person, role: Role, by: By) -> bool:
    """Change the role of a person. Returns False when it is the last admin, or a service, or would become one."""
    if role == Role.SERVICE:
        return False
    allowed = (Person.id == person.id) & (Person.role != Role.SERVICE)
    if role != Role.ADMIN:
        allowed = allowed & ANOTHER_ADMIN
    if not await _changed({Person.role: role}, allowed):
        return False
    await audit.note(by, "role changed", person.name, {"role": person.role}, {"role": role})
    return True


async def disable(person: Person, by: By) -> bool:
    """Disable a person: its sessions end, and its keys no longer work.

    Returns False when it is disabled already, or the last admin.
    """
    changes: Values = {Person.disabled_at: now(), Person.link_hash: None, Person.link_until: None}
    enabled = (Person.id == person.id) & Person.disabled_at.is_null()
    if not await _changed(changes, enabled & ANOTHER_ADMIN):
        return False
    await Session.delete().where(Session.person == person.id)
    await audit.note(by, "person disabled", person.name)
    return True


async def enable(person: Person, by: By) -> bool:
    """Enable a disabled person again. Returns False when it is not disabled."""
    disabled = (Person.id == person.id) & Person.disabled_at.is_not_null()
    if not await Person.update({Person.disabled_at: None}).where(disabled).returning(Person.id):
        return False
    await audit.note(by, "person enabled", person.name)
    return True


async def _changed(changes: Values, where: Condition) -> bool:
    async with DB.transaction():
        await one_transaction_at_a_time(ADMIN_LOCK)
        return bool(await Person.update(changes).where(where).returning(Person.id))


def _may_sign_in(person: Person) -> Condition:
    return (Person.id == person.id) & Person.disabled_at.is_null() & (Person.role != Role.SERVICE)

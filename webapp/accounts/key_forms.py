"""The form for a new key."""

from dataclasses import dataclass
from datetime import timedelta

from litestar.datastructures import FormMultiDict

from tasks.accounts.actors import PERMISSIONS, SCOPES, Permission, Role
from tasks.accounts.audit import By
from tasks.accounts.keys import Made
from tasks.db.account_tables import Person
from tasks.db.database import now
from tasks.spend import limits

LIFETIMES = {"": "Never", "30": "In 30 days", "90": "In 90 days", "365": "In a year"}
"""How long a key may be valid, in days, as the form offers it."""
WORDS = {
    Permission.SUBMIT: "submit, cancel and retry jobs",
    Permission.READ: "see its owner's jobs",
    Permission.READ_ALL: "see everyone's jobs",
    Permission.TIDY: "tag, rate, collect and delete",
    Permission.OPERATE: "see what everyone spends",
}
"""What a key with a scope can do, in words."""


@dataclass(frozen=True, slots=True)
class KeyForm:
    """The form for a new key, filled in. fault: why there is no key yet, as a sentence."""

    name: str = ""
    scopes: frozenset[str] = frozenset()
    models: str = ""
    expires: str = ""
    budget: str = ""
    fault: str = ""


def offered(role: str) -> dict[str, str]:
    """Return the scopes that keys of a person in this role can use, each with what it means."""
    usable = SCOPES if role == Role.SERVICE else PERMISSIONS[Role(role)]
    return {scope: words for scope, words in WORDS.items() if scope in usable}


def empty(role: str) -> KeyForm:
    """Return the form as it is at first: with the scopes that most keys have."""
    usable = frozenset(offered(role))
    return KeyForm(scopes=usable & {Permission.SUBMIT, Permission.READ} if Permission.SUBMIT in usable else usable)


def filled_in(form: FormMultiDict, fault: str = "") -> KeyForm:
    """Return the form as it was sent."""
    scopes = frozenset(str(scope) for scope in form.getall("scope", []))
    name, models, expires, budget = (str(form.get(field, "")) for field in ("name", "models", "expires", "budget"))
    return KeyForm(name, scopes, models, expires, budget.strip(), fault)


async def key_from(form: FormMultiDict, person: Person, by: By) -> Made:
    """Make the key that a form describes. Raises Rejected."""
    sent = filled_in(form)
    until = now() + timedelta(days=int(sent.expires)) if sent.expires and sent.expires in LIFETIMES else None
    models = sent.models.replace(",", " ").split()
    return await limits.new_key(person, sent.name, sent.scopes, by, models, until, sent.budget)

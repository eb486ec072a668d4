"""What the commands `people`, `keys`, `budgets`, `adjust` and `audit` do."""

import re
from argparse import Namespace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from tasks.accounts import audit, keys, people
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db.account_tables import AuditEntry, Person
from tasks.db.database import now
from tasks.db.tables import Job
from tasks.models.costs import dollars
from tasks.settings import Settings
from tasks.spend import adjustments, limits
from webapp.cli import budgets
from webapp.cli.banner import in_url, reachable
from webapp.cli.table import printable, table

BY = By()  # the command line
AMOUNT = re.compile(r"-?[0-9]{1,6}(\.[0-9]{1,6})?")  # dollars
NO_AMOUNT = "An adjustment is an amount in dollars, such as 0.05 or -0.05."
MAX_NOTE_LENGTH = 200  # characters


class Refused(Exception):
    """The error of a command that cannot be carried out. The message is one line."""


async def act(asked: Namespace, settings: Settings) -> list[str]:
    """Carry out a command. Returns the lines to print. Raises Refused, and Rejected."""
    if asked.command == "audit":
        return [_entry(entry) for entry in reversed(await audit.latest(asked.last))]
    if asked.command == "budgets":
        return await budgets.act(asked)
    if asked.command == "adjust":
        return await _adjust(asked)
    if asked.command == "keys":
        return await _keys(asked)
    return await _people(asked, settings)


async def _people(asked: Namespace, settings: Settings) -> list[str]:
    match asked.action:
        case "add":
            person = await people.add(asked.name.lower(), asked.role, BY)
            if person.role == Role.SERVICE:
                return [f"Added {person.name}. Give it a key: darkroom keys add {person.name} NAME --scope submit"]
            return await _link(person, settings)
        case "list":
            rows = [(each.name, each.role, "disabled" if each.disabled_at else "") for each in await people.everyone()]
            return table(("name", "role", ""), rows)
        case "link":
            return await _link(await _person(asked.name), settings)
        case "disable":
            person = await _person(asked.name)
            if not await people.disable(person, BY):
                raise Refused(f"{person.name} is disabled already, or the last admin.")
            return [f"{person.name} is disabled."]
        case _:
            person = await _person(asked.name)
            if not await people.enable(person, BY):
                raise Refused(f"{person.name} is enabled already.")
            return [f"{person.name} is enabled."]


async def _link(person: Person, settings: Settings) -> list[str]:
    token = await people.new_link(person, BY)
    if token is None:
        raise Refused(f"{person.name} is disabled, or a service.")
    address = settings.public_url or f"http://{in_url(reachable(settings.host))}:{settings.port}"
    return [
        f"{address}/welcome/{token}",
        f"With this link, {person.name} sets a password: once, and within {people.LINK_HOURS} hours.",
    ]


async def _keys(asked: Namespace) -> list[str]:
    match asked.action:
        case "add":
            person = await _person(asked.owner)
            until = now() + asked.expires if asked.expires else None
            models, budget = asked.models or [], asked.budget or ""
            made = await limits.new_key(person, asked.name, asked.scopes, BY, models, until, budget)
            return [made.secret]
        case "list":
            return table(("key", "scopes", "models", "expires", "secrets", "last used"), await _listed())
        case _:
            person = await _person(asked.owner)
            key = await keys.named(f"{person.name}/{asked.name}")
            if key is None or not await keys.revoke(key, person.name, BY):
                raise Refused(f"{person.name} has no key named {asked.name}.")
            return [f"Revoked {person.name}/{key.name}."]


async def _listed() -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for person in await people.everyone():
        for each in await keys.of_person(person):
            known = ", ".join(f"{secret.prefix}...{secret.last_four}" for secret in each.secrets)
            name, models = f"{person.name}/{each.key.name}", ", ".join(each.models) or "all"
            rows.append((name, each.key.scopes, models, _day(each.key.expires_at), known, _day(each.used_at)))
    return rows


async def _person(name: str) -> Person:
    person = await people.named(name)
    if person is None:
        raise Refused(f"There is no person named {name}.")
    return person


async def _adjust(asked: Namespace) -> list[str]:
    job, note = await _job(asked.job), asked.note.strip()
    micros = int(Decimal(asked.amount) * 10**6) if AMOUNT.fullmatch(asked.amount) else 0
    if not micros:
        raise Refused(NO_AMOUNT)
    if not 1 <= len(note) <= MAX_NOTE_LENGTH or not note.isprintable():
        raise Refused(f"A note is one line of up to {MAX_NOTE_LENGTH} characters.")
    adjusted = await adjustments.adjust(job, micros, note, BY)
    if adjusted is None:
        raise Refused(f"The job cost ${dollars(job.cost or 0)}, and nothing costs less than $0.00.")
    return [f"The job cost ${dollars(adjusted.cost)}."]


async def _job(text: str) -> Job:
    try:
        job = await Job.objects().get(Job.id == UUID(text))
    except ValueError:
        job = None
    if job is None:
        raise Refused(f"There is no job {text}.")
    return job


def _entry(entry: AuditEntry) -> str:
    who = f"{entry.actor} ({entry.address})" if entry.address else entry.actor
    changes = f": {entry.before or '{}'} -> {entry.after or '{}'}" if entry.before or entry.after else ""
    line = f"{entry.at:%Y-%m-%d %H:%M:%S} UTC  {who}: {entry.action} {entry.subject}{changes}"
    return printable(line)  # anyone can type a name at sign-in


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d}" if moment else "never"

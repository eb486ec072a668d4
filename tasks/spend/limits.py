"""Budgets as people set, list and remove them: by the names of people and keys, in dollars."""

import logging
import re
from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from tasks.accounts import audit, keys, people
from tasks.accounts.actors import Actor, Permission
from tasks.accounts.audit import By
from tasks.accounts.keys import Made
from tasks.db import ids
from tasks.db.account_tables import ApiKey, Person
from tasks.db.database import DB, now
from tasks.db.money_tables import Budget
from tasks.db.steps import step
from tasks.errors import Fault, Rejected
from tasks.jobs import budgets
from tasks.jobs.budgets import Period, Scope
from tasks.models import registry
from tasks.models.costs import dollars
from tasks.models.names import OWNER_AND_NAME, bare
from tasks.outbox import outbox
from tasks.outbox.events import Event, EventType, link

log = logging.getLogger(__name__)

AMOUNT = re.compile(r"\$?([0-9]{1,9}(?:\.[0-9]{1,6})?)/(day|month|total)")


async def put(scope: str, amount: str, by: By) -> Budget:
    """Set a budget, or change the one that there is. Jobs that wait already keep what they hold.

    scope: all, person:anna, key:anna/ci or model:owner/name. amount: dollars per day, month or in total, such as
    0.10/day. Raises Rejected("invalid_budget").
    """
    micros, period = read(amount)
    kind, subject, name = await _subject(scope)
    this = budgets.is_for(kind, subject, period)
    before = await Budget.objects().get(this)
    window = budgets.window(period, now())
    row = Budget(
        id=ids.new(), scope=kind, subject=subject, name=name, period=period, amount=micros,
        starts_at=window.starts_at, ends_at=window.ends_at, created_at=now(),
    )  # fmt: skip
    await budgets.save(row)
    was = {"limit": terms(before)} if before else None
    await audit.note(by, "budget set", label(row), was, {"limit": terms(row)})
    saved = await Budget.objects().get(this)
    assert saved is not None
    return saved


def read(amount: str) -> tuple[int, Period]:
    """Return the micro-dollars and the period of a text such as 0.10/day. Raises Rejected("invalid_budget")."""
    found = AMOUNT.fullmatch(amount.strip())
    if found is None:
        message = "A budget is an amount in dollars for a time: 0.10/day, 50/month, or 100/total."
        raise Rejected("invalid_budget", [Fault("/amount", message)])
    return int(Decimal(found[1]) * 10**6), Period(found[2])


async def new_key(
    person: Person,
    name: str,
    scopes: Collection[str],
    by: By,
    models: Sequence[str],
    expires_at: datetime | None,
    amount: str,
) -> Made:
    """Make a key, and a budget for it. amount: as for `put`; "" for no budget. Raises Rejected: then there is neither.

    The rest is as for keys.add().
    """
    if amount:
        read(amount)
    made = await keys.add(person, name, scopes, by, models, expires_at)
    if amount:
        await put(f"{Scope.KEY}:{person.name}/{made.key.name}", amount, by)
    return made


async def remove_all(scope: str, by: By) -> int:
    """Remove the budgets of a scope. Returns how many there were. Raises Rejected("invalid_budget")."""
    kind, subject, _ = await _subject(scope)
    found = await Budget.objects().where((Budget.scope == kind) & (Budget.subject == subject))
    for budget in found:
        await remove(budget, by)
    return len(found)


async def remove(budget: Budget, by: By) -> None:
    """Remove a budget, with what is held of it."""
    await budgets.delete(budget)
    await audit.note(by, "budget removed", label(budget), {"limit": terms(budget)})


async def check() -> None:
    """Count again what is spent and held of each budget, by the ledger and the holds. What was otherwise is logged."""
    for budget in await budgets.current():
        if await budgets.recount(budget):
            log.warning("the budget %s did not agree with the ledger, and was counted again", label(budget))


async def warn() -> None:
    """Note each budget of which most is used, once in its day or month: in the log, the audit and the outbox."""
    for budget in await budgets.current():
        if not budgets.is_low(budget) or budget.warned_at is not None:
            continue
        first = (Budget.id == budget.id) & Budget.warned_at.is_null()
        warned = step(Budget.update({Budget.warned_at: now()}).where(first).returning(Budget.id), must=True)
        told = outbox.steps([await _warning(budget)], to_endpoints=True)
        if await DB.run_steps([warned, *told]) is not None:
            used = {"used": dollars(budgets.used(budget)), "limit": terms(budget)}
            await audit.note(By("worker"), f"budget {budgets.WARN_AT_PERCENT} % used", label(budget), after=used)
            log.warning("%d %% of the budget %s is used", budgets.WARN_AT_PERCENT, label(budget))


async def _warning(budget: Budget) -> Event:
    """Return the event of a budget of which most is used, with the members that the API gives budgets."""
    owner = None
    if budget.scope == Scope.PERSON:
        owner = UUID(budget.subject)
    elif budget.scope == Scope.KEY and (key := await ApiKey.objects().get(ApiKey.id == UUID(budget.subject))):
        owner = key.person
    named = {"name": budget.name} if budget.name else {}
    resets = {"resets_at": budget.ends_at} if budget.ends_at else {}
    data = {
        "scope": budget.scope, **named, "period": budget.period, "limit": dollars(budget.amount),
        "spent": dollars(budget.spent), "held": dollars(budget.held), "left": dollars(budgets.left(budget)), **resets,
        "links": {"page": link("/spend")},
    }  # fmt: skip
    key_of_event = f"{EventType.BUDGET_WARNING}:{budget.id}:{budget.starts_at.isoformat()}"
    return Event(EventType.BUDGET_WARNING, now(), data, key_of_event, owner, of_all=owner is None)


async def listed() -> list[Budget]:
    """Return all budgets: for all first, then by scope and name."""
    order = list(Scope)
    return sorted(await budgets.current(), key=lambda each: (order.index(Scope(each.scope)), each.name, each.period))


async def of_person(person: UUID) -> list[Budget]:
    """Return the budgets that jobs of a person can fall under: its own, those of its keys, of models, and of all."""
    of_keys = await ApiKey.select(ApiKey.id).where(ApiKey.person == person)
    own = {"", str(person), *(str(row["id"]) for row in of_keys)}
    return [budget for budget in await listed() if budget.scope == Scope.MODEL or budget.subject in own]


def in_full(budget: Budget, actor: Actor) -> bool:
    """Return whether an actor may see what is spent of a budget. Of one that others use, it may see what is left."""
    return actor.may(Permission.OPERATE) or budget.scope in (Scope.PERSON, Scope.KEY)


async def scopes() -> list[str]:
    """Return what a budget can be for, as `put` takes it: all, then people, keys and known models."""
    everyone = [f"{Scope.PERSON}:{person.name}" for person in await people.everyone()]
    owner = ApiKey.person.name.as_alias("owner")
    rows = await ApiKey.select(owner, ApiKey.name).where(ApiKey.revoked_at.is_null()).order_by(owner, ApiKey.name)
    models = {bare(model.name) for model in await registry.known()}
    of_keys = [f"{Scope.KEY}:{row['owner']}/{row['name']}" for row in rows]
    return [Scope.ALL, *everyone, *of_keys, *(f"{Scope.MODEL}:{name}" for name in sorted(models))]


def label(budget: Budget) -> str:
    """Return what a budget is about, as `put` takes it: all, person:anna, key:anna/ci or model:owner/name."""
    return budget.scope if budget.scope == Scope.ALL else f"{budget.scope}:{budget.name}"


def terms(budget: Budget) -> str:
    """Return the amount and the period of a budget, as `read` takes them, such as 0.10/day."""
    return f"{dollars(budget.amount)}/{budget.period}"


async def _subject(scope: str) -> tuple[Scope, str, str]:
    """Return the scope, and the id and the name of what it is about. Raises Rejected."""
    kind, _, name = scope.strip().partition(":")
    match kind:
        case Scope.ALL if not name:
            return Scope.ALL, "", ""
        case Scope.PERSON if person := await people.named(name):
            return Scope.PERSON, str(person.id), person.name
        case Scope.KEY if key := await keys.named(name):
            return Scope.KEY, str(key.id), name
        case Scope.MODEL if OWNER_AND_NAME.fullmatch(name):
            return Scope.MODEL, name, name
    message = f"There is no {scope!r}. A budget is for all, person:NAME, key:OWNER/NAME or model:OWNER/NAME."
    raise Rejected("invalid_budget", [Fault("/scope", message)])

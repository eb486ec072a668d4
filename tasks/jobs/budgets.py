"""Budgets: which ones a job falls under, and the day or month that they count."""

from calendar import monthrange
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from async_lru import alru_cache
from piccolo.querystring import QueryString

from tasks.db.coalesce import Rounds
from tasks.db.database import DB, now
from tasks.db.money_tables import Budget
from tasks.db.steps import Rows, step
from tasks.db.tables import Condition
from tasks.models.names import bare
from tasks.settings import settings

WARN_AT_PERCENT = 80  # of a budget
RECENT_TTL_SECONDS = 1.0
MAX_CALLERS = 1000  # that one query serves


class Scope(StrEnum):
    """Whose or what spending a budget limits."""

    ALL = "all"
    PERSON = "person"
    KEY = "key"
    MODEL = "model"


class Period(StrEnum):
    """The time that a budget is for, in the zone of TIMEZONE."""

    DAY = "day"
    MONTH = "month"
    TOTAL = "total"


IN_WORDS = {Period.DAY: "today", Period.MONTH: "this month", Period.TOTAL: "in total"}
"""What a budget is for, as it is told beside an amount."""
COLUMN = {Scope.PERSON: "owner", Scope.KEY: "api_key", Scope.MODEL: "model"}
"""The column of the ledger that says what a scope's budgets are about."""
LOCK = "UPDATE budget SET held = held WHERE id = {} AND {} RETURNING spent, held"
COUNTS_AS_SPENT = "ledger.kind IN ('settle', 'adjust') AND ledger.pretend = {}"
"""The condition for the entries of the ledger that count as spent. Its value: whether those of the stand-in do."""
SPENT = f"coalesce((SELECT sum(ledger.micros) FROM ledger WHERE ledger.at >= {{}} AND {COUNTS_AS_SPENT} AND {{}}), 0)"
HELD = (
    "coalesce((SELECT sum(job.hold) FROM job"
    " WHERE job.is_held AND job.hold_budgets LIKE '%' || CAST(budget.id AS TEXT) || '%'), 0)"
)


@dataclass(frozen=True, slots=True)
class Window:
    """The day or month that a budget counts. ends_at: None for a budget in total."""

    starts_at: datetime
    ends_at: datetime | None


def window(period: str, moment: datetime, zone: ZoneInfo | None = None) -> Window:
    """Return the day or month of a moment, in the zone of TIMEZONE unless another one is given, as UTC."""
    zone = zone or settings.zone
    local = moment.astimezone(zone)
    if period == Period.TOTAL:
        return Window(datetime(1970, 1, 1, tzinfo=UTC), None)
    first = local.replace(day=1) if period == Period.MONTH else local
    days = 1 if period == Period.DAY else monthrange(local.year, local.month)[1]
    start, after = first.date(), first.date() + timedelta(days=days)
    return Window(_midnight(start, zone), _midnight(after, zone))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def applies(budget: Budget, person: UUID | None, key: UUID | None, model: str) -> bool:
    """Return whether a job of a person, requested with a key, on a model falls under a budget."""
    match budget.scope:
        case Scope.PERSON:
            return str(person) == budget.subject
        case Scope.KEY:
            return str(key) == budget.subject
        case Scope.MODEL:
            return bare(model) == budget.subject
    return True


def left(budget: Budget) -> int:
    """Return what may still be held of a budget, in micro-dollars."""
    return max(0, budget.amount - used(budget))


def used(budget: Budget) -> int:
    """Return what is spent or held of a budget, in micro-dollars."""
    return budget.spent + budget.held


def is_low(budget: Budget) -> bool:
    """Return whether most of a budget is spent or held."""
    return used(budget) * 100 >= budget.amount * WARN_AT_PERCENT


async def tightest(person: UUID | None, key: UUID | None, models: Collection[str]) -> Budget | None:
    """Return the budget with the least left of those that jobs on any of the models fall under, or None."""
    own = [budget for budget in await current() if any(applies(budget, person, key, model) for model in models)]
    return min(own, key=left, default=None)


@alru_cache(ttl=RECENT_TTL_SECONDS)
async def recent() -> list[Budget]:
    """Return all budgets as they were a moment ago: a hint, so that most jobs need not ask. See no_others()."""
    return await current()


def no_others(known: Collection[UUID]) -> QueryString:
    """Return the condition that there is no budget besides these."""
    marks = ", ".join(["{}"] * len(known))
    others = QueryString(f"WHERE other.id NOT IN ({marks})", *known) if known else QueryString("")
    return QueryString("NOT EXISTS (SELECT 1 FROM budget other {})", others)


async def current() -> list[Budget]:
    """Return all budgets, by id, with the day or month that has begun."""
    budgets = await _all(None)
    over = [budget for budget in budgets if budget.ends_at is not None and budget.ends_at <= now()]
    if not over:
        return list(budgets)
    for budget in over:
        await begin(budget)
    return list(await _all(None))


async def _read(callers: list[None]) -> list[Sequence[Budget]]:
    budgets = await Budget.objects().order_by(Budget.id)
    return [budgets] * len(callers)


_all: Rounds[None, Sequence[Budget]] = Rounds(_read, MAX_CALLERS)


async def begin(budget: Budget) -> None:
    """Begin the day or month that a budget is in now. What is held stays held: it will be spent from now on."""
    if budget.ends_at is not None:
        await _recount(budget, window(budget.period, now()), QueryString("ends_at <= {}", now()))


async def recount(budget: Budget) -> bool:
    """Count again what is spent and held of a budget, by the ledger and the holds. Returns whether it was otherwise."""
    window = Window(budget.starts_at, budget.ends_at)
    answers = await _recount(budget, window, QueryString("starts_at = {}", budget.starts_at))
    return answers is not None and answers[0] != answers[1]


def is_for(scope: str, subject: str, period: str) -> Condition:
    """Return the condition for the one budget of a scope, a subject and a period."""
    return (Budget.scope == scope) & (Budget.subject == subject) & (Budget.period == period)


async def save(budget: Budget) -> None:
    """Insert a budget, or change the amount of the one with its scope, subject and period; and count what is spent."""
    changes = [Budget.amount]
    insert = Budget.insert(budget).on_conflict(
        target=(Budget.scope, Budget.subject, Budget.period), action="DO UPDATE", values=changes
    )
    this = is_for(budget.scope, budget.subject, budget.period)
    counted = _counted(budget, Window(budget.starts_at, budget.ends_at), this.querystring)
    await DB.run_steps([step(insert), step(counted)])
    recent.cache_clear()


async def delete(budget: Budget) -> None:
    """Delete a budget. What is held of it is held of nothing then."""
    await Budget.delete().where(Budget.id == budget.id)


async def _recount(budget: Budget, now_in: Window, only_if: QueryString) -> list[Rows] | None:
    """Count what is spent and held of a budget in a day or month. Returns both as they were, and as they are.

    The first statement locks the row, so that the second one sees everything that was added to it.
    """
    counted = _counted(budget, now_in, QueryString("id = {} RETURNING spent, held", budget.id))
    return await DB.run_steps([step(QueryString(LOCK, budget.id, only_if), must=True), step(counted)])


def _counted(budget: Budget, now_in: Window, which: QueryString) -> QueryString:
    """Return the statement that counts what is spent and held of a budget in a day or month."""
    return QueryString(
        f"UPDATE budget SET spent = {SPENT}, held = {HELD},"
        " warned_at = CASE WHEN starts_at = {} THEN warned_at END, starts_at = {}, ends_at = {} WHERE {}",
        now_in.starts_at, settings.standin, of_ledger(budget.scope, budget.subject),
        now_in.starts_at, now_in.starts_at, now_in.ends_at, which,
    )  # fmt: skip


def of_ledger(scope: str, subject: str) -> QueryString:
    """Return the condition for the entries of the ledger that a budget is about."""
    if scope == Scope.ALL:
        return QueryString("true")
    value: Any = subject if scope == Scope.MODEL else UUID(subject)
    return QueryString(f"ledger.{COLUMN[Scope(scope)]} = {{}}", value)

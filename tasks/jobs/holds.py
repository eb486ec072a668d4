"""Holds: money set aside for a job in the transaction that inserts it, and released when the job has ended.

What each attempt cost counts as spent in the transaction that ends it. Whoever changes budgets changes them by their
ids, in order, so that nobody waits in a circle.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from piccolo.querystring import QueryString

from tasks.db import ids
from tasks.db.database import DB, now, run_inside
from tasks.db.dialect import one_of
from tasks.db.money_tables import Budget
from tasks.db.steps import Step, alike, inserted, step
from tasks.db.tables import Job, Values
from tasks.jobs import budgets
from tasks.jobs.budgets import Period
from tasks.jobs.needs import NOTED, Need, Needs, NotHeld, applies, needed, note
from tasks.models.costs import dollars
from tasks.models.names import bare
from tasks.settings import settings

Done = TypeVar("Done")

ENTRY_COLUMNS = (
    "id", "at", "job", "attempt", "kind", "owner", "api_key", "model", "micros", "basis", "price", "pretend",
)  # fmt: skip

MAX_RELEASED = 1000  # holds in one transaction: with twelve values each, of 32,767 that the databases take at once

TAKE = (
    "UPDATE budget SET held = held + {} WHERE id = {} AND spent + held + {} <= amount"
    " AND (ends_at IS NULL OR ends_at > {}) AND {} RETURNING id"
)
ALWAYS = QueryString("true")
GIVE_BACK = "UPDATE budget SET held = held + {} WHERE id = {}"
SETTLE = (
    "UPDATE budget SET spent = spent + {}, held = held - coalesce((SELECT job.hold FROM job"
    " WHERE job.id = {} AND job.is_held AND job.hold_budgets LIKE {}), 0) WHERE id = {}"
)
RELEASE = "UPDATE job SET is_held = false WHERE is_held AND {}"
RELEASED = f"{RELEASE} RETURNING id, owner, api_key, model, hold, hold_basis, hold_budgets"
OF_ENDED = (
    "status IN ('completed', 'failed', 'canceled')"
    " AND (error_code IS NULL OR error_code <> 'submission_unknown' OR deleted_at IS NOT NULL)"
)
"""The condition for ended jobs, except those of which nobody knows whether they are charged."""


class BudgetExceeded(NotHeld):
    """The error for jobs that a budget has no room for. needs: what they would hold of it, in micro-dollars."""

    def __init__(self, budget: Budget, needs: int) -> None:
        self.budget, self.needs = budget, needs
        whose = {"all": "of all", "model": f"for {budget.name}"}.get(budget.scope, f"of {budget.name}")
        left, when = dollars(budgets.left(budget)), budgets.IN_WORDS[Period(budget.period)]
        super().__init__(f"This may cost ${dollars(needs)}, and the budget {whose} has ${left} left {when}.")


class NoRoom(Exception):
    """The error that ends a transaction which could not hold what it needs: see within_budgets()."""


def taken(needs: Iterable[Need], only_if: QueryString = ALWAYS) -> Step:
    """Return the step that holds money, if a condition is met.

    If it is not, or when a budget has no room, the step returns too few rows, so that nothing changes.
    """
    sums, moment = _sums(needs), now()
    return alike([QueryString(TAKE, sums[each], each, sums[each], moment, only_if) for each in sorted(sums)], must=True)


def entered(jobs: Sequence[Job], needs: Needs) -> list[Step]:
    """Return the steps that enter in the ledger what is held for jobs. Their rows say the same: see needs.note()."""
    entries = [_entry(job, "hold", needs[job.id].micros, needs[job.id].basis) for job in jobs if job.id in needs]
    return [inserted("ledger", ENTRY_COLUMNS, entries)] if entries else []


def ledger_entry(
    job: Job, kind: str, micros: int, basis: str, attempt: UUID | None = None, price: str = "{}"
) -> QueryString:
    """Return the statement that adds an entry about a job to the ledger.

    kind: hold, settle, release or adjust. attempt: that cost this. price: that it was computed with, as JSON.
    """
    return inserted("ledger", ENTRY_COLUMNS, [_entry(job, kind, micros, basis, attempt, price)]).statement


def _entry(
    job: Job, kind: str, micros: int, basis: str, attempt: UUID | None = None, price: str = "{}"
) -> Sequence[Any]:
    model, pretend = bare(job.model), settings.standin
    return (ids.new(), now(), job.id, attempt, kind, job.owner, job.api_key, model, micros, basis, price, pretend)


async def take(needs: Needs, returned: Mapping[UUID, int] | None = None) -> None:
    """Hold money inside the transaction under way. Raises NoRoom.

    returned: what is given back to each budget at the same time.
    """
    sums, back = _sums(needs.values()), Counter(returned)
    for each in sorted({*sums, *back}):
        change = sums[each] - back[each]
        if not sums[each]:
            await Budget.raw(GIVE_BACK, change, each)
        elif not await Budget.raw(TAKE, change, each, change, now(), ALWAYS):
            raise NoRoom


async def within_budgets(
    do: Callable[[Needs], Awaitable[Done]], jobs: Sequence[Job], first: Needs | None = None
) -> Done:
    """Run a transaction that holds money for jobs. Raises BudgetExceeded in place of its NoRoom, and PriceUnknown.

    Runs it again when there is room after all: a day or month has just ended, or another job has, or the budgets were
    others. first: what the jobs need as far as it is known already, which may be a moment old.
    """
    needs = await needed(jobs, await budgets.current()) if first is None else first
    while True:
        try:
            return await do(needs)
        except NoRoom:
            known = await budgets.current()
            needs = await needed(jobs, known)
            sums = _sums(needs.values())
            for budget in known:
                if budgets.used(budget) + sums[budget.id] > budget.amount and sums[budget.id]:
                    raise BudgetExceeded(budget, sums[budget.id]) from None


def _sums(needs: Iterable[Need]) -> Counter[UUID]:
    sums: Counter[UUID] = Counter()
    for need in needs:
        for budget in need.budgets:
            sums[budget] += need.micros
    return sums


async def take_again(jobs: Sequence[Job], needs: Needs) -> None:
    """Hold money for jobs that are retried, in place of what they may still hold, inside the transaction under way.

    Their rows say so then, and so do `jobs`. Raises NoRoom.
    """
    released = await _given_back(one_of([job.id for job in jobs]).querystring)
    await take({job.id: needs[job.id] for job in jobs if job.id in needs}, _sums_held(released))
    same_needs: dict[Need | None, list[Job]] = defaultdict(list)
    for job in jobs:
        note(job, needs)
        same_needs[needs.get(job.id)].append(job)
    for group in same_needs.values():
        values: Values = {column: getattr(group[0], column._meta.name) for column in NOTED}
        await Job.update(values).where(one_of([job.id for job in group]))
    await run_inside(entered(jobs, needs))


async def _given_back(of: QueryString) -> list[Job]:
    """Write down that what the jobs of a condition hold is released. Returns those that held something."""
    jobs = [Job(**row) for row in await Job.raw(RELEASED, of)]
    if jobs:
        entries = [_entry(job, "release", -job.hold, job.hold_basis) for job in jobs]
        await run_inside([inserted("ledger", ENTRY_COLUMNS, entries)])
    return jobs


def _sums_held(jobs: Iterable[Job]) -> Counter[UUID]:
    sums: Counter[UUID] = Counter()
    for job in jobs:
        for budget in job.hold_budgets.split():
            sums[UUID(budget)] += job.hold
    return sums


async def release(jobs: Sequence[Job]) -> None:
    """Release what ended jobs hold. Do not call this inside a transaction."""
    if held := [job.id for job in jobs if job.hold is not None]:
        await _released(held)


async def release_ended() -> int:
    """Release what ended jobs still hold, because a process ended before it could. Returns how many jobs there were."""
    rows = await Job.raw(f"SELECT id FROM job WHERE is_held AND {OF_ENDED}")  # most often none, and nothing is locked
    return await _released([row["id"] for row in rows])


async def _released(job_ids: Sequence[UUID]) -> int:
    """Release in portions, so that other writers need not wait. Returns how many of the jobs held something."""
    count = 0
    for start in range(0, len(job_ids), MAX_RELEASED):
        portion = one_of(job_ids[start : start + MAX_RELEASED]).querystring
        async with DB.transaction():
            released = await _given_back(QueryString(f"{{}} AND {OF_ENDED}", portion))
            sums = _sums_held(released)
            for budget in sorted(sums):
                await Budget.raw(GIVE_BACK, -sums[budget], budget)
        count += len(released)
    return count


def settled(job: Job, micros: int, known: Sequence[Budget], ends: bool) -> list[Step]:
    """Return the steps that count what an attempt cost as spent and, where its job ends, release what it holds."""
    releases = ends and job.hold is not None
    if not micros and not releases:
        return []
    released = job.id if releases else None
    own = sorted(budget.id for budget in known if applies(budget, job))
    steps = [step(QueryString(SETTLE, micros, released, f"%{each}%", each)) for each in own]
    if releases:
        entry = ledger_entry(job, "release", -job.hold, job.hold_basis)
        steps += [step(entry), step(QueryString(RELEASE, QueryString("id = {}", job.id)))]
    return steps

"""Holds: money set aside for a job in the transaction that inserts it, and released when the job has ended.

What each attempt cost counts as spent in the transaction that ends it. Whoever changes budgets changes them by their
ids, in order, so that nobody waits in a circle.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from piccolo.querystring import QueryString

from tasks.db import ids
from tasks.db.database import DB, now, run_inside
from tasks.db.dialect import one_of
from tasks.db.money_tables import Budget, Hold
from tasks.db.steps import Step, alike, inserted, step
from tasks.db.tables import Job
from tasks.jobs import budgets
from tasks.jobs.budgets import Period
from tasks.jobs.needs import Need, Needs, NotHeld, applies, needed
from tasks.models.costs import dollars
from tasks.models.names import bare
from tasks.settings import settings

Done = TypeVar("Done")

HOLD_COLUMNS = ("job", "budgets", "micros", "basis")
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
    "UPDATE budget SET spent = spent + {}, held = held - coalesce((SELECT hold.micros FROM hold"
    " WHERE hold.job = {} AND hold.budgets LIKE {}), 0) WHERE id = {}"
)
HELD = "job, budgets, micros, basis"
OF_ENDED = (
    "EXISTS (SELECT 1 FROM job WHERE job.id = hold.job AND job.status IN ('completed', 'failed', 'canceled')"
    " AND (job.error_code IS NULL OR job.error_code <> 'submission_unknown' OR job.deleted_at IS NOT NULL))"
)
"""The holds of ended jobs, except those of which nobody knows whether they are charged."""


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
    """Return the steps that write down what is held for jobs: their holds, and an entry each in the ledger."""
    held = [(job, needs[job.id]) for job in jobs if job.id in needs]
    if not held:
        return []
    rows = [(job.id, _listed(need), need.micros, need.basis) for job, need in held]
    entries = [_entry(job, "hold", need.micros, need.basis) for job, need in held]
    return [inserted("hold", HOLD_COLUMNS, rows), inserted("ledger", ENTRY_COLUMNS, entries)]


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

    Raises NoRoom.
    """
    rows = await Hold.raw(f"DELETE FROM hold WHERE {{}} RETURNING {HELD}", _of([job.id for job in jobs]))
    again = {job.id: needs[job.id] for job in jobs if job.id in needs}
    await take(again, await _given_back(rows))
    await run_inside(entered(jobs, again))


def _listed(need: Need) -> str:
    return " ".join(map(str, need.budgets))


async def note_all(job_ids: Collection[UUID]) -> None:
    """Write what is held for many jobs into their rows, inside the transaction under way."""
    held = "(SELECT hold.{0} FROM hold WHERE hold.job = job.id)"
    await Job.raw(
        f"UPDATE job SET hold = {held.format('micros')}, hold_basis = {held.format('basis')} WHERE {{}}",
        one_of(list(job_ids)).querystring,
    )


async def _given_back(rows: Sequence[Mapping[str, Any]]) -> Counter[UUID]:
    """Enter in the ledger that holds were released, of up to MAX_RELEASED. Returns what each budget gets back."""
    back: Counter[UUID] = Counter()
    for row in rows:
        for budget in row["budgets"].split():
            back[UUID(budget)] += row["micros"]
    of_jobs = {row["job"]: (-row["micros"], row["basis"]) for row in rows}
    jobs = await Job.objects().where(one_of(list(of_jobs))) if rows else []
    if jobs:
        entries = [_entry(job, "release", *of_jobs[job.id]) for job in jobs]
        await DB.run_querystring(inserted("ledger", ENTRY_COLUMNS, entries).statement)
    return back


async def release(jobs: Sequence[Job]) -> None:
    """Release what ended jobs hold. Do not call this inside a transaction."""
    if held := [job.id for job in jobs if job.hold is not None]:
        await _released(held)


async def release_ended() -> int:
    """Release what ended jobs still hold, because a process ended before it could. Returns how many jobs there were."""
    rows = await Hold.raw(f"SELECT job FROM hold WHERE {OF_ENDED}")  # most often none: nobody waits for this one
    return await _released([row["job"] for row in rows])


async def _released(job_ids: Sequence[UUID]) -> int:
    """Release in portions, so that other writers need not wait. Returns how many of the jobs held something."""
    count = 0
    for start in range(0, len(job_ids), MAX_RELEASED):
        portion = _of(job_ids[start : start + MAX_RELEASED])
        async with DB.transaction():
            rows = await Hold.raw(f"DELETE FROM hold WHERE {{}} AND {OF_ENDED} RETURNING {HELD}", portion)
            back = await _given_back(rows)
            for budget in sorted(back):
                await Budget.raw(GIVE_BACK, -back[budget], budget)
        count += len(rows)
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
        steps += [step(entry), step(QueryString("DELETE FROM hold WHERE job = {}", job.id))]
    return steps


def _of(job_ids: Collection[UUID]) -> QueryString:
    return one_of(list(job_ids), "hold.job").querystring

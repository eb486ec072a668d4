"""Any order of submissions, runs, failures, cancels, kills, retries and changes of budgets keeps the ledger right.

Hypothesis generates the orders. What is spent and held is always the sum of the ledger and of the holds, and nothing is
admitted beyond a budget.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from tasks.accounts.audit import By
from tasks.db.database import DB
from tasks.db.money_tables import Budget, Ledger
from tasks.db.tables import ENDED, TABLES, Attempt, Job, Library
from tasks.errors import Failure
from tasks.jobs import attempts, holds, lifecycle
from tasks.jobs.holds import BudgetExceeded
from tasks.jobs.insert import Owner, Terms
from tasks.replicate.client import Prediction
from tasks.spend import limits
from tests import factories
from tests.factories import FLUX
from tests.tasks.states import FINAL, PASSING, an_output

T = TypeVar("T")

BY = By()
SCOPES = ("all", "person:anna", f"model:{FLUX}")
MODELS = (FLUX, "nobody/knows")
UNKNOWN = Failure(attempts.SUBMISSION_UNKNOWN, "Nobody knows whether it runs.")


class Money(RuleBasedStateMachine):
    """People, programs, workers, and an operator who changes budgets."""

    loop: ClassVar[asyncio.AbstractEventLoop]  # the tests' own, to which the database connections belong
    killed: ClassVar[bool]  # whether the process is killed after each commit

    def __init__(self) -> None:
        super().__init__()
        self.running: list[Job] = []
        self.number = 0
        self.do(_empty())
        Money.killed = False

    def do(self, verb: Coroutine[Any, Any, T]) -> T:
        """Run a verb in the tests' event loop: Hypothesis runs in its own thread."""
        return asyncio.run_coroutine_threadsafe(verb, self.loop).result(timeout=30)

    @initialize(scopes=st.lists(st.sampled_from(SCOPES), min_size=1, unique=True), hers=st.booleans())
    def begin_with_budgets_and_jobs(self, scopes: list[str], hers: bool) -> None:
        self.anna = self.do(factories.person()).id
        for scope in scopes:
            self.set_a_budget(scope, "0.02/day")
        for count in (1, 2):
            self.submit(FLUX, count, hers)
            self.begin()

    @rule(scope=st.sampled_from(SCOPES), amount=st.sampled_from(["0.005/day", "0.02/day", "1.01/month", "3/total"]))
    def set_a_budget(self, scope: str, amount: str) -> None:
        self.do(limits.put(scope, amount, BY))

    @rule(model=st.sampled_from(MODELS), count=st.integers(1, 4), hers=st.booleans())
    def submit(self, model: str, count: int, hers: bool) -> None:
        before = self.sums()
        owner = Owner(self.anna) if hers else Owner()
        job = self.within_budgets(lifecycle.submit("a fox", model, {"num_outputs": count}, Terms(owner=owner)))
        if job is None:
            assert self.sums() == before
            return
        for each in self.do(_budgets_held_by(job.id)):
            assert each.spent + each.held <= each.amount

    @rule()
    def begin(self) -> None:
        job = self.do(lifecycle.claim(3600))
        if job is None:
            return
        self.number += 1
        attempt = self.do(attempts.begin(job, job.model, {}))
        assert attempt is not None
        assert self.do(attempts.record_prediction(job, attempt, f"p{self.number}"))
        job.error = f"p{self.number}"
        self.running.append(job)

    @precondition(lambda self: self.running)
    @rule(how=st.sampled_from(["complete", "fail", "postpone", "end_canceled", "unknown"]), made=st.integers(0, 4))
    def end(self, how: str, made: int) -> None:
        job = self.running.pop(0)
        prediction = Prediction(
            job.error, "succeeded" if how == "complete" else "failed", metrics={"image_count": made}
        )
        if how == "complete":
            self.do(lifecycle.complete(job, [an_output(f"{job.error}.png")], prediction))
        elif how == "fail":
            self.do(lifecycle.fail(job, FINAL, prediction))
        elif how == "postpone":
            self.do(lifecycle.postpone(job, PASSING, 0.0, prediction))
        elif how == "unknown":
            self.do(Attempt.update({Attempt.prediction_id: None}, force=True).where(Attempt.job == job.id).run())
            self.do(lifecycle.fail(job, UNKNOWN))
        else:
            self.do(lifecycle.end_canceled(job, prediction))

    @rule(which=st.integers(0, 5), what=st.sampled_from(["cancel", "retry", "delete"]))
    def press(self, which: int, what: str) -> None:
        rows = self.do(Job.select(Job.id).order_by(Job.id).run())
        if not rows:
            return
        verb = {"cancel": lifecycle.cancel, "retry": lifecycle.retry, "delete": lifecycle.delete}[what]
        self.within_budgets(verb(rows[which % len(rows)]["id"]))

    @rule(killed=st.booleans())
    def kill(self, killed: bool) -> None:
        Money.killed = killed

    @rule()
    def sweep(self) -> None:
        self.do(holds.release_ended())
        for row in self.do(Job.select(Job.id, Job.status, Job.error_code, Job.deleted_at).run()):
            doubtful = row["error_code"] == attempts.SUBMISSION_UNKNOWN and row["deleted_at"] is None
            if row["status"] in ENDED and not doubtful:
                assert self.held_by(row["id"]) == 0

    @invariant()
    def what_is_spent_and_held_is_the_sum_of_the_ledger_and_the_holds(self) -> None:
        for each in self.do(Budget.objects().run()):
            entries = self.do(Ledger.objects().where(Ledger.kind == "settle").run())
            mine = [entry for entry in entries if _is_about(each, entry)]
            assert each.spent == sum(entry.micros for entry in mine), each.scope
            rows = self.do(Job.objects().where(Job.is_held.eq(True)).run())
            assert each.held == sum(row.hold for row in rows if str(each.id) in row.hold_budgets.split()), each.scope

    @invariant()
    def each_job_costs_what_its_attempts_did_and_holds_no_more_than_was_taken(self) -> None:
        for row in self.do(Job.select(Job.id, Job.cost).run()):
            entries = self.do(Ledger.objects().where(Ledger.job == row["id"]).run())
            settled = [entry for entry in entries if entry.kind == "settle"]
            assert (row["cost"] or 0) == sum(entry.micros for entry in settled)
            assert len({entry.attempt for entry in settled}) == len(settled)
            left = sum(entry.micros for entry in entries if entry.kind != "settle")
            assert left == self.held_by(row["id"])

    def held_by(self, job_id: UUID) -> int:
        return sum(row.hold for row in self.do(_holding(job_id).run()))

    def sums(self) -> list[tuple[int, int]]:
        return [(each.spent, each.held) for each in self.do(Budget.objects().order_by(Budget.id).run())]

    def within_budgets(self, verb: Coroutine[Any, Any, Job | None]) -> Job | None:
        """Run a verb that may be refused, and then only because a budget has no room."""
        try:
            return self.do(verb)
        except BudgetExceeded as refused:
            budget, needs = refused.budget, refused.needs
        assert budget.spent + budget.held + needs > budget.amount
        return None


def _is_about(budget: Budget, entry: Ledger) -> bool:
    if budget.scope == "person":
        return str(entry.owner) == budget.subject
    return budget.scope == "all" or entry.model == budget.subject


async def _budgets_held_by(job_id: UUID) -> list[Budget]:
    jobs = await _holding(job_id)
    of = [UUID(budget) for job in jobs for budget in job.hold_budgets.split()]
    return await Budget.objects().where(Budget.id.is_in(of)) if of else []


def _holding(job_id: UUID) -> Any:
    return Job.objects().where((Job.id == job_id) & Job.is_held.eq(True))


async def _empty() -> None:
    async with DB.transaction():
        for table in reversed(TABLES):
            if table is not Library:
                await table.delete(force=True)


async def test_any_order_keeps_the_ledger_right(monkeypatch: pytest.MonkeyPatch) -> None:
    released = holds.release

    async def release(jobs: Any) -> None:
        if not Money.killed:
            await released(jobs)

    monkeypatch.setattr(holds, "release", release)
    Money.loop = asyncio.get_running_loop()
    calm = settings(
        max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    await asyncio.to_thread(run, Money, settings=calm)

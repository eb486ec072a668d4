"""Money is held for a job in the transaction that inserts it, and what it cost is spent once, when it is known."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tasks.accounts import audit, keys
from tasks.accounts.audit import By
from tasks.db import ids
from tasks.db.database import DB, now
from tasks.db.money_tables import Budget, Ledger
from tasks.db.tables import Attempt, Batch, Job, Status, Values
from tasks.errors import Failure
from tasks.jobs import attempts, budgets, bulk, holds, insert, ledger, lifecycle, needs
from tasks.jobs.chunks import one_by_one
from tasks.jobs.holds import BudgetExceeded
from tasks.jobs.insert import NOBODY, Owner
from tasks.jobs.needs import Needs, PriceUnknown, needed
from tasks.replicate.client import Prediction
from tasks.settings import settings
from tasks.spend import limits
from tests import factories
from tests.factories import FLUX
from tests.tasks.plans import asked
from tests.tasks.states import FINAL, PASSING, an_output, nothing

BY = By()
UNPRICED = "nobody/knows"


async def budget(scope: str = "all", amount: str = "0.10/day") -> Budget:
    return await limits.put(scope, amount, BY)


async def state(which: Budget) -> tuple[int, int]:
    """Return what is spent and held of a budget, which is what the ledger and the holds say."""
    row = await Budget.objects().get(Budget.id == which.id)
    assert row is not None
    assert not await budgets.recount(row)
    return row.spent, row.held


async def submitted(count: int = 1, owner: Owner = NOBODY, model: str = FLUX) -> Job:
    return await lifecycle.submit("a fox", model, {"num_outputs": count}, insert.Terms(owner=owner))


async def run(job: Job) -> Job:
    return await factories.running(job.model, f"of-{job.id}")


def ended(job: Job, status: str = "succeeded", **metrics: Any) -> Prediction:
    return Prediction(f"of-{job.id}", status, metrics=metrics)


async def test_without_a_budget_nothing_is_held() -> None:
    job = await submitted()
    assert nothing(job.hold)
    await lifecycle.complete(await run(job), [an_output()], ended(job, image_output_count=1))
    assert not await Job.exists().where(Job.is_held.eq(True))
    assert [entry.kind for entry in await Ledger.objects()] == ["settle"]


async def test_what_a_job_needs_is_held_until_it_is_known_what_it_cost() -> None:
    everything = await budget()
    job = await submitted(4)
    assert (job.hold, job.hold_basis) == (12_000, "metrics")
    assert await state(everything) == (0, 12_000)
    done = await lifecycle.complete(await run(job), [an_output()], ended(job, image_output_count=3))
    assert done is not None
    assert done.cost == 9_000
    assert await state(everything) == (9_000, 0)
    entries = await Ledger.objects().order_by(Ledger.id)
    assert sorted((entry.kind, entry.micros) for entry in entries) == [
        ("hold", 12_000), ("release", -12_000), ("settle", 9_000),
    ]  # fmt: skip


async def test_a_job_that_does_not_fit_is_refused_and_leaves_nothing() -> None:
    everything = await budget(amount="0.01/day")
    await submitted(3)
    with pytest.raises(BudgetExceeded) as caught:
        await submitted(1)
    assert (caught.value.budget.id, caught.value.needs) == (everything.id, 3_000)
    assert (caught.value.budget.spent, caught.value.budget.held) == (0, 9_000)
    assert await Job.count() == 1
    assert await state(everything) == (0, 9_000)


async def test_of_many_at_once_not_one_more_than_the_budget_allows() -> None:
    everything = await budget(amount="0.10/day")
    answers = await asyncio.gather(*(submitted() for _ in range(60)), return_exceptions=True)
    assert sum(isinstance(answer, Job) for answer in answers) == 33
    assert sum(isinstance(answer, BudgetExceeded) for answer in answers) == 27
    assert await Job.count() == 33
    assert await state(everything) == (0, 99_000)


async def test_a_job_falls_under_each_budget_that_it_is_about_and_under_no_other() -> None:
    anna, ben = await factories.person(), await factories.person("ben")
    key = (await keys.add(anna, "ci", ["submit"], BY)).key.id
    all_, of_anna, of_ben = await budget(), await budget("person:anna"), await budget("person:ben")
    of_key, of_flux, of_other = await budget("key:anna/ci"), await budget(f"model:{FLUX}"), await budget("model:a/b")
    await submitted(owner=Owner(anna.id, key))
    held = [(await state(each))[1] for each in (all_, of_anna, of_ben, of_key, of_flux, of_other)]
    assert held == [3_000, 3_000, 0, 3_000, 3_000, 0]
    await submitted(owner=Owner(ben.id))
    assert (await state(of_anna))[1] == 3_000
    assert (await state(of_ben))[1] == 3_000


async def test_when_one_budget_has_no_room_the_others_hold_nothing() -> None:
    anna = await factories.person()
    everything, own = await budget(amount="1/day"), await budget("person:anna", "0.001/day")
    with pytest.raises(BudgetExceeded) as caught:
        await submitted(owner=Owner(anna.id))
    assert caught.value.budget.id == own.id
    assert await state(everything) == (0, 0)


async def test_a_failed_attempt_is_spent_and_the_job_holds_on() -> None:
    everything = await budget()
    job = await submitted()
    await lifecycle.postpone(await run(job), PASSING, 0.0, ended(job, "failed", image_output_count=1))
    assert await state(everything) == (3_000, 3_000)
    await lifecycle.fail(await factories.running(FLUX, "another"), FINAL, Prediction("another", "failed", metrics={}))
    assert await state(everything) == (3_000, 0)


@pytest.mark.parametrize("how", ["cancel", "expire", "cancel_batch", "end_canceled"])
async def test_a_job_that_ends_without_a_run_costs_nothing(how: str) -> None:
    everything = await budget()
    if how == "cancel_batch":
        batch = Batch(id=ids.new(), prompt="a fox", jobs=2, created_at=now())
        await bulk.submit_all(batch, [("a fox", FLUX, {}), ("a hare", FLUX, {})])
        assert await state(everything) == (0, 6_000)
        await bulk.cancel_batch(batch.id)
    elif how == "cancel":
        await lifecycle.cancel((await submitted()).id)
    elif how == "expire":
        job = await submitted()
        await Job.update({Job.deadline_at: now() - timedelta(seconds=1)}).where(Job.id == job.id)
        await lifecycle.expire()
    else:
        await submitted()
        job = await run(await submitted_only())
        await lifecycle.end_canceled(job, ended(job, "canceled"))
    assert await state(everything) == (0, 0)
    assert not await Job.exists().where(Job.is_held.eq(True))


async def submitted_only() -> Job:
    [job] = await Job.objects()
    return job


async def test_a_batch_holds_its_sum_or_nothing() -> None:
    everything = await budget(amount="0.01/day")
    cells: list[tuple[str, str, dict[str, Any]]] = [(f"fox {number}", FLUX, {}) for number in range(4)]
    with pytest.raises(BudgetExceeded) as caught:
        await bulk.submit_all(Batch(id=ids.new(), prompt="a fox", jobs=4, created_at=now()), cells)
    assert caught.value.needs == 12_000
    assert (await Job.count(), await Batch.count()) == (0, 0)
    made = await bulk.submit_all(Batch(id=ids.new(), prompt="a fox", jobs=3, created_at=now()), cells[:3])
    assert [job.hold for job in made] == [3_000] * 3
    assert await state(everything) == (0, 9_000)


@pytest.mark.parametrize("many", [False, True])
async def test_a_retry_is_a_new_hold(many: bool) -> None:
    everything = await budget(amount="0.005/day")
    job = await submitted()
    await lifecycle.cancel(job.id)
    other = await submitted()

    async def again() -> object:
        return await bulk.retry_all(one_by_one(Job.id == job.id)) if many else await lifecycle.retry(job.id)

    with pytest.raises(BudgetExceeded):
        await again()
    assert await state(everything) == (0, 3_000)
    await lifecycle.cancel(other.id)
    assert await again()
    assert await state(everything) == (0, 3_000)
    [row] = await Job.objects().where(Job.id == job.id)
    assert (row.status, row.hold, row.hold_basis) == ("queued", 3_000, "metrics")


async def test_what_may_have_been_charged_stays_held_until_a_person_decides() -> None:
    everything = await budget()
    job = await submitted()
    unknown = Failure(attempts.SUBMISSION_UNKNOWN, "Nobody knows whether it runs.")
    claimed = await lifecycle.claim(30)
    assert claimed is not None
    await attempts.begin(claimed, FLUX, {})
    await lifecycle.fail(claimed, unknown)
    assert await holds.release_ended() == 0
    assert await state(everything) == (0, 3_000)
    assert await lifecycle.retry(job.id) is not None
    assert await state(everything) == (0, 3_000)
    again = await lifecycle.claim(30)
    assert again is not None
    await attempts.begin(again, FLUX, {})
    await lifecycle.fail(again, unknown)
    await lifecycle.delete(job.id)
    assert await state(everything) == (0, 0)


async def test_what_a_killed_process_did_not_release_is_released_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    everything = await budget()
    job = await submitted()

    async def killed(jobs: object) -> None:
        """Stand for a process that is killed after the commit."""

    with monkeypatch.context() as patch:
        patch.setattr(holds, "release", killed)
        await lifecycle.cancel(job.id)
    assert await state(everything) == (0, 3_000)
    assert await holds.release_ended() == 1
    assert await state(everything) == (0, 0)
    assert await holds.release_ended() == 0


async def test_thousands_that_a_killed_process_did_not_release_are_released_with_few_queries() -> None:
    everything, count = await budget(amount="100/day"), 3_000
    cells: list[tuple[str, str, dict[str, Any]]] = [("a fox", FLUX, {})] * count
    await bulk.submit_all(Batch(id=ids.new(), prompt="a fox", jobs=count, created_at=now()), cells)
    await Job.update({Job.status: Status.CANCELED}, force=True)
    with asked() as queries:
        assert await holds.release_ended() == count
    assert len(queries) < 20
    assert await state(everything) == (0, 0)
    released = await Ledger.select(Ledger.micros).where(Ledger.kind == "release").output(as_list=True)
    assert released == [-3_000] * count


async def test_a_model_without_a_price_holds_the_ceiling_and_a_result_costs_it() -> None:
    everything = await budget(amount="1.50/day")
    job = await submitted(model=UNPRICED)
    assert (job.hold, job.hold_basis) == (1_000_000, "ceiling")
    with pytest.raises(BudgetExceeded):
        await submitted(model=UNPRICED)
    done = await lifecycle.complete(await run(job), [an_output()], ended(job, predict_time=1.5))
    assert done is not None
    assert (done.cost, done.cost_basis) == (1_000_000, "ceiling")
    assert await state(everything) == (1_000_000, 0)


async def test_a_model_without_a_price_is_refused_where_the_operator_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "settings", settings.model_copy(update={"unpriced": "refuse"}))
    assert await submitted(model=UNPRICED), "without a budget, it is made"
    await budget()
    with pytest.raises(PriceUnknown):
        await submitted(model=UNPRICED)


async def test_a_new_budget_counts_what_was_spent_before() -> None:
    await factories.paid(image_output_count=4)
    assert await state(await budget()) == (12_000, 0)
    assert await state(await budget(amount="1/total")) == (12_000, 0)
    assert await state(await budget("model:a/b")) == (0, 0)


async def test_a_budget_that_shrinks_judges_no_waiting_job() -> None:
    everything = await budget()
    job = await submitted(4)
    smaller = await budget(amount="0.001/day")
    assert smaller.id == everything.id
    with pytest.raises(BudgetExceeded):
        await submitted()
    done = await lifecycle.complete(await run(job), [an_output()], ended(job, image_output_count=4))
    assert done is not None
    assert await state(smaller) == (12_000, 0)


async def test_a_new_day_starts_over_with_what_is_still_held() -> None:
    everything = await budget(amount="0.02/day")
    await factories.paid(image_output_count=4)
    await submitted(2)
    yesterday: Values = {Budget.starts_at: now() - timedelta(days=2), Budget.ends_at: now() - timedelta(days=1)}
    await Budget.update(yesterday).where(Budget.id == everything.id)
    await Ledger.update({Ledger.at: now() - timedelta(days=1, hours=12)}, force=True)
    assert await submitted(4)
    assert await state(everything) == (0, 18_000)


async def test_a_budget_that_is_removed_holds_nothing_any_more() -> None:
    everything = await budget()
    job = await submitted()
    await limits.remove(everything, BY)
    done = await lifecycle.complete(await run(job), [an_output()], ended(job, image_output_count=1))
    assert done is not None
    assert done.cost == 3_000


@pytest.mark.once
@pytest.mark.parametrize(
    ("period", "moment", "starts", "ends"),
    [
        ("day", "2026-03-29T12:00", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours: summer time begins
        ("day", "2026-10-25T12:00", "2026-10-24T22:00", "2026-10-25T23:00"),  # 25 hours
        ("day", "2026-12-31T23:30", "2026-12-31T23:00", "2027-01-01T23:00"),
        ("month", "2026-02-28T23:30", "2026-02-28T23:00", "2026-03-31T22:00"),
        ("month", "2026-12-15T00:00", "2026-11-30T23:00", "2026-12-31T23:00"),
    ],
)
def test_a_day_and_a_month_are_those_of_the_zone(period: str, moment: str, starts: str, ends: str) -> None:
    found = budgets.window(period, datetime.fromisoformat(f"{moment}+00:00"), ZoneInfo("Europe/Berlin"))
    assert (found.starts_at, found.ends_at) == tuple(
        datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (starts, ends)
    )


@pytest.mark.once
def test_a_budget_in_total_has_no_end() -> None:
    assert budgets.window("total", now()).ends_at is None


async def test_a_budget_that_this_process_has_not_heard_of_holds_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    for known in ([], [await budget("model:stability-ai/sdxl")]):

        async def recent(known: list[Budget] = known) -> list[Budget]:
            return known

        everything = await budget(amount="0.003/total" if known else "0.003/month")
        with monkeypatch.context() as patch:
            patch.setattr(budgets, "recent", recent)
            job = await submitted()
            assert job.hold == 3_000
            assert await state(everything) == (0, 3_000)
            with pytest.raises(BudgetExceeded):
                await submitted()
        await limits.remove(everything, BY)


async def test_a_budget_that_is_removed_while_a_job_is_submitted_holds_nothing_of_it() -> None:
    removed, everything = await budget(f"model:{FLUX}"), await budget()
    new = insert.new_job("a fox", FLUX, {}, insert.DEFAULTS, 1)
    of_new = await needed([new], await budgets.current())
    await limits.remove(removed, BY)

    async def do(needs: Needs) -> tuple[UUID, ...]:
        async with DB.transaction():
            await holds.take(needs)
        return needs[new.id].budgets

    assert await holds.within_budgets(do, [new], of_new) == (everything.id,)


async def test_only_the_budgets_that_a_job_falls_under_are_touched_when_it_ends() -> None:
    await factories.person()
    everything, hers = await budget(), await budget("person:anna")
    job = await submitted()
    known = await budgets.current()
    assert {each.id for each in known} == {everything.id, hers.id}
    touched = [step.statement.compile_string("sqlite")[1] for step in holds.settled(job, 3_000, known, ends=True)]
    assert any(everything.id in values for values in touched)
    assert not any(hers.id in values for values in touched)


async def test_a_budget_that_disagrees_with_the_ledger_is_counted_again(caplog: pytest.LogCaptureFixture) -> None:
    everything = await budget()
    await submitted()
    await limits.check()
    assert caplog.text == ""
    await Budget.update({Budget.spent: 7, Budget.held: 8}, force=True)
    with caplog.at_level("WARNING"):
        await limits.check()
    assert "the budget all did not agree with the ledger" in caplog.text
    assert await state(everything) == (0, 3_000)


async def test_a_budget_of_which_most_is_used_is_noted_once(caplog: pytest.LogCaptureFixture) -> None:
    await budget(amount="0.01/day")
    await submitted(2)
    await limits.warn()
    assert await audit_actions() == ["budget set"]
    await submitted()
    for _ in range(2):
        await limits.warn()
    assert await audit_actions() == ["budget 80 % used", "budget set"]
    assert caplog.text.count("80 % of the budget all is used") == 1


async def audit_actions() -> list[str]:
    return [entry.action for entry in await audit.latest(9)]


async def test_what_a_prediction_cost_that_turned_up_late_is_spent_once_and_what_was_held_is_released() -> None:
    everything = await budget()
    await submitted()
    claimed = await lifecycle.claim(30)
    assert claimed is not None
    attempt = await attempts.begin(claimed, FLUX, {})
    assert attempt is not None
    await lifecycle.fail(claimed, Failure(attempts.SUBMISSION_UNKNOWN, "Nobody knows whether it runs."))
    late: Values = {Attempt.prediction_id: "late", Attempt.error_code: "found_late"}
    await Attempt.update(late).where(Attempt.id == attempt.id)
    for _ in range(2):
        await ledger.settle_late(attempt, Prediction("late", "succeeded", metrics={"image_output_count": 2}))
    assert await state(everything) == (6_000, 0)
    job = await submitted_only()
    assert (job.status, job.cost) == ("failed", 6_000)
    assert not await Attempt.exists().where(attempts.UNSETTLED)

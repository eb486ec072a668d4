"""What a job cost is put right in the ledger, the job and its budgets at once."""

import asyncio
import json

import pytest
from piccolo.query.functions.aggregate import Sum

from tasks.accounts import audit, keys
from tasks.accounts.audit import By
from tasks.db.account_tables import AuditEntry
from tasks.db.money_tables import Budget, Ledger
from tasks.db.tables import Job
from tasks.jobs import budgets, lifecycle, quotes
from tasks.jobs.insert import Owner
from tasks.replicate.client import Prediction
from tasks.spend import adjustments, limits, totals
from tests import factories
from tests.factories import FLUX, SDXL
from tests.tasks.states import an_output, nothing

BOSS = By("boss", "192.0.2.1")
SCOPES = ("all", "person:anna", "key:anna/ci", f"model:{FLUX}")


@pytest.fixture
async def owner() -> Owner:
    """Return a person with a key, with a budget for each of what their jobs fall under, and for what they do not."""
    anna = await factories.person()
    await factories.person("ben")
    key = (await keys.add(anna, "ci", ["submit"], BOSS)).key.id
    for scope in (*SCOPES, "person:ben", "model:a/b"):
        await limits.put(scope, "1/month", BOSS)
    return Owner(anna.id, key)


async def paid(owner: Owner) -> Job:
    """Return a job that has cost $0.003."""
    job = await factories.submitted(model=f"{FLUX}:abc", owner=owner)
    prediction = Prediction(f"of-{job.id}", "succeeded", metrics={"image_output_count": 1})
    done = await lifecycle.complete(await factories.running(FLUX, prediction.id), [an_output()], prediction)
    assert done is not None
    return done


async def adjusted(job: Job, micros: int) -> Job:
    after = await adjustments.adjust(job, micros, "money back", BOSS)
    assert after is not None
    return after


async def sums() -> tuple[int, int, int]:
    """Return what the ledger, the totals of the day and all jobs say was spent, of which the budgets know as well."""
    spent = Ledger.kind.is_in(["settle", "adjust"])
    [entered] = await Ledger.select(Sum(Ledger.micros)).where(spent)
    [cost] = await Job.select(Sum(Job.cost))
    known = await budgets.current()
    for budget in known:
        assert not await budgets.recount(budget), "it agrees with the ledger"
    total = totals.summed(await totals.of_day(totals.today())).micros
    of_budgets = {budget.spent for budget in known if limits.label(budget) in SCOPES}
    assert of_budgets == {total}
    assert {budget.spent for budget in known if limits.label(budget) not in SCOPES} == {0}
    return int(entered["sum"]), total, int(cost["sum"])


@pytest.mark.parametrize("micros", [50_000, -1_000, -3_000])
async def test_the_ledger_the_totals_the_job_and_its_budgets_agree(owner: Owner, micros: int) -> None:
    job = await paid(owner)
    assert await sums() == (3_000, 3_000, 3_000)
    after = await adjusted(job, micros)
    assert (after.cost, after.cost_basis) == (3_000 + micros, "adjusted")
    assert await sums() == (3_000 + micros,) * 3
    assert after.changed_at > job.changed_at


async def test_the_entry_says_whose_it_is_and_why(owner: Owner) -> None:
    job = await paid(owner)
    await adjusted(job, -1_000)
    entry = await Ledger.objects().get(Ledger.kind == "adjust")
    assert entry is not None
    assert (entry.job, entry.owner, entry.api_key, entry.model) == (job.id, owner.person, owner.key, FLUX)
    assert (entry.micros, entry.basis, json.loads(entry.price)) == (-1_000, "adjusted", {"note": "money back"})
    assert (entry.attempt is None, entry.pretend) == (True, True)


async def test_it_is_in_the_audit(owner: Owner) -> None:
    job = await paid(owner)
    await adjusted(job, -1_000)
    [entry] = await audit.latest(1)
    assert (entry.actor, entry.address, entry.action) == ("boss", "192.0.2.1", "cost adjusted")
    assert entry.subject == str(job.id)
    assert json.loads(entry.before) == {"cost": "0.003"}
    assert json.loads(entry.after) == {"cost": "0.002", "note": "money back"}


async def test_nothing_costs_less_than_nothing(owner: Owner) -> None:
    job, entries = await paid(owner), await AuditEntry.count()
    assert await adjustments.adjust(job, -3_001, "too much", BOSS) is None
    assert await sums() == (3_000, 3_000, 3_000)
    assert await AuditEntry.count() == entries
    row = await Job.objects().get(Job.id == job.id)
    assert row is not None
    assert (row.cost, row.cost_basis, row.changed_at) == (3_000, "metrics", job.changed_at)


async def test_of_many_at_once_each_counts_once_and_none_too_many(owner: Owner) -> None:
    job = await paid(owner)
    answers = await asyncio.gather(*(adjustments.adjust(job, -1_000, "money back", BOSS) for _ in range(9)))
    assert sum(answer is not None for answer in answers) == 3
    assert await sums() == (0, 0, 0)


async def test_what_a_job_holds_stays_held(owner: Owner) -> None:
    job = await factories.submitted(model=FLUX, owner=owner)
    await adjusted(job, 1_000)
    assert await sums() == (1_000, 1_000, 1_000)
    assert {budget.held for budget in await Budget.objects() if limits.label(budget) in SCOPES} == {3_000}
    assert await Job.count().where(Job.is_held.eq(True)) == 1


async def test_a_run_without_a_price_gets_a_cost_and_is_one_that_counts() -> None:
    job = await factories.paid(SDXL, predict_time=1.5)
    month = totals.today().replace(day=1)
    assert nothing(job.cost)
    assert await totals.unpriced(month) == 1
    assert (await adjusted(job, 2_900)).cost == 2_900
    assert await totals.unpriced(month) == 0


async def test_it_says_nothing_of_what_a_run_usually_costs(owner: Owner) -> None:
    await adjusted(await paid(owner), 50_000)
    assert await quotes.last_runs(FLUX) == [3_000]

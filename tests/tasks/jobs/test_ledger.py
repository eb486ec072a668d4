"""The ledger has one entry for each attempt that ended and whose cost is known, and a job's cost is their sum."""

import json
from typing import Any

from tasks.db.money_tables import Ledger
from tasks.db.tables import Attempt, Job
from tasks.jobs import ledger, lifecycle
from tasks.replicate.client import Prediction
from tests import factories
from tests.factories import FLUX
from tests.tasks.states import PASSING, an_output, nothing, passes, row, taken_over


def ended(number: int, status: str = "succeeded", **metrics: Any) -> Prediction:
    return Prediction(f"p{number}", status, metrics=metrics)


async def begun(number: int) -> Job:
    """Return the job that waits, claimed, with an attempt whose prediction is known."""
    return await factories.running(FLUX, f"p{number}")


async def test_a_completed_job_costs_what_its_attempt_cost() -> None:
    await factories.submitted(model=FLUX)
    job = await begun(1)
    done = await lifecycle.complete(job, [an_output()], ended(1, image_output_count=4, predict_time=1.5))
    assert done is not None
    assert (done.cost, done.cost_basis) == (12_000, "metrics")
    [entry] = await ledger.entries(job.id)
    assert (entry.job, entry.attempt, entry.model, entry.micros) == (job.id, job.attempt, FLUX, 12_000)
    price = json.loads(entry.price)
    assert price["text"] == "$3.00 per thousand output images"
    assert price["source"] == f"https://replicate.com/{FLUX}"


async def test_each_attempt_adds_what_it_cost() -> None:
    await factories.submitted(model=FLUX)
    first = await begun(1)
    again = await lifecycle.postpone(first, PASSING, 0.0, ended(1, "failed", image_output_count=1))
    assert again is not None
    assert again.cost == 3_000
    second = await begun(2)
    done = await lifecycle.complete(second, [an_output()], ended(2, image_output_count=2))
    assert done is not None
    assert done.cost == 9_000
    assert [entry.micros for entry in await ledger.entries(first.id)] == [3_000, 6_000]
    assert {entry.attempt for entry in await ledger.entries(first.id)} == {first.attempt, second.attempt}


async def test_a_run_whose_outputs_are_of_no_use_was_paid_for_all_the_same() -> None:
    await factories.submitted(model=FLUX)
    job = await begun(1)
    failed = await lifecycle.fail(job, PASSING, ended(1, image_output_count=1))
    assert failed is not None
    assert (failed.status, failed.cost) == ("failed", 3_000)


async def test_what_was_not_measured_is_what_was_requested() -> None:
    await factories.submitted(parameters={"num_outputs": 3}, model=FLUX)
    done = await lifecycle.complete(await begun(1), [an_output()], ended(1, predict_time=1.5))
    assert done is not None
    assert (done.cost, done.cost_basis) == (9_000, "input")


async def test_a_cost_that_is_not_known_is_no_entry() -> None:
    await factories.submitted(model="stability-ai/sdxl")
    done = await lifecycle.complete(await begun(1), [an_output()], ended(1, predict_time=1.5))
    assert done is not None
    assert nothing(done.cost, done.cost_basis)
    await factories.submitted(model=FLUX)
    lost = await lifecycle.fail(await begun(2), PASSING, Prediction("p2", "processing"))
    assert lost is not None
    assert nothing(lost.cost)
    assert await Ledger.count() == 0


async def test_a_worker_without_its_lease_enters_nothing() -> None:
    await factories.submitted(model=FLUX)
    old = await begun(1)
    await passes(old.id, Job.lease_until)
    new = await taken_over()
    assert await lifecycle.complete(old, [an_output()], ended(1, image_output_count=1)) is None
    assert await Ledger.count() == 0
    assert await lifecycle.complete(new, [an_output()], ended(1, image_output_count=1)) is not None
    assert await lifecycle.complete(new, [an_output()], ended(1, image_output_count=1)) is None
    assert [entry.micros for entry in await Ledger.objects()] == [3_000]
    assert (await row(old)).cost == 3_000


async def test_an_entry_stays_when_its_job_is_deleted() -> None:
    await factories.submitted(model=FLUX)
    job = await begun(1)
    await lifecycle.complete(job, [an_output()], ended(1, image_output_count=1))
    assert await lifecycle.delete(job.id) is not None
    assert await Attempt.count() == 0
    assert len(await ledger.entries(job.id)) == 1

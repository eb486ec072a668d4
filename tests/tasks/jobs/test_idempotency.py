"""Idempotency keys: a request that is repeated makes nothing new, and one that failed leaves no key."""

import asyncio
from uuid import uuid4

import pytest

from tasks.accounts.audit import By
from tasks.db.request_tables import IdempotencyKey
from tasks.db.tables import Job
from tasks.errors import Failure
from tasks.jobs import idempotency, insert, lifecycle
from tasks.jobs.holds import BudgetExceeded
from tasks.jobs.idempotency import Key, KeyMismatch, KeyTaken
from tasks.spend import limits
from tests.factories import FLUX, SDXL


def key_of(text: str, body: object = None) -> Key:
    return idempotency.of("anna", text, "POST", "/generate", body)


async def submitted(key: Key, prompt: str = "a fox", model: str = SDXL) -> Job:
    return await lifecycle.submit(prompt, model, {}, key=key)


async def test_a_key_names_what_its_request_made() -> None:
    job = await submitted(key_of("one"))
    row = await idempotency.find(key_of("one"))
    assert row is not None
    assert row.job == job.id
    assert await idempotency.find(key_of("two")) is None


async def test_the_order_of_members_does_not_matter_and_everything_else_does() -> None:
    await submitted(key_of("one", {"prompt": "a fox", "seed": 7}))
    assert await idempotency.find(key_of("one", {"seed": 7, "prompt": "a fox"})) is not None
    for other in (
        key_of("one", {"prompt": "a fox", "seed": 8}),
        idempotency.of("anna", "one", "PUT", "/generate", {"prompt": "a fox", "seed": 7}),
        idempotency.of("anna", "one", "POST", "/batches", {"prompt": "a fox", "seed": 7}),
    ):
        with pytest.raises(KeyMismatch):
            await idempotency.find(other)


async def test_each_sender_has_its_own_keys() -> None:
    await submitted(key_of("one"))
    assert await idempotency.find(idempotency.of("ben", "one", "POST", "/generate", None)) is None


async def test_of_many_requests_with_one_key_at_once_one_makes_a_job() -> None:
    made = await asyncio.gather(*(submitted(key_of("one")) for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(each, Job) for each in made) == 1
    assert sum(isinstance(each, KeyTaken) for each in made) == 19
    assert await Job.count() == 1


async def test_a_taken_key_does_no_harm_to_the_jobs_that_share_its_transaction() -> None:
    await submitted(key_of("one"))
    made = await asyncio.gather(
        submitted(key_of("two"), "a hare"),
        submitted(key_of("one")),
        submitted(key_of("three"), "an owl"),
        lifecycle.submit("an elk", SDXL, {}),
        return_exceptions=True,
    )
    assert [isinstance(each, Job) for each in made] == [True, False, True, True]
    assert isinstance(made[1], KeyTaken)
    assert {job.prompt for job in await Job.objects()} == {"a fox", "a hare", "an owl", "an elk"}


async def test_a_request_that_a_budget_refuses_leaves_no_key_and_a_taken_key_holds_nothing() -> None:
    await limits.put("all", "0.004/total", By())  # one picture of FLUX costs 0.003
    await submitted(key_of("one"), model=FLUX)
    with pytest.raises(BudgetExceeded):
        await submitted(key_of("two"), model=FLUX)
    assert await idempotency.find(key_of("two")) is None
    with pytest.raises(KeyTaken):
        await submitted(key_of("one"), model=FLUX)
    [budget] = await limits.listed()
    assert budget.held == 3000


async def test_a_retry_with_a_key_that_is_taken_changes_nothing() -> None:
    job = await submitted(key_of("one"))
    claimed = await lifecycle.claim(30)
    assert claimed is not None
    await lifecycle.fail(claimed, Failure("moderated", "No."))
    with pytest.raises(KeyTaken):
        await lifecycle.retry(job.id, key_of("one"))
    after = await Job.objects().get(Job.id == job.id)
    assert after is not None
    assert after.status == "failed"
    assert await lifecycle.retry(job.id, key_of("two")) is not None
    row = await idempotency.find(key_of("two"))
    assert row is not None
    assert row.job == job.id


async def test_once_carries_out_what_was_not_done_and_finds_what_was() -> None:
    key, done = key_of("one"), 0

    async def do() -> str:
        nonlocal done
        done += 1
        await idempotency.enter(key, job=uuid4())
        return "made"

    async def find(_: IdempotencyKey) -> str:
        return "found"

    assert await idempotency.once(key, do, find) == ("made", False)
    assert await idempotency.once(key, do, find) == ("found", True)
    assert done == 1


async def test_once_finds_what_another_request_made_just_before_it() -> None:
    key = key_of("one")

    async def too_late() -> str:
        await idempotency.enter(key, job=uuid4())
        raise KeyTaken

    async def find(_: IdempotencyKey) -> str:
        return "found"

    assert await idempotency.once(key, too_late, find) == ("found", True)


async def test_a_job_with_metadata_is_inserted_where_there_is_no_budget() -> None:
    job = await lifecycle.submit("a fox", SDXL, {}, insert.Terms(metadata={"order": "17"}))
    after = await Job.objects().get(Job.id == job.id)
    assert after is not None
    assert after.metadata == '{"order": "17"}'

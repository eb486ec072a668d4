"""Failures are gathered by what they have in common, retried as one, and dismissed until the next one comes."""

import pytest

from tasks.errors import Failure
from tasks.jobs import lifecycle
from tasks.operations import failures
from tests.tasks.states import submitted


async def failed(text: str, code: str = "model_failed", model: str = "stability-ai/sdxl") -> None:
    """Make a job that fails with a text."""
    await lifecycle.submit("a fox", model, {"width": 512})
    job = await lifecycle.claim(30)
    assert job is not None
    assert await lifecycle.fail(job, Failure(code, text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Out of memory: 12 GiB", "Out of memory: 3.5 GiB"),
        ("Prediction x7k2m9q4h1 is gone", "Prediction b3w8n5r6t0 is gone"),
        ("No file 0191e7a4-1111-7222-8333-444455556666", "No file 0199aaaa-2222-7333-9444-555566667777"),
    ],
)
def test_ids_and_numbers_make_no_difference(one: str, other: str) -> None:
    assert failures.without_particulars(one) == failures.without_particulars(other)


def test_words_make_a_difference() -> None:
    assert failures.without_particulars("The model failed") != failures.without_particulars("The prompt failed")


async def test_failures_alike_are_one_group_with_its_models_times_and_newest_job(database: None) -> None:
    await failed("Out of memory: 12 GiB")
    await failed("Out of memory: 9 GiB", model="owner/other:1")
    await failed("Rejected", code="moderated")
    await submitted()
    memory, moderated = await failures.groups()
    assert (memory.text, memory.code) == ("Out of memory: # GiB", "model_failed")
    assert memory.models == {"stability-ai/sdxl": 1, "owner/other": 1}
    assert memory.first <= memory.last
    assert memory.sample == memory.job_ids[0] == max(memory.job_ids)
    assert (moderated.code, len(moderated.job_ids)) == ("moderated", 1)


async def test_a_dismissed_group_is_shown_again_only_with_what_fails_later(database: None) -> None:
    await failed("Out of memory: 12 GiB")
    await failed("Out of memory: 13 GiB")
    [group] = await failures.groups()
    await failures.dismiss(group)
    assert await failures.groups() == []
    assert await failures.find(group.fingerprint) is None
    await failed("Out of memory: 14 GiB")
    [again] = await failures.groups()
    assert (again.fingerprint, len(again.job_ids)) == (group.fingerprint, 1)


async def test_a_group_is_retried_as_one_and_its_price_is_known_before(database: None) -> None:
    for _ in range(3):
        await failed("Out of memory: 12 GiB", model="black-forest-labs/flux-schnell")
    await failed("Rejected", code="moderated")
    group = (await failures.groups())[0]
    price = await failures.price(group)
    assert price.low is not None
    assert price.high is not None
    assert 0 < price.low <= price.high
    assert await failures.retry(group) == 3
    assert [left.code for left in await failures.groups()] == ["moderated"]


async def test_without_a_known_price_there_is_none(database: None) -> None:
    await failed("Out of memory", model="nobody/knows")
    [group] = await failures.groups()
    assert await failures.price(group) == failures.Price(None, None)

"""Batches: every combination is checked, all are submitted or none, and no other client waits longer for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tasks.admission import batches
from tasks.admission.options import Options
from tasks.db.tables import Batch, Job, Status
from tasks.errors import DatabaseAway, Failure, Rejected
from tasks.jobs import attempts, bulk, lifecycle, queue
from tasks.jobs.transitions import MAX_ANNOUNCED
from tasks.messaging import events
from tasks.replicate.client import Replicate
from tests.tasks.states import LEASE, P1, row, submitted

SDXL, FLUX, NANO = "stability-ai/sdxl", "black-forest-labs/flux-schnell", "google/nano-banana"


@pytest.fixture
async def replicate() -> AsyncIterator[Replicate]:
    replicate = Replicate()
    yield replicate
    await replicate.aclose()


async def made(
    replicate: Replicate, prompt: object = "{red|blue} fox", models: object = None, seeds: object = None, **more: Any
) -> tuple[Batch, list[Job]]:
    batch, jobs, _ = await batches.submit(prompt, models, seeds, more.pop("parameters", {}), replicate, Options(**more))
    return batch, jobs


async def faults(replicate: Replicate, *matrix: Any, **more: Any) -> dict[str, list[str]]:
    with pytest.raises(Rejected) as rejected:
        await made(replicate, *matrix, **more)
    assert (await Batch.count(), await Job.count()) == (0, 0)
    told: dict[str, list[str]] = {}
    for fault in rejected.value.faults:
        told.setdefault(fault.pointer, []).append(fault.message)
    return told


async def test_every_combination_is_a_job_in_its_place(replicate: Replicate) -> None:
    batch, submitted = await made(replicate, "{red|blue} fox", [SDXL, FLUX], [7, 8], client="me", priority="low")
    kept = await Job.objects().where(Job.batch == batch.id).order_by(Job.batch_place)
    assert [job.id for job in kept] == [job.id for job in submitted]
    assert [(job.prompt, job.model, job.parameters) for job in kept[:3]] == [
        ("red fox", SDXL, '{"seed": 7}'), ("red fox", SDXL, '{"seed": 8}'), ("red fox", FLUX, '{"seed": 7}'),
    ]  # fmt: skip
    assert {(job.client, job.priority, job.status) for job in kept} == {("me", 1, Status.QUEUED)}
    assert batches.axes(batch) == [
        {"name": "prompt", "values": ["red", "blue"]},
        {"name": "model", "values": [SDXL, FLUX]},
        {"name": "seed", "values": [7, 8]},
    ]
    assert (batch.prompt, batch.jobs) == ("{red|blue} fox", 8)


async def test_so_many_seeds_are_random_ones(replicate: Replicate) -> None:
    batch, submitted = await made(replicate, "a fox", None, 20)
    [axis] = batches.axes(batch)
    assert axis["random"]
    assert len(set(axis["values"])) == len(submitted) == 20


async def test_a_parameter_that_one_model_does_not_have_is_told_with_both_names(replicate: Replicate) -> None:
    told = await faults(replicate, "{red|blue} fox", [SDXL, FLUX], parameters={"width": 512})
    [message] = told["/parameters/width"]
    assert FLUX in message
    assert "'width'" in message


async def test_a_single_bad_combination_sends_nothing(replicate: Replicate) -> None:
    assert list(await faults(replicate, "{a fox|   }")) == ["/prompt"]
    told = await faults(replicate, "{red|blue} fox", [SDXL, FLUX], parameters={"num_outputs": 9})
    assert told["/parameters/num_outputs"][0] == f"{SDXL}: num_outputs must be at most 4."
    assert len(told["/parameters/num_outputs"]) == 2, "once for each model, however many combinations"


async def test_what_cannot_be_is_told_where_it_stands(replicate: Replicate, standin: str) -> None:
    assert list(await faults(replicate, None)) == ["/prompt"]
    assert list(await faults(replicate, "{a|{b|c}}")) == ["/prompt"]
    assert list(await faults(replicate, "a", [])) == ["/models"]
    assert list(await faults(replicate, "a", [SDXL, "nonsense", None])) == ["/models/1", "/models/2"]
    assert list(await faults(replicate, "a", [SDXL, "nobody/nothing"])) == ["/models/1"]
    assert list(await faults(replicate, "a", None, [1, True, "2", 2**70])) == ["/seeds/1", "/seeds/2", "/seeds/3"]
    assert list(await faults(replicate, "a", None, 0)) == ["/seeds"]
    assert list(await faults(replicate, "a", None, priority="now", finish_within=1)) == ["/priority", "/finish_within"]


async def test_seeds_are_for_models_that_have_one_and_are_given_once(replicate: Replicate) -> None:
    assert await faults(replicate, "a", [SDXL, NANO], [1, 2]) == {"/seeds": [f"{NANO} does not accept a seed."]}
    assert list(await faults(replicate, "a", None, [1, 2], parameters={"seed": 3})) == ["/seeds"]


async def test_a_batch_has_two_hundred_and_fifty_six_jobs_at_most(replicate: Replicate) -> None:
    told = await faults(replicate, "{a|b}", None, 129)
    assert told == {"": ["That makes 258 prints; the maximum is 256."]}
    assert "far too many" in (await faults(replicate, "{a|b}" * 64))[""][0]
    _, submitted = await made(replicate, "{a|b}" * 8)
    assert len(submitted) == await Job.count() == 256


async def test_a_database_that_goes_away_in_the_middle_leaves_nothing(
    replicate: Replicate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(client: str, priority: int) -> int:
        assert await Batch.count() == 1
        raise DatabaseAway("gone")

    monkeypatch.setattr(queue, "first_turn", away)
    with pytest.raises(DatabaseAway):
        await made(replicate)
    assert (await Batch.count(), await Job.count()) == (0, 0)


async def test_all_is_announced_after_the_commit_and_of_a_large_batch_no_more_than_pages_want(
    replicate: Replicate, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    def publish(channel: str, job_id: object) -> None:
        assert not Job._meta.db.transaction_exists()
        told.append(1)

    monkeypatch.setattr(events, "publish", publish)
    await made(replicate, "{a|b}" * 8)
    assert len(told) == MAX_ANNOUNCED < 256


async def test_the_jobs_of_a_batch_take_turns_with_those_of_others(replicate: Replicate) -> None:
    _, many = await made(replicate, "{a|b}" * 8, client="m")
    assert [job.turn for job in many] == list(range(1, 257))
    first = [await lifecycle.claim(LEASE) for _ in range(3)]
    for _ in range(3):
        await submitted("other")
    order = ""
    for _ in range(6):
        job = await lifecycle.claim(LEASE)
        assert job is not None
        order += job.client[0]
    assert all(first)
    assert sorted(order[:2]) == sorted(order[2:4]) == sorted(order[4:]) == ["m", "o"]


async def test_a_second_batch_stands_behind_the_first_of_the_same_client(replicate: Replicate) -> None:
    await made(replicate, "{a|b|c}", client="me")
    _, later = await made(replicate, "{d|e}", client="me")
    assert [job.turn for job in later] == [4, 5]


async def test_batches_that_one_client_submits_at_once_share_no_turn(replicate: Replicate) -> None:
    submissions = await asyncio.gather(*(made(replicate, "{a|b|c}", client="me") for _ in range(4)))
    turns = [job.turn for _, submitted in submissions for job in submitted]
    assert sorted(turns) == list(range(1, 13))


async def test_what_is_left_of_a_batch_is_called_off(replicate: Replicate) -> None:
    batch, submitted = await made(replicate, "{a|b|c|d}")
    done, running = await lifecycle.claim(LEASE), await lifecycle.claim(LEASE)
    assert done is not None
    assert running is not None
    await lifecycle.complete(done, [])
    attempt = await attempts.begin(running, "m/m:1", {})
    assert attempt is not None
    await attempts.record_prediction(running, attempt, P1.id)
    other = await lifecycle.submit("another", SDXL, {})
    await bulk.cancel_batch(batch.id)
    statuses = [(await row(job)).status for job in submitted]
    assert statuses == [Status.COMPLETED, Status.RUNNING, Status.CANCELED, Status.CANCELED]
    assert (await row(running)).cancel_requested
    assert (await row(other)).status == Status.QUEUED
    progress = await batches.progress(batch)
    assert (progress.ended, progress.unfinished) == (3, True)
    await lifecycle.end_canceled(await row(running), P1)
    assert not (await batches.progress(batch)).unfinished


async def test_the_progress_counts_every_job_also_those_that_were_deleted(replicate: Replicate) -> None:
    batch, _ = await made(replicate, "{a|b|c}")
    done, failed = await lifecycle.claim(LEASE), await lifecycle.claim(LEASE)
    assert done is not None
    assert failed is not None
    await lifecycle.complete(done, [])
    await lifecycle.delete(done.id)
    await lifecycle.fail(failed, Failure("moderated", "No."))
    progress = await batches.progress(batch)
    assert progress.counts == {"queued": 1, "running": 0, "completed": 0, "failed": 1, "canceled": 0}
    assert (progress.size, progress.deleted, progress.ended) == (3, 1, 2)
    assert [card.deleted for card in await batches.prints(batch)] == [True, False, False]

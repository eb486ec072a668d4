"""Requests with an unknown outcome: searched for patiently, never sent again on a guess, canceled when late."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tasks.db.database import now
from tasks.db.tables import Attempt, Job, Status
from tasks.jobs import attempts, lifecycle
from tasks.library import cards
from tasks.models import registry
from tasks.predictions import orphans
from tasks.replicate.client import Replicate
from tasks.replicate.errors import OutcomeUnknown
from tests.conftest import NO_KEEPALIVE, Faults
from tests.tasks.states import begun, claimed, kept, row
from tests.tasks.work import FLUX, QUICK, SDXL, at_work, ended, submitted, until
from tests.waiting import eventually

SEARCHING = 10.0  # seconds: longer than the list is late in the tests below


@pytest.fixture
async def patient(faults: Faults) -> AsyncIterator[Faults]:
    """Run a worker that reads the list often enough to find late predictions. Yields the stand-in's faults."""
    async with at_work(timings=replace(QUICK, search_delays=(0.1, 0.2, 0.3), search_window=SEARCHING)):
        yield faults


@pytest.fixture
async def hasty(faults: Faults) -> AsyncIterator[Faults]:
    """Run a worker that soon gives up the search for a prediction. Yields the stand-in's faults."""
    async with at_work(timings=replace(QUICK, search_window=0.2)):
        yield faults


@pytest.fixture
async def trusting(faults: Faults) -> AsyncIterator[Faults]:
    """Run a worker that creates many predictions at once for a minute after an answer. Yields the stand-in's faults."""
    async with at_work(timings=replace(QUICK, circuit_closed=60.0)):
        yield faults


@pytest.fixture
async def slow_predictions(standin: str) -> AsyncIterator[None]:
    async with httpx.AsyncClient(base_url=standin, limits=NO_KEEPALIVE) as control:
        (await control.post("/_standin/pace", json={"pace": 60})).raise_for_status()
        yield
        (await control.post("/_standin/pace", json={"pace": 0.05})).raise_for_status()


@pytest.fixture
async def replicate(faults: Faults) -> AsyncIterator[Replicate]:
    client = Replicate()
    yield client
    await client.aclose()


@pytest.mark.parametrize("status", [500, 503, 502, 408, 409, 418, 425, 499])
async def test_what_is_denied_and_listed_late_is_found_and_not_paid_twice(patient: Faults, status: int) -> None:
    prompt = f"a denied fox {status}"
    await patient.script({"on": "create", "match": prompt, "do": "deny", "status": status, "unlisted": 1.5})
    card = await ended(await submitted(prompt))
    assert card.job.status == Status.COMPLETED, card.job.error
    assert len(await patient.created(prompt)) == 1
    [attempt] = await cards.attempts(card.job.id)
    assert attempt.error_code is None


async def test_what_was_lost_and_is_listed_late_is_found(patient: Faults) -> None:
    prompt = "a lost fox that is listed late"
    await patient.script({"on": "create", "match": prompt, "do": "drop_answer", "unlisted": 1.5})
    card = await ended(await submitted(prompt))
    assert card.job.status == Status.COMPLETED, card.job.error
    assert len(await patient.created(prompt)) == 1


@pytest.mark.parametrize("status", [408, 409, 418, 425, 499, 400])
async def test_a_status_that_replicate_does_not_document_does_not_say_that_nothing_was_created(
    working: Faults, status: int
) -> None:
    prompt = f"a fox answered with {status}"
    await working.script({"on": "create", "match": prompt, "do": "status", "status": status})
    card = await ended(await submitted(prompt))
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "submission_unknown")


async def test_a_cancel_while_the_list_is_down_ends_when_the_prediction_is_known_and_called_off(
    working: Faults, slow_predictions: None
) -> None:
    prompt = "a canceled fox that nobody knows of"
    await working.script(
        {"on": "create", "match": prompt, "do": "drop_answer"},
        {"on": "list", "do": "status", "status": 503, "lasting": 2},
    )
    job = await submitted(prompt)
    await until(job.id, lambda card: card.job.attempt is not None)
    assert await lifecycle.cancel(job.id) is not None
    assert (await ended(job)).job.status == Status.CANCELED
    [prediction] = await working.created(prompt)
    assert prediction["status"] == "canceled"
    [attempt] = await cards.attempts(job.id)
    assert attempt.prediction_id == prediction["id"]


async def test_what_turns_up_after_a_cancel_is_called_off(hasty: Faults) -> None:
    prompt = "a canceled fox that turns up late"
    await hasty.script(
        {"on": "create", "match": prompt, "do": "hang_answer", "seconds": 1, "unlisted": 4},
    )
    standin_is_slow = {"on": "get", "do": "status", "status": 503, "times": 1}
    await hasty.script(standin_is_slow)
    job = await submitted(prompt)
    await until(job.id, lambda card: card.job.attempt is not None)
    assert await lifecycle.cancel(job.id) is not None
    assert (await ended(job)).job.status == Status.CANCELED
    [prediction] = await hasty.created(prompt)

    async def is_settled() -> bool:
        [attempt] = await cards.attempts(job.id)
        return (attempt.prediction_id, attempt.error_code) == (prediction["id"], "found_late")

    await eventually(is_settled)


async def test_a_late_prediction_that_still_runs_is_canceled_and_named_by_its_attempt(
    replicate: Replicate, faults: Faults
) -> None:
    await faults.script({"on": "create", "do": "run", "seconds": 60})
    job, attempt, prediction_id = await given_up(replicate)
    assert await orphans.call_off_late(replicate) == 1
    assert (await replicate.get(prediction_id)).status == "canceled"
    assert ((await kept(attempt)).prediction_id, (await kept(attempt)).error_code) == (prediction_id, "found_late")
    assert (await row(job)).status == Status.CANCELED
    assert await orphans.call_off_late(replicate) == 0


async def test_a_late_prediction_that_a_webhook_names_is_canceled_though_it_is_never_listed(
    replicate: Replicate, faults: Faults
) -> None:
    await faults.script({"on": "create", "do": "run", "seconds": 60, "unlisted": 3600})
    _, attempt, prediction_id = await given_up(replicate)
    assert await orphans.call_off_late(replicate) == 0
    assert await attempts.claim_prediction(attempt.id, prediction_id) is None
    assert await orphans.call_off_late(replicate) == 1
    assert (await replicate.get(prediction_id)).status == "canceled"


async def test_what_was_given_up_long_ago_is_not_looked_for_any_more(replicate: Replicate, faults: Faults) -> None:
    _, attempt, _ = await given_up(replicate)
    await Attempt.update({Attempt.created_at: now() - timedelta(hours=2)}).where(Attempt.id == attempt.id)
    assert await orphans.call_off_late(replicate) == 0


async def given_up(replicate: Replicate) -> tuple[Job, Attempt, str]:
    """Create a canceled job whose attempt ended without knowing its prediction, which still runs.

    Returns the job, the attempt, and the prediction's id.
    """
    model = registry.built_in(SDXL)
    assert model is not None
    await lifecycle.submit("a fox given up", SDXL, {})
    job = await lifecycle.claim(30)
    assert job is not None
    arguments = model.arguments("a fox given up", {"width": 64, "height": 64})
    attempt = await attempts.begin(job, model.reference, arguments)
    assert attempt is not None
    prediction = await replicate.create(model.reference, arguments, 3600)
    unknown = OutcomeUnknown(attempts.SUBMISSION_UNKNOWN, "Replicate's answer was lost.")
    assert await attempts.note(job, attempt, unknown)
    assert await lifecycle.end_canceled(job) is not None
    assert (await kept(attempt)).error_code == attempts.SUBMISSION_UNKNOWN
    return job, attempt, prediction.id


# Each job has its own prediction, however similar two jobs are.


async def test_an_answer_with_another_attempts_prediction_is_no_answer() -> None:
    first, its = await begun()
    assert await attempts.record_prediction(first, its, "p1")
    second, other = await begun()
    with pytest.raises(OutcomeUnknown):
        await attempts.record_prediction(second, other, "p1")
    assert (await kept(other)).prediction_id is None
    assert (await kept(its)).prediction_id == "p1"


async def test_a_prediction_is_not_adopted_while_an_attempt_just_like_it_waits_for_its_own_answer() -> None:
    _, waits = await begun()
    _, lost = await begun()
    await Attempt.update({Attempt.input: waits.input}).where(Attempt.id == lost.id)
    assert await attempts.twin_in_flight(lost, ())
    await Attempt.update({Attempt.error_code: attempts.SUBMISSION_UNKNOWN}).where(Attempt.id == waits.id)
    assert not await attempts.twin_in_flight(lost, ())


async def test_attempts_at_something_else_are_no_twins() -> None:
    _, lost = await begun()
    job = await claimed()
    assert await attempts.begin(job, "owner/name:1", {"prompt": "another fox"}) is not None
    assert not await attempts.twin_in_flight(lost, ())
    assert await attempts.twin_in_flight(lost, ("prompt", "seed"))


async def test_to_cancel_one_of_two_jobs_that_are_just_alike_leaves_the_other_alone(trusting: Faults) -> None:
    """The answer to the first is late, the answer to the second is lost, and only the first prediction is listed."""
    await ended(await submitted("a fox before the twins"))
    parameters: dict[str, Any] = {"megapixels": "0.25", "seed": 7, "output_format": "png"}
    prompt = "one of two foxes that are just alike"
    await trusting.script(
        {"on": "create", "match": prompt, "do": "slow", "seconds": 3},
        {"on": "create", "match": prompt, "do": "drop_answer", "unlisted": 3600},
    )
    one = await submitted(prompt, FLUX, **parameters)
    await eventually(lambda: are_sent(trusting, prompt, 1))
    other = await submitted(prompt, FLUX, **parameters)
    await eventually(lambda: are_sent(trusting, prompt, 2))
    await lifecycle.cancel(other.id)
    first, second = await asyncio.gather(ended(one), ended(other))
    assert (first.job.status, second.job.status) == (Status.COMPLETED, Status.CANCELED)
    [its], [others] = await cards.attempts(one.id), await cards.attempts(other.id)
    assert its.prediction_id is not None
    assert others.prediction_id != its.prediction_id


async def are_sent(faults: Faults, prompt: str, count: int) -> bool:
    return len(await faults.created(prompt)) == count


async def test_an_input_is_written_down_as_it_was_sent() -> None:
    job = await claimed()
    attempt = await attempts.begin(job, "owner/name:1", {"b": 1, "a": [2]})
    assert attempt is not None
    assert json.loads((await kept(attempt)).input) == {"a": [2], "b": 1}


async def test_one_prediction_that_cannot_be_called_off_does_not_keep_the_others_from_it(
    replicate: Replicate, faults: Faults
) -> None:
    await faults.script({"on": "create", "do": "run", "seconds": 60, "times": 2})
    _, stuck, _ = await given_up(replicate)
    _, attempt, prediction_id = await given_up(replicate)
    await faults.script({"on": "cancel", "do": "status", "status": 500})
    assert await orphans.call_off_late(replicate) == 1
    assert (await kept(stuck)).error_code == attempts.SUBMISSION_UNKNOWN
    assert (await kept(attempt)).error_code == "found_late"
    assert (await replicate.get(prediction_id)).status == "canceled"


async def test_a_look_that_replicate_does_not_want_yet_is_waited_for_and_not_tried_again_and_again(
    working: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    claims: list[None] = []
    real = lifecycle.claim

    async def claim(*words: Any, **more: Any) -> Job | None:
        claimed = await real(*words, **more)
        if claimed is not None:
            claims.append(None)
        return claimed

    monkeypatch.setattr(lifecycle, "claim", claim)
    await working.script({"on": "model", "do": "status", "status": 429, "retry_after": 2})
    job = await lifecycle.submit("a fox of an unknown model", "somebody/something", {})
    await until(job.id, lambda card: card.job.status in lifecycle.ENDED)
    assert len(claims) == 2

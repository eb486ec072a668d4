"""From a claim to the end: a real worker against the stand-in, with and without faults."""

import asyncio
import hashlib
import json
from contextlib import aclosing
from fractions import Fraction
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from tasks.db.tables import ModelSchema, Status
from tasks.jobs import ledger, lifecycle
from tasks.library import cards
from tasks.models import costs, prices, registry
from tasks.models.price_pages import PricePages
from tasks.replicate.client import Replicate
from tasks.settings import settings
from tests.conftest import Faults
from tests.tasks.work import FLUX, SDXL, at_work, ended, stored, submitted, until
from tests.waiting import eventually


async def test_a_prompt_becomes_a_picture_of_the_size_that_was_asked_for(working: Faults) -> None:
    job = await submitted("a futuristic city at sunset", width=96, height=64)
    card = await ended(job)
    assert card.job.status == Status.COMPLETED, card.job.error
    [output] = card.outputs
    assert (output.key, output.kind, output.media_type) == (f"{job.id}.png", "image", "image/png")
    picture = await stored(output.stored_key)
    assert Image.open(BytesIO(picture)).size == (96, 64) == (output.width, output.height)
    assert (len(picture), hashlib.sha256(picture).hexdigest()) == (output.bytes, output.sha256)
    assert output.placeholder is not None
    assert output.placeholder.startswith("data:image/webp;base64,")
    assert output.preview_key == f"{job.id}.preview.webp"
    assert Image.open(BytesIO(await stored(output.stored_preview_key))).format == "WEBP"


async def test_its_attempt_says_what_was_sent_and_what_it_took(working: Faults) -> None:
    job = await submitted("a fox whose attempt is read", width=64, height=64)
    await ended(job)
    [attempt] = await cards.attempts(job.id)
    [prediction] = await working.created("a fox whose attempt is read")
    assert attempt.prediction_id == prediction["id"]
    assert attempt.version.startswith("stability-ai/sdxl:")
    metrics = json.loads(attempt.metrics)
    assert (metrics.keys(), metrics["image_output_count"]) == ({"predict_time", "total_time", "image_output_count"}, 1)
    assert attempt.predict_time == metrics["predict_time"] > 0
    assert attempt.finished_at is not None
    assert attempt.error is None
    assert '"seed"' in attempt.input


async def test_the_price_of_a_model_is_read_when_a_job_uses_it_and_says_what_the_job_cost(faults: Faults) -> None:
    async with aclosing(PricePages()) as pages, at_work(price_pages=pages):
        await ended(await submitted("a fox whose price is not known yet", width=64, height=64))

        async def known() -> bool:
            return await prices.latest(SDXL) is not None

        await eventually(known)
        card = await ended(await submitted("a fox with a price", width=64, height=64))
    [attempt] = await cards.attempts(card.job.id)
    assert card.job.cost == costs.rounded(Fraction(str(attempt.predict_time)) * 975)
    assert card.job.cost_basis == "time"
    [entry] = await ledger.entries(card.job.id)
    assert entry.pretend


async def test_each_output_of_several_is_kept(working: Faults) -> None:
    card = await ended(await submitted("three foxes", FLUX, num_outputs=3, megapixels="0.25"))
    assert [output.key.partition(".")[0] for output in card.outputs] == [
        f"{card.job.id}", f"{card.job.id}-1", f"{card.job.id}-2",
    ]  # fmt: skip
    assert {output.media_type for output in card.outputs} == {"image/webp"}
    assert len({output.sha256 for output in card.outputs}) == 3


@pytest.mark.parametrize(
    ("model", "kind", "extension"), [("minimax/hailuo-02", "video", "mp4"), ("meta/musicgen", "audio", "wav")]
)
async def test_films_and_sounds_are_kept_with_their_length(
    working: Faults, model: str, kind: str, extension: str
) -> None:
    card = await ended(await submitted(f"the {kind} of the sea", model))
    assert card.job.status == Status.COMPLETED, card.job.error
    [output] = card.outputs
    assert (output.kind, output.key) == (kind, f"{card.job.id}.{extension}")
    assert output.duration is not None
    assert output.duration > 0.5
    assert (output.preview_key is not None) == (kind == "video")


async def test_progress_and_stage_are_seen_on_the_way(working: Faults) -> None:
    await working.script({"on": "create", "match": "slow", "do": "run", "seconds": 3})
    job = await submitted("a slow fox")
    card = await until(job.id, lambda card: (card.job.progress or 0) > 0)
    assert card.job.stage == "processing"
    assert card.job.started_at is not None
    assert (await ended(job)).job.status == Status.COMPLETED


async def test_many_predictions_are_in_flight_at_once(working: Faults) -> None:
    await working.script({"on": "create", "match": "crowd", "do": "run", "seconds": 2, "times": 0})
    many = [await submitted(f"crowd {number}") for number in range(30)]
    async with asyncio.timeout(45):  # one after the other they would take a minute
        for job in many:
            assert (await ended(job)).job.status == Status.COMPLETED


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"do": "status", "status": 503}, "submission_unknown"),
        ({"do": "fail_prediction", "error": "Prediction interrupted; please retry (code: PA)"}, "provider_interrupted"),
    ],
    ids=["503", "interrupted"],
)
async def test_a_failure_that_may_pass_is_tried_again(working: Faults, fault: dict[str, Any], code: str) -> None:
    await working.script({"on": "create", "match": "persistent", "times": 2, **fault})
    job = await submitted("a persistent fox")
    card = await ended(job)
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 2)
    assert [attempt.error_code for attempt in await cards.attempts(job.id)] == [code, code, None]


async def test_after_the_last_attempt_the_job_fails_with_its_reason(working: Faults) -> None:
    await working.script({"on": "create", "match": "hopeless", "do": "status", "status": 503, "times": 0})
    job = await submitted("a hopeless fox")
    card = await ended(job)
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "provider_error")
    assert len(await cards.attempts(job.id)) == settings.max_attempts
    assert card.job.retry_count == settings.max_attempts - 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"do": "fail_prediction", "error": "NSFW content detected. Try another prompt."}, "moderated"),
        ({"do": "fail_prediction", "error": "index out of range"}, "model_error"),
        ({"do": "output", "output": []}, "no_output"),
        ({"do": "output", "output": None}, "no_output"),
    ],
    ids=["moderated", "model error", "empty list", "null"],
)
async def test_a_failure_that_will_not_pass_ends_the_job_at_once(
    working: Faults, fault: dict[str, Any], code: str
) -> None:
    await working.script({"on": "create", "match": "doomed", **fault})
    job = await submitted("a doomed fox")
    card = await ended(job)
    assert (card.job.status, card.job.error_code) == (Status.FAILED, code)
    assert card.job.error
    assert len(await cards.attempts(job.id)) == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("CUDA error: device-side assert triggered", "Try again, or change the prompt or settings."),
        ("CUDA out of memory. Tried to allocate 20.00 GiB", "Try a smaller size"),
        ("The mask\0 has to be black and white", "The model failed: The mask has to be black and white."),
    ],
)
async def test_a_job_says_what_to_do_and_its_attempt_what_the_model_said(working: Faults, said: str, told: str) -> None:
    await working.script({"on": "create", "match": "broken", "do": "fail_prediction", "error": said})
    card = await ended(await submitted("a broken fox"))
    [attempt] = await cards.attempts(card.job.id)
    assert told in (card.job.error or "")
    assert "CUDA" not in (card.job.error or "")
    assert (attempt.error, attempt.details) == (card.job.error, said.replace("\0", ""))


async def test_a_poll_that_fails_costs_nothing(working: Faults) -> None:
    await working.script(
        {"on": "get", "match": "patient", "do": "status", "status": 500, "times": 2},
        {"on": "get", "match": "patient", "do": "reset"},
        {"on": "create", "match": "patient", "do": "run", "seconds": 1},
    )
    card = await ended(await submitted("a patient fox"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 0)
    assert len(await working.created("a patient fox")) == 1


async def test_a_running_job_is_canceled_at_replicate_within_a_moment(working: Faults) -> None:
    await working.script({"on": "create", "match": "unwanted", "do": "run", "seconds": 60})
    job = await submitted("an unwanted fox")
    await until(job.id, lambda card: card.job.stage == "processing")
    await lifecycle.cancel(job.id)
    card = await until(job.id, lambda card: card.job.status in lifecycle.ENDED, within=30)
    assert card.job.status == Status.CANCELED
    [prediction] = await working.created("an unwanted fox")
    assert prediction["status"] == "canceled"


async def test_a_model_whose_version_is_gone_is_looked_up_anew_and_tried_again(working: Faults) -> None:
    catalogue = registry.built_in(SDXL)
    assert catalogue is not None
    old = {"title": "Invalid version or not permitted", "detail": "The specified version does not exist", "status": 422}
    await working.script({"on": "create", "match": "outdated", "do": "status", "status": 422, "body": old})
    replicate = Replicate()
    await registry.refresh(SDXL, replicate)
    await replicate.aclose()
    await ModelSchema.update({ModelSchema.version: "0" * 64}, force=True)
    registry.stored.cache_clear()
    card = await ended(await submitted("an outdated fox"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 1)
    versions = [attempt.version for attempt in await cards.attempts(card.job.id)]
    assert versions == [f"{SDXL}:{'0' * 64}", f"{SDXL}:{catalogue.version}"]

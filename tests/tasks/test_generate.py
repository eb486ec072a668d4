"""From a claim to the end: a real worker against the stand-in, in fair weather and foul."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

import pytest
from PIL import Image

from tasks import attempts, backoff, events, jobs, library, models, rescue, submission, worker
from tasks.broker import broker
from tasks.database import now
from tasks.library import Card
from tasks.replicate import Refused, Replicate
from tasks.settings import settings
from tasks.storage import Storage
from tasks.tables import Attempt, Job, ModelSchema, Status
from tests.conftest import Faults

SDXL = "stability-ai/sdxl"
FLUX = "black-forest-labs/flux-schnell"


@pytest.fixture
async def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts that are short enough for tests."""
    monkeypatch.setattr(backoff, "LONGEST", 0.05)
    monkeypatch.setattr(submission, "SEARCHES", (0.0, 0.1))
    monkeypatch.setattr(rescue, "INTERVAL", 0.1)


@pytest.fixture
async def working(quick: None, faults: Faults) -> AsyncIterator[Faults]:
    """A worker at work. Gives the stand-in's faults."""
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    yield faults
    stop.set()
    await running


async def wait_until(holds: Callable[[], Awaitable[bool]], within: float = 20.0) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(within):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)


async def until(job_id: UUID, wanted: Callable[[Card], bool], within: float = 20.0) -> Card:
    """The job, once it is as wanted."""

    async def holds() -> bool:
        return wanted(await existing(job_id))

    await wait_until(holds, within)
    return await existing(job_id)


async def existing(job_id: UUID) -> Card:
    card = await library.card(job_id)
    assert card is not None
    return card


async def ended(job: Job) -> Card:
    return await until(job.id, lambda card: card.job.status in jobs.ENDED)


async def stored(key: str) -> bytes:
    storage = Storage.open(settings.storage_url)
    meta = await storage.head(key)
    assert meta is not None
    return b"".join([piece async for piece in storage.read(key, 0, meta.size)])


async def submitted(prompt: str, model: str = SDXL, **parameters: Any) -> Job:
    return await jobs.submit(
        prompt, model, {"width": 64, "height": 64} if model == SDXL and not parameters else parameters
    )


async def test_a_prompt_becomes_a_picture_of_the_size_that_was_asked_for(working: Faults) -> None:
    job = await submitted("a futuristic city at sunset", width=96, height=64)
    card = await ended(job)
    assert card.job.status == Status.COMPLETED, card.job.error
    [output] = card.outputs
    assert (output.key, output.kind, output.media_type) == (f"{job.id}.png", "image", "image/png")
    picture = await stored(output.key)
    assert Image.open(BytesIO(picture)).size == (96, 64) == (output.width, output.height)
    assert (len(picture), hashlib.sha256(picture).hexdigest()) == (output.bytes, output.sha256)
    assert output.placeholder is not None
    assert output.placeholder.startswith("data:image/webp;base64,")
    assert output.preview_key is not None
    assert Image.open(BytesIO(await stored(output.preview_key))).format == "WEBP"


async def test_its_attempt_says_what_was_sent_and_what_it_took(working: Faults) -> None:
    job = await submitted("a fox in the snow", width=64, height=64)
    await ended(job)
    [attempt] = await library.attempts(job.id)
    [prediction] = await working.created("a fox in the snow")
    assert attempt.prediction_id == prediction["id"]
    assert attempt.version.startswith("stability-ai/sdxl:")
    assert attempt.predict_time is not None
    assert attempt.predict_time > 0
    assert attempt.finished_at is not None
    assert attempt.error is None
    assert '"seed"' in attempt.input


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
    async with asyncio.timeout(10):  # one after the other they would take a minute
        for job in many:
            assert (await ended(job)).job.status == Status.COMPLETED


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"do": "status", "status": 503}, "provider_error"),
        ({"do": "fail_prediction", "error": "Prediction interrupted; please retry (code: PA)"}, "provider_interrupted"),
    ],
    ids=["503", "interrupted"],
)
async def test_a_failure_that_may_pass_is_tried_again(working: Faults, fault: dict[str, Any], code: str) -> None:
    await working.script({"on": "create", "match": "persistent", "times": 2, **fault})
    job = await submitted("a persistent fox")
    card = await ended(job)
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 2)
    assert [attempt.error_code for attempt in await library.attempts(job.id)] == [code, code, None]


async def test_after_the_last_attempt_the_job_fails_with_its_reason(working: Faults) -> None:
    await working.script({"on": "create", "match": "hopeless", "do": "status", "status": 503, "times": 0})
    job = await submitted("a hopeless fox")
    card = await ended(job)
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "provider_error")
    assert len(await library.attempts(job.id)) == settings.max_attempts
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
    assert len(await library.attempts(job.id)) == 1


async def test_a_poll_that_fails_costs_nothing(working: Faults) -> None:
    await working.script(
        {"on": "get", "match": "patient", "do": "status", "status": 500, "times": 2},
        {"on": "get", "match": "patient", "do": "reset"},
        {"on": "create", "match": "patient", "do": "run", "seconds": 1},
    )
    card = await ended(await submitted("a patient fox"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 0)
    assert len(await working.created("a patient fox")) == 1


@pytest.mark.parametrize("what", ["drop_answer", "hang_answer"])
async def test_when_the_answer_is_lost_the_prediction_is_found_and_not_made_again(working: Faults, what: str) -> None:
    await working.script({"on": "create", "match": what, "do": what, "seconds": 0.2})
    prompt = f"a lost fox {what}"
    card = await ended(await submitted(prompt))
    assert card.job.status == Status.COMPLETED, card.job.error
    assert len(await working.created(prompt)) == 1
    assert len(await library.attempts(card.job.id)) == 1


async def test_when_the_search_fails_too_the_prediction_is_looked_for_again_later(
    working: Faults,
) -> None:
    await working.script(
        {"on": "create", "match": "ambiguous", "do": "drop_answer"},
        {"on": "list", "do": "status", "status": 503, "times": 2},
    )
    card = await ended(await submitted("an ambiguous fox"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 1)
    assert len(await working.created("an ambiguous fox")) == 1


async def test_an_internal_error_is_tried_again_also_when_the_search_had_to_wait(working: Faults) -> None:
    await working.script(
        {"on": "create", "match": "outage", "do": "status", "status": 500},
        {"on": "list", "do": "status", "status": 503, "times": 2},
    )
    card = await ended(await submitted("a fox in an outage"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 3)
    assert len(await working.created("a fox in an outage")) == 1


async def test_when_nothing_was_created_and_nobody_can_say_so_the_job_fails_honestly(working: Faults) -> None:
    await working.script({"on": "create", "match": "vanished", "do": "reset"})
    card = await ended(await submitted("a vanished fox"))
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "submission_unknown")
    assert await working.created("a vanished fox") == []


@pytest.mark.parametrize("what", ["truncate", "status", "reset"])
async def test_a_download_that_fails_is_tried_again_without_another_prediction(working: Faults, what: str) -> None:
    prompt = f"a torn fox {what}"
    await working.script({"on": "file", "match": prompt, "do": what, "status": 503, "times": 2})
    card = await ended(await submitted(prompt))
    assert card.job.status == Status.COMPLETED, card.job.error
    assert card.job.retry_count == 2
    assert len(await working.created(prompt)) == 1


async def test_an_error_of_ours_after_the_prediction_was_created_does_not_create_another(
    working: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, broken = attempts.record_prediction, iter([True])

    async def once_broken(*arguments: Any) -> bool:
        if next(broken, False):
            raise ConnectionResetError("the database went away")
        return await real(*arguments)

    monkeypatch.setattr(attempts, "record_prediction", once_broken)
    card = await ended(await submitted("an interrupted fox"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 1)
    assert len(await working.created("an interrupted fox")) == 1


async def test_a_model_that_cannot_be_looked_up_does_not_end_an_attempt_under_way(
    working: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, unreachable = models.find, iter([False, True])

    async def find(*arguments: Any) -> Any:
        if next(unreachable, False):
            raise Refused("provider_unreachable", "Replicate could not be reached.", passing=True)
        return await real(*arguments)

    monkeypatch.setattr(models, "find", find)
    await working.script({"on": "file", "match": "looked up", "do": "reset"})
    card = await ended(await submitted("a fox looked up twice"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 2)
    assert len(await working.created("a fox looked up twice")) == 1


async def test_a_running_job_is_canceled_at_replicate_within_a_moment(working: Faults) -> None:
    await working.script({"on": "create", "match": "unwanted", "do": "run", "seconds": 60})
    job = await submitted("an unwanted fox")
    await until(job.id, lambda card: card.job.stage == "processing")
    await jobs.cancel(job.id)
    card = await until(job.id, lambda card: card.job.status in jobs.ENDED, within=3)
    assert card.job.status == Status.CANCELED
    [prediction] = await working.created("an unwanted fox")
    assert prediction["status"] == "canceled"


async def test_a_model_whose_version_is_gone_is_looked_up_anew_and_tried_again(working: Faults) -> None:
    catalogue = models.built_in(SDXL)
    assert catalogue is not None
    old = {"title": "Invalid version or not permitted", "detail": "The specified version does not exist", "status": 422}
    await working.script({"on": "create", "match": "outdated", "do": "status", "status": 422, "body": old})
    replicate = Replicate()
    await models.refresh(SDXL, replicate)
    await replicate.aclose()
    await ModelSchema.update({ModelSchema.version: "0" * 64}, force=True)
    card = await ended(await submitted("an outdated fox"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 1)
    versions = [attempt.version for attempt in await library.attempts(card.job.id)]
    assert versions == [f"{SDXL}:{'0' * 64}", f"{SDXL}:{catalogue.version}"]


async def test_a_worker_that_stops_hands_its_jobs_to_the_next_which_goes_on_with_the_same_prediction(
    quick: None, faults: Faults
) -> None:
    await faults.script({"on": "create", "match": "handed", "do": "run", "seconds": 1.5})
    job = await submitted("a fox handed on")
    stop = asyncio.Event()
    first = asyncio.create_task(worker.run(stop))
    await until(job.id, lambda card: card.job.stage == "processing")
    stop.set()
    async with asyncio.timeout(5):
        await first
    left = await library.card(job.id)
    assert left is not None
    assert left.job.status == Status.RUNNING
    stop = asyncio.Event()
    second = asyncio.create_task(worker.run(stop))
    card = await ended(job)
    stop.set()
    await second
    assert card.job.status == Status.COMPLETED
    assert len(await faults.created("a fox handed on")) == 1


async def test_a_job_that_a_crash_left_is_taken_up_where_it_was(quick: None, faults: Faults) -> None:
    """The crash: a lease that nobody renews, an attempt whose answer was never written down."""
    model = models.built_in(SDXL)
    assert model is not None
    job = await submitted("a fox left behind")
    crashed = await jobs.claim(-1)
    assert crashed is not None
    arguments = model.arguments(crashed.prompt, {"width": 64, "height": 64})
    await attempts.begin(crashed, model.reference, arguments)
    replicate = Replicate()
    await replicate.create(model.reference, arguments, 60)
    await replicate.aclose()
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    card = await ended(job)
    stop.set()
    await running
    assert card.job.status == Status.COMPLETED
    assert len(await faults.created("a fox left behind")) == 1


async def test_a_job_runs_when_its_hint_was_lost(working: Faults) -> None:
    await events.redis().flushall()
    moment = now()
    job = Job(
        prompt="a forgotten fox",
        model=SDXL,
        parameters='{"width":64,"height":64}',
        created_at=moment,
        changed_at=moment,
        due_at=moment,
    )
    await job.save()
    assert (await ended(job)).job.status == Status.COMPLETED


async def hints_are(count: int) -> bool:
    return await broker.waiting(most=10) == count


async def test_rescue_gives_one_hint_for_each_due_job_and_none_twice(database: None) -> None:
    await events.redis().flushall()
    moment = now()
    for due in (moment, moment, moment + timedelta(hours=1)):
        await Job(prompt="p", model=SDXL, created_at=moment, changed_at=moment, due_at=due).save()

    assert await rescue.rescue() == 2
    await wait_until(lambda: hints_are(2))
    assert await rescue.rescue() == 0


async def test_no_attempt_is_left_open_when_all_is_done(working: Faults) -> None:
    many: list[Awaitable[Card]] = [ended(await submitted(f"tidy {number}")) for number in range(5)]
    await asyncio.gather(*many)
    assert await Attempt.count().where(Attempt.finished_at.is_null()) == 0
    assert await Job.count().where(Job.lease_token.is_not_null()) == 0


async def test_a_hint_that_died_with_its_worker_does_not_stand_for_work(database: None) -> None:
    await events.redis().flushall()
    await jobs.submit("a fox whose hint was read and never deleted", SDXL, {})
    await wait_until(lambda: hints_are(1))
    await broker._make_group()  # what the worker that was killed had done: read, and not deleted
    read = await events.redis().xreadgroup("workers", "killed", {broker.queue_name: ">"}, count=1)
    assert len(read) == 1
    assert await broker.waiting(most=10) == 0
    assert await rescue.rescue() == 1

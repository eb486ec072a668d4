"""Jobs, read as the gallery and the API show them."""

from datetime import timedelta

import pytest

from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Job, Output, Stage
from tasks.errors import Failure
from tasks.jobs import attempts, lifecycle
from tasks.jobs.queue import PLACES_SHOWN
from tasks.library import cards
from tasks.library.cards import Card, expected_size
from tests.factories import submitted
from tests.newest import newest
from tests.tasks.states import begun, claimed


async def foxes(count: int) -> list[Job]:
    return [await submitted(f"fox {number}") for number in range(count)]


async def test_outputs_come_in_the_providers_order_and_to_their_own_job() -> None:
    await foxes(2)
    for _ in range(2):
        job = await lifecycle.claim(30)
        assert job is not None
        outputs = [
            Output(
                id=ids.new(),
                position=at,
                key=f"{job.prompt}-{at}.png",
                kind="image",
                media_type="image/png",
                bytes=1,
                sha256="",
            )
            for at in (1, 0)
        ]
        await lifecycle.complete(job, outputs)
    keys = {card.job.prompt: [output.key for output in card.outputs] for card in await newest(5)}
    assert keys == {"fox 0": ["fox 0-0.png", "fox 0-1.png"], "fox 1": ["fox 1-0.png", "fox 1-1.png"]}


async def test_what_changed_since_is_found_whatever_it_was() -> None:
    one, two = await foxes(2)
    moment = now()
    await lifecycle.cancel(one.id)
    assert [card.job.id for card in await cards.changed_since(moment, 10)] == [one.id]
    await lifecycle.delete(one.id)
    [deleted] = await cards.changed_since(moment, 10)
    assert deleted.deleted
    await lifecycle.cancel(two.id)
    assert len(await cards.changed_since(moment, 1)) == 1


async def test_places_in_the_queue_are_counted_from_the_next_to_run() -> None:
    await foxes(3)
    assert [card.place for card in await newest(5)] == [3, 2, 1]
    await lifecycle.claim(30)
    assert [card.place for card in await newest(5)] == [2, 1, None]
    assert len(await cards.waiting()) == 2


async def test_far_back_in_the_queue_no_place_is_told() -> None:
    await foxes(PLACES_SHOWN + 1)
    places = [card.place for card in await newest(PLACES_SHOWN + 1)]
    assert places[:2] == [None, PLACES_SHOWN]


async def test_a_job_that_waits_after_a_failure_is_retrying() -> None:
    job = await claimed()
    await lifecycle.postpone(job, Failure("rate_limited", "Slow down.", True), 60.0)
    card = await cards.by_id(job.id)
    assert card is not None
    assert card.retrying


async def test_a_job_that_comes_back_to_its_prediction_is_retrying_whether_it_counted_or_not() -> None:
    job, _ = await begun()
    await lifecycle.resume_later(job, Failure("storage_unavailable", "No space left.", True), 60.0, counts=False)
    card = await cards.by_id(job.id)
    assert card is not None
    assert (card.job.retry_count, card.retrying, card.place) == (0, True, None)


async def test_a_job_that_was_put_back_waits_as_if_it_had_not_been_tried() -> None:
    job, _ = await begun()
    await lifecycle.unclaim(job, Failure("provider_billing", "No credit."))
    card = await cards.by_id(job.id)
    assert card is not None
    assert (card.retrying, card.place) == (False, 1)


async def test_a_job_has_no_place_before_its_next_attempt_is_due() -> None:
    await foxes(2)
    job = await lifecycle.claim(30)
    assert job is not None
    await lifecycle.postpone(job, Failure("rate_limited", "Slow down.", True), 60.0)
    card = await cards.by_id(job.id)
    assert card is not None
    assert card.place is None


async def test_one_job_is_told_its_place_however_far_back_it_is() -> None:
    last = (await foxes(PLACES_SHOWN + 3))[-1]
    card = await cards.by_id(last.id)
    assert card is not None
    assert card.place == PLACES_SHOWN + 3


async def test_how_long_a_model_has_been_starting_is_told_while_it_starts() -> None:
    job = await claimed()
    before = now() - timedelta(milliseconds=5)
    await attempts.begin(job, "stability-ai/sdxl", {})
    since = []
    for stage in (Stage.SUBMITTING, Stage.STARTING, Stage.PROCESSING):
        await lifecycle.report(job, stage, None)
        card = await cards.by_id(job.id)
        assert card is not None
        since.append(card.starting_since)
    assert (since[0], since[2]) == (None, None)
    assert since[1] is not None
    assert before <= since[1] <= now()


@pytest.mark.parametrize(
    ("parameters", "size"),
    [
        ({}, (1024, 1024)),
        ({"width": 512, "height": 768}, (512, 768)),
        ({"width": 512}, (1024, 1024)),
        ({"width": -5, "height": 5}, (1024, 1024)),
        ({"width": True, "height": True}, (1024, 1024)),
        ({"aspect_ratio": "3:2"}, (1536, 1024)),
        ({"aspect_ratio": "match_input_image"}, (1024, 1024)),
        ({"aspect_ratio": "0:0"}, (1024, 1024)),
        ({"aspect_ratio": 7}, (1024, 1024)),
    ],
)
def test_the_size_to_expect_is_read_from_the_parameters(parameters: dict[str, object], size: tuple[int, int]) -> None:
    assert expected_size(parameters) == size


def test_films_and_sounds_are_expected_to_be_wide() -> None:
    for model, size in (
        ("minimax/hailuo-02", (1280, 720)),
        ("meta/musicgen", (1280, 720)),
        ("stability-ai/sdxl", (1024, 1024)),
    ):
        assert Card(Job(model=model, parameters="{}"), []).size == size


def test_a_sound_is_wide_whatever_model_made_it() -> None:
    job, sound = Job(model="some/synthesizer", parameters="{}"), Output(kind="audio")
    assert Card(job, []).size == (1024, 1024)
    assert Card(job, [sound]).size == (1280, 720)

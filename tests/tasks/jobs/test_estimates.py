"""When a waiting job will probably start: the arithmetic, and the queries."""

from datetime import timedelta

import pytest

from tasks.db.database import DB, now
from tasks.db.tables import Attempt, Job
from tasks.errors import Failure
from tasks.jobs import attempts, estimates, lifecycle, workers
from tasks.jobs.workers import Presence
from tasks.library import cards
from tasks.library.cards import Card
from tasks.replicate import circuit
from tests.newest import newest

MODEL = "stability-ai/sdxl"


@pytest.mark.parametrize(
    ("place", "slots", "busy", "seconds"),
    [
        (1, 10, 0, 0.1),  # a free slot: as soon as the rate allows
        (10, 10, 0, 1.0),
        (1, 10, 10, 8.0),  # all taken: one round
        (10, 10, 10, 8.0),
        (11, 10, 10, 16.0),
        (4, 10, 7, 8.0),  # three are free, the fourth waits
        (3, 10, 7, 0.3),
        (1, 10, 25, 8.0),  # workers have gone, their jobs still run
        (100, 1, 1, 800.0),
    ],
)
def test_a_job_waits_for_as_many_rounds_as_are_before_it(place: int, slots: int, busy: int, seconds: float) -> None:
    assert estimates.wait(place, slots, busy, duration=8.0, per_minute=600) == pytest.approx(seconds)


def test_no_more_jobs_start_than_may_be_created_in_a_minute() -> None:
    assert estimates.wait(60, slots=1000, busy=0, duration=8.0, per_minute=60) == pytest.approx(60)
    assert estimates.wait(1, slots=1000, busy=0, duration=8.0, per_minute=6) == pytest.approx(10)


async def made(seconds: float, model: str = MODEL) -> None:
    """Create a job that took `seconds`."""
    await lifecycle.submit("a fox", model, {})
    job = await lifecycle.claim(30)
    assert job is not None
    attempt = await attempts.begin(job, model, {})
    assert attempt is not None
    await lifecycle.complete(job, [])
    begun = now() - timedelta(seconds=seconds)
    await Attempt.update({Attempt.created_at: begun, Attempt.finished_at: now()}).where(Attempt.id == attempt.id)


async def waiting(model: str = MODEL) -> Card:
    job = await lifecycle.submit("a fox", model, {})
    card = await cards.by_id(job.id)
    assert card is not None
    assert card.place is not None
    return card


async def busy(count: int) -> None:
    """Create `count` running jobs."""
    for _ in range(count):
        await lifecycle.submit("a fox", MODEL, {})
        assert await lifecycle.claim(30)


async def test_the_start_is_told_from_the_middle_one_of_the_models_latest_durations() -> None:
    for seconds in (2, 40, 3, 600, 50):
        await made(seconds)
    await Presence(2).show(0)
    await busy(2)
    card = await waiting()
    outlook = await estimates.outlook([MODEL])
    assert (outlook.slots, outlook.busy) == (2, 2), await workers.everyone()
    assert outlook.durations == {MODEL: pytest.approx(40, abs=1)}
    assert card.starts_at is not None
    assert (card.starts_at - now()).total_seconds() == pytest.approx(40, abs=2)


async def test_failed_attempts_do_not_count() -> None:
    await made(40)
    await busy(1)
    [running] = await Job.objects().where(Job.status == "running")
    await attempts.begin(running, MODEL, {})
    await lifecycle.postpone(running, Failure("provider_busy", "Later.", True), 0.0)
    again = await lifecycle.claim(30)
    assert again is not None
    await attempts.begin(again, MODEL, {})
    await lifecycle.complete(again, [])
    rows = await Attempt.select(Attempt.error).where(Attempt.job == again.id)
    assert len(rows) == 2
    outlook = await estimates.outlook([MODEL])
    assert outlook.durations == {}, "without a worker nothing is asked"
    await Presence(1).show(0)
    estimates.occupancy.cache_clear()
    assert (await estimates.outlook([MODEL])).durations[MODEL] == pytest.approx(20, abs=1)


async def test_a_model_without_history_gets_no_estimate() -> None:
    await made(5)
    await Presence(2).show(0)
    assert (await waiting("nobody/knows")).starts_at is None
    assert (await waiting()).starts_at is not None


async def test_without_a_worker_there_is_no_estimate() -> None:
    await made(5)
    assert (await waiting()).starts_at is None


async def test_while_the_queue_is_halted_there_is_no_estimate() -> None:
    await made(5)
    await Presence(2).show(0)
    await circuit.trip(Failure("provider_billing", "No credit."))
    assert (await waiting()).starts_at is None


async def test_what_does_not_wait_for_its_turn_has_no_estimate() -> None:
    await made(5)
    await Presence(2).show(0)
    await busy(1)
    assert [card.starts_at for card in await newest(5)] == [None, None]


async def test_a_page_of_cards_asks_little_more_than_one_card(monkeypatch: pytest.MonkeyPatch) -> None:
    await made(5)
    await Presence(2).show(0)
    for _ in range(30):
        await lifecycle.submit("a fox", MODEL, {})
    asked, run = 0, type(DB).run_querystring

    async def counted(*arguments: object, **named: object) -> object:
        nonlocal asked
        asked += 1
        return await run(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(type(DB), "run_querystring", counted)
    page = await newest(60)
    assert sum(card.starts_at is not None for card in page) == 30
    first, asked = asked, 0
    await newest(60)
    assert first <= 12
    assert asked <= 6, "the rest is remembered"

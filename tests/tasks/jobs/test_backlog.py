"""How many jobs may wait, in total and of one peer. Made-up client names get no peer more turns than others have."""

import asyncio
from time import monotonic

import pytest

from tasks.admission import admission, batches
from tasks.admission.options import Options
from tasks.db.tables import Batch, Job, Status
from tasks.errors import Rejected
from tasks.jobs import backlog, bulk, estimates, lifecycle, queue
from tasks.jobs.backlog import DEFAULT_RETRY_AFTER_SECONDS, MAX_NAMES_PER_PEER, QueueFull
from tasks.jobs.queue import QUEUED
from tasks.replicate.client import Replicate
from tasks.settings import settings
from tests.tasks.states import LEASE, submitted

SDXL = "stability-ai/sdxl"
ALL = Job.id.is_not_null()


@pytest.fixture
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ten jobs wait, four of each peer."""
    changed = settings.model_copy(update={"max_waiting": 10, "max_waiting_per_client": 4})
    for module in (backlog, batches):
        monkeypatch.setattr(module, "settings", changed)


@pytest.fixture
def replicate() -> Replicate:
    """Return a client that is never used: the model is a built-in one."""
    return Replicate()


async def ask(client: str, replicate: Replicate) -> Job:
    job, _ = await admission.admit("a fox", None, None, replicate, Options(client))
    return job


async def waiting() -> int:
    return int(await Job.count().where(Job.status == QUEUED))


async def test_of_one_peer_only_so_many_wait_whatever_it_calls_itself(bounds: None, replicate: Replicate) -> None:
    for number in range(4):
        await ask(f"192.0.2.7 invented-{number}", replicate)
    for name in ("", "invented-0", "another"):
        with pytest.raises(QueueFull) as full:
            await ask(f"192.0.2.7 {name}", replicate)
    assert full.value.message == "4 of your jobs are already waiting; the limit is 4."
    await ask("192.0.2.8 ", replicate)
    await ask("this-machine", replicate)
    assert await waiting() == 6


async def test_in_all_only_so_many_wait(bounds: None, replicate: Replicate) -> None:
    for number in range(10):
        await ask(f"192.0.2.{number} ", replicate)
    with pytest.raises(QueueFull) as full:
        await ask("192.0.2.77 ", replicate)
    assert full.value.message == "10 jobs are already waiting; the limit is 10."
    assert await waiting() == 10


async def test_a_crowd_at_the_same_moment_is_counted_one_by_one(bounds: None, replicate: Replicate) -> None:
    answers = await asyncio.gather(*(ask(f"n{number}", replicate) for number in range(50)), return_exceptions=True)
    assert sum(isinstance(answer, Job) for answer in answers) == 4
    assert await waiting() == 4


async def test_there_is_room_again_once_jobs_have_left(bounds: None, replicate: Replicate) -> None:
    made = [await ask("", replicate) for _ in range(4)]
    await lifecycle.cancel(made[0].id)
    assert await lifecycle.claim(LEASE) is not None
    backlog.count_waiting.cache_clear()  # as if a second had passed
    await ask("", replicate)
    await ask("", replicate)
    with pytest.raises(QueueFull):
        await ask("", replicate)


async def test_what_another_process_accepted_counts_a_second_later(bounds: None, replicate: Replicate) -> None:
    for _ in range(4):
        await submitted("me")
    backlog.count_waiting.cache_clear()
    with pytest.raises(QueueFull):
        await ask("me", replicate)


async def test_a_batch_waits_whole_or_not_at_all(bounds: None, replicate: Replicate) -> None:
    await batches.submit("{a|b|c}", None, None, None, replicate, Options("192.0.2.7 a"))
    with pytest.raises(QueueFull):
        await batches.submit("{a|b}", None, None, None, replicate, Options("192.0.2.7 b"))
    assert (await waiting(), await Batch.count()) == (3, 1)
    await ask("192.0.2.7 ", replicate)
    with pytest.raises(Rejected) as rejected:
        await batches.submit("{a|b|c|d|e}", None, None, None, replicate, Options("192.0.2.8 "))
    assert rejected.value.code == "too_many", "it never fits"
    assert batches.largest() == 4


async def test_what_is_tried_again_needs_room_as_well(bounds: None, replicate: Replicate) -> None:
    ended = [await submitted("") for _ in range(3)]
    for job in ended:
        await lifecycle.cancel(job.id)
    backlog.count_waiting.cache_clear()
    for _ in range(3):
        await ask("", replicate)
    with pytest.raises(QueueFull):
        await bulk.retry_all(ALL)
    assert await Job.count().where(Job.status == Status.CANCELED) == 3, "all or none"
    assert await lifecycle.retry(ended[0].id) is not None
    with pytest.raises(QueueFull):
        await lifecycle.retry(ended[1].id)
    assert await lifecycle.retry(ended[0].id) is None, "what waits already needs no room"
    assert await waiting() == 4


async def test_the_first_names_of_a_peer_take_turns_and_all_others_as_one(replicate: Replicate) -> None:
    for number in range(50):
        await ask(f"192.0.2.7 invented-{number}", replicate)
        await ask(f"192.0.2.7 invented-{number}", replicate)
    assert len(await Job.select(Job.client).distinct()) == MAX_NAMES_PER_PEER + 1
    honest = await ask("192.0.2.8 ", replicate)
    assert (await queue.places([honest]))[honest.id] <= MAX_NAMES_PER_PEER + 2


async def test_a_name_that_is_in_line_keeps_its_turns(replicate: Replicate) -> None:
    await ask("192.0.2.7 steady", replicate)
    for number in range(50):
        await ask(f"192.0.2.7 invented-{number}", replicate)
    assert (await ask("192.0.2.7 steady", replicate)).client == "192.0.2.7 steady"
    assert (await ask("192.0.2.7 late", replicate)).client == "192.0.2.7 "


async def test_when_to_try_again_is_told_from_how_the_queue_moves(
    bounds: None, replicate: Replicate, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        await ask("", replicate)
    for name in ("192.0.2.7 ", "192.0.2.8 "):
        await ask(name, replicate)
    estimates.occupancy.cache_clear()
    with pytest.raises(QueueFull) as full:
        await ask("", replicate)
    assert full.value.retry_after == DEFAULT_RETRY_AFTER_SECONDS, "no worker is there"

    async def outlook(models: list[str]) -> estimates.Outlook:
        return estimates.Outlook(slots=1, busy=1, durations={SDXL: 40.0})

    monkeypatch.setattr(estimates, "outlook", outlook)
    with pytest.raises(QueueFull) as full:
        await ask("", replicate)
    assert 115 <= full.value.retry_after <= 120, "three peers take turns, forty seconds each"


async def test_that_it_is_full_is_asked_of_the_database_once_a_second(bounds: None, replicate: Replicate) -> None:
    backlog.count_waiting.cache_clear()
    start = monotonic()
    for _ in range(4):
        await ask("", replicate)
    for _ in range(20):
        with pytest.raises(QueueFull):
            await ask("", replicate)
    assert backlog.count_waiting.cache_info().misses <= 1 + (monotonic() - start) / backlog.COUNT_TTL_SECONDS

"""A paused model: its jobs wait, all others run, and what runs goes on."""

from datetime import timedelta

import pytest

from tasks.db.database import now
from tasks.jobs import estimates, lifecycle, pauses, queue
from tasks.jobs.pauses import Terms
from tasks.jobs.workers import Presence
from tasks.library import cards
from tasks.replicate import circuit

PAUSED, OTHER = "owner/paused_one", "owner/other"


async def claimed() -> str | None:
    """Claim the next job, and return its model."""
    job = await lifecycle.claim(30)
    return None if job is None else job.model


async def test_jobs_of_a_paused_model_wait_in_any_version_and_all_others_run(database: None) -> None:
    for model in (PAUSED, f"{PAUSED}:abc", "owner/pausedXone", f"{PAUSED}-fast", OTHER):
        await lifecycle.submit("a fox", model, {})
    await pauses.pause(Terms(PAUSED, "It costs too much"), "anna")
    assert [await claimed() for _ in range(4)] == ["owner/pausedXone", f"{PAUSED}-fast", OTHER, None]
    resumed = await pauses.resume(PAUSED)
    assert resumed is not None
    assert (resumed.by, resumed.reason) == ("anna", "It costs too much")
    assert [await claimed() for _ in range(3)] == [PAUSED, f"{PAUSED}:abc", None]


async def test_what_runs_goes_on(database: None) -> None:
    await lifecycle.submit("a fox", PAUSED, {})
    running = await lifecycle.claim(30)
    assert running is not None
    await pauses.pause(Terms(PAUSED), "anna")
    assert await lifecycle.complete(running, [])


async def test_its_jobs_have_no_place_in_line_and_no_estimate(database: None) -> None:
    for model in (PAUSED, OTHER):
        done = await lifecycle.submit("a fox", model, {})
        await lifecycle.claim(30)
        del done
    waiting = [await lifecycle.submit("a fox", model, {}) for model in (PAUSED, OTHER)]
    await Presence(1).show(0)
    await pauses.pause(Terms(PAUSED), "anna")
    estimates.occupancy.cache_clear()
    first, second = [await cards.by_id(job.id) for job in waiting]
    assert first is not None
    assert second is not None
    assert (first.place, first.starts_at) == (None, None)
    assert second.place == 1
    assert await queue.front() == {waiting[1].id: 1}


@pytest.mark.parametrize("minutes", [1, -1])
async def test_a_pause_ends_when_its_time_has_come(database: None, minutes: int) -> None:
    await pauses.pause(Terms(PAUSED, until=now() + timedelta(minutes=minutes)), "anna")
    ended = await pauses.end_due()
    assert [each.model for each in ended] == ([PAUSED] if minutes < 0 else [])
    assert len(await pauses.listed()) == (0 if minutes < 0 else 1)


@pytest.mark.parametrize("minutes", [1, -1])
async def test_a_halt_ends_when_its_time_has_come(database: None, minutes: int) -> None:
    await circuit.hold_by_hand("anna", "maintenance", now() + timedelta(minutes=minutes))
    halt = await circuit.current()
    assert halt is not None
    assert halt.message.startswith("Anna halted the queue until 2")
    assert ": maintenance. Resume it" in halt.message
    await circuit.end_due()
    assert (await circuit.current() is None) == (minutes < 0)


async def test_pausing_again_says_why_now(database: None) -> None:
    await pauses.pause(Terms(PAUSED, "one reason"), "anna")
    await pauses.pause(Terms(PAUSED, "another"), "ben")
    [pause] = await pauses.listed()
    assert (pause.by, pause.reason) == ("ben", "another")
    assert await pauses.resume(OTHER) is None

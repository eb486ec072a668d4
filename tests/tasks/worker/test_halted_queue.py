"""Replicate refuses the account, or asks us to slow down: jobs wait, requests stay few, and work resumes by itself."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from tasks.db.database import now
from tasks.db.tables import Halt, Priority, Status
from tasks.jobs import lifecycle
from tasks.jobs.insert import Terms
from tasks.library import cards
from tasks.messaging import events
from tasks.replicate import circuit
from tasks.replicate.errors import AccountRefused
from tasks.replicate.rate_limit import RateLimit
from tasks.settings import settings
from tasks.worker import dispatch, process
from tests.conftest import NO_KEEPALIVE, Faults
from tests.tasks.work import QUICK, at_work, ended, existing, submitted, until
from tests.waiting import eventually

pytestmark = pytest.mark.once


PROBING = replace(QUICK, max_probe=0.3)


@pytest.fixture
async def probing(faults: Faults) -> AsyncIterator[Faults]:
    """Run a worker that probes a halted queue often. Yields the stand-in's faults."""
    async with at_work(timings=PROBING):
        yield faults


@pytest.fixture
async def emptied(database: None) -> None:
    await events.redis().flushall()


async def halted() -> bool:
    return await circuit.current() is not None


async def refused_creates(faults: Faults) -> int:
    """Return how many of the 1000 scripted refusals of a create were given."""
    return 1000 - sum(int(rule["times"]) for rule in await faults.left() if rule["on"] == "create")


@pytest.mark.parametrize(("status", "code"), [(401, "provider_auth"), (402, "provider_billing")])
async def test_an_account_that_is_refused_halts_the_queue_and_jobs_go_on_when_it_works_again(
    probing: Faults, status: int, code: str
) -> None:
    await probing.script({"on": "create", "do": "status", "status": status, "times": 1000})
    await probing.script({"on": "account", "do": "status", "status": status, "times": 1000})
    many = [await submitted(f"fox {number} of a poor owner") for number in range(8)]
    await eventually(halted)
    await asyncio.sleep(1.5)  # several times the wait until the next probe

    async def waiting() -> bool:
        return {(await existing(job.id)).job.status for job in many} == {Status.QUEUED}

    await eventually(waiting)  # except for the one that probes from time to time
    stopped = await circuit.current()
    assert stopped is not None
    assert stopped.code == code
    probes = (now() - stopped.since).total_seconds() / PROBING.max_probe + 1
    assert await refused_creates(probing) <= 8 + probes, "those in flight at once, then one for each probe"
    await probing.clear()
    for job in many:
        card = await ended(job)
        assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 0)
    assert not await halted()


async def test_while_the_queue_is_halted_predictions_under_way_are_followed_to_their_end(working: Faults) -> None:
    await working.script({"on": "create", "match": "early", "do": "run", "seconds": 3})
    early = await submitted("an early fox")
    await until(early.id, lambda card: card.job.stage == "processing")
    await working.script({"on": "create", "do": "status", "status": 402, "times": 0})
    late = await submitted("a belated fox")
    await eventually(halted)
    assert (await ended(early)).job.status == Status.COMPLETED
    await until(late.id, lambda card: card.job.status == Status.QUEUED)


async def test_while_the_queue_is_halted_by_hand_only_what_is_under_way_goes_on(probing: Faults) -> None:
    await probing.script({"on": "create", "match": "early", "do": "run", "seconds": 3})
    early = await submitted("an early fox by hand")
    await until(early.id, lambda card: card.job.stage == "processing")
    await circuit.hold_by_hand()
    late = await submitted("a late fox by hand")
    assert (await ended(early)).job.status == Status.COMPLETED
    assert (await existing(late.id)).job.status == Status.QUEUED
    assert await probing.created("a late fox by hand") == []
    await circuit.resume()
    assert (await ended(late)).job.status == Status.COMPLETED


async def test_a_worker_that_starts_halted_claims_nothing(faults: Faults) -> None:
    job = await submitted("a fox for later")
    stop = asyncio.Event()
    working = asyncio.create_task(process.run(stop, halted=True))
    await eventually(halted)
    stop.set()
    await working
    assert (await existing(job.id)).job.status == Status.QUEUED
    assert await faults.created("a fox for later") == []


async def test_of_all_workers_one_probes_a_halted_queue(database: None) -> None:
    await circuit.trip(AccountRefused("provider_billing", "No credit."))
    stopped = await circuit.current()
    assert stopped is not None
    assert not any(await asyncio.gather(*(circuit.half_open(stopped) for _ in range(5))))
    await Halt.update({Halt.probe_at: now() - timedelta(seconds=1)}, force=True)
    assert sum(await asyncio.gather(*(circuit.half_open(stopped) for _ in range(5)))) == 1
    await circuit.close()
    assert not await circuit.half_open(stopped)


async def test_to_be_asked_to_slow_down_is_no_failure_of_the_job(emptied: None, working: Faults) -> None:
    await working.script(
        {"on": "create", "match": "hasty", "do": "status", "status": 429, "retry_after": 1, "times": 6}
    )
    job = await submitted("a hasty fox")
    card = await ended(job)
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 0)
    codes = [attempt.error_code for attempt in await cards.attempts(job.id)]
    assert codes == ["rate_limited"] * 6 + [None]
    assert len(codes) > settings.max_attempts


async def test_many_jobs_at_once_against_a_strict_limit_are_refused_a_handful_of_times(
    emptied: None, faults: Faults, standin: str
) -> None:
    async with at_work() as worker, httpx.AsyncClient(base_url=standin, limits=NO_KEEPALIVE) as control:
        worker.replicate.rate_limit.per_minute = 1200  # several times what the stand-in allows
        await control.post("/_standin/limit", json={"creates_per_minute": 240, "burst": 5, "others_per_minute": 60000})
        try:
            many = [await submitted(f"one of a crowd of foxes, {number}") for number in range(20)]
            for job in many:
                card = await until(job.id, lambda card: card.job.status in lifecycle.ENDED, within=60)
                assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 0)
        finally:
            await control.post("/_standin/limit", json={"creates_per_minute": 100000, "others_per_minute": 100000})
    attempts = [attempt for job in many for attempt in await cards.attempts(job.id)]
    refusals = [attempt for attempt in attempts if attempt.error_code == "rate_limited"]
    assert len(refusals) < len(many), (
        "those in flight at each lowering of the rate; without it every job, again and again"
    )


class Gate(RateLimit):
    """A limit that gives tokens only while it is open."""

    open = False

    async def take(self) -> float:
        return 0.0 if self.open else 0.01


async def test_a_job_that_waits_for_the_limit_is_chosen_at_the_last_moment(emptied: None) -> None:
    gate = Gate()
    await submitted("an ordinary fox")
    waiting = asyncio.create_task(dispatch.next_job(gate))
    await asyncio.sleep(0.05)
    assert await dispatch.next_job(gate) is None, "one waits for all"
    urgent = await lifecycle.submit("an urgent fox", "stability-ai/sdxl", {}, Terms(priority=Priority.HIGH))
    gate.open = True
    job = await waiting
    assert job is not None
    assert job.id == urgent.id

"""While Replicate does not answer, jobs wait and are not lost. One job's failure does not stop the others."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from tasks.db.database import now
from tasks.db.tables import Halt, Job, Status
from tasks.errors import Failure
from tasks.library.cards import Card
from tasks.replicate import circuit
from tasks.replicate.circuit import MAX_UNANSWERED, Breaker
from tasks.replicate.client import LIMITS, Replicate
from tasks.replicate.errors import OutcomeUnknown, Refused, Unreached
from tests.conftest import Faults
from tests.tasks.work import at_work, ended, existing, submitted
from tests.waiting import eventually

pytestmark = pytest.mark.once

JOBS = 20


async def are_halted(code: str) -> bool:
    return await circuit.is_open(code)


async def queued(prompt: str, count: int = JOBS) -> list[Job]:
    return [await submitted(f"{prompt} {number}") for number in range(count)]


async def all_ended(many: list[Job]) -> list[Card]:
    return list(await asyncio.gather(*(ended(job) for job in many)))


async def test_an_outage_of_everything_meets_one_job_and_the_others_wait_without_a_try(working: Faults) -> None:
    await working.script({"on": "any", "do": "html502", "lasting": 2})
    many = await queued("a fox in the dark")
    await eventually(lambda: are_halted(circuit.AWAY))
    stopped = await circuit.current()
    assert stopped is not None
    assert stopped.job in {job.id for job in many}
    cards = await all_ended(many)
    unlucky = [card.job.error_code for card in cards if card.job.status != Status.COMPLETED]
    assert unlucky in ([], ["submission_unknown"])
    assert {card.job.retry_count for card in cards} == {0}
    assert await circuit.current() is None


class Network(httpx.AsyncHTTPTransport):
    """A network that is away until `away` is False."""

    away = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            raise httpx.ConnectError("no route to host")
        return await super().handle_async_request(request)


async def test_without_a_network_no_job_is_lost_however_long_it_lasts(faults: Faults) -> None:
    network = Network(limits=LIMITS)
    async with at_work(replicate=Replicate(network)):
        many = await queued("a fox beyond the wire")
        await eventually(lambda: are_halted(circuit.AWAY))
        await asyncio.sleep(2)  # many times as long as five attempts take here
        assert {(await existing(job.id)).job.status for job in many} <= {Status.QUEUED, Status.RUNNING}
        network.away = False
        cards = await all_ended(many)
    assert {(card.job.status, card.job.retry_count) for card in cards} == {(Status.COMPLETED, 0)}


async def test_while_only_creates_fail_a_few_are_tried_and_the_rest_waits(working: Faults) -> None:
    await working.script({"on": "create", "do": "html502", "lasting": 2})
    cards = await all_ended(await queued("a fox before a closed gate", 2 * JOBS))
    lost = [card.job.error_code for card in cards if card.job.status != Status.COMPLETED]
    assert set(lost) <= {"submission_unknown"}
    assert len(lost) <= MAX_UNANSWERED + 8, "those before the circuit opened, then one for each probe"


async def test_one_forbidden_prompt_fails_alone(working: Faults) -> None:
    await working.script({"on": "create", "match": "forbidden fruit", "do": "status", "status": 403, "times": 0})
    forbidden, *others = [await submitted("a forbidden fruit"), *await queued("an ordinary fruit", 5)]
    card = await ended(forbidden)
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "forbidden")
    assert {card.job.status for card in await all_ended(others)} == {Status.COMPLETED}
    assert await circuit.current() is None


async def test_a_403_to_the_account_itself_halts_the_queue_and_names_the_job(working: Faults) -> None:
    refused = {"do": "status", "status": 403, "times": 0}
    await working.script({"on": "create", **refused}, {"on": "account", **refused})
    job = await submitted("a fox of a locked account")
    await eventually(lambda: are_halted(circuit.AUTH))
    stopped = await circuit.current()
    assert stopped is not None
    assert stopped.job == job.id
    await working.clear()
    await circuit.close()
    assert (await ended(job)).job.status == Status.COMPLETED


@pytest.mark.parametrize("times", [1, 3])
async def test_a_404_to_a_look_does_not_lose_a_living_prediction(working: Faults, times: int) -> None:
    prompt = f"a fox out of sight, {times} times"
    await working.script({"on": "get", "match": prompt, "do": "status", "status": 404, "times": times})
    card = await ended(await submitted(prompt))
    assert card.job.status == Status.COMPLETED, card.job.error
    assert len(await working.created(prompt)) == 1


async def test_a_prediction_that_has_to_be_given_up_is_called_off(working: Faults) -> None:
    prompt = "a fox that replicate forgot"
    await working.script(
        {"on": "get", "match": prompt, "do": "status", "status": 404, "times": 0},
        {"on": "create", "match": prompt, "do": "run", "seconds": 60},
    )
    card = await ended(await submitted(prompt))
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "prediction_lost")
    [prediction] = await working.created(prompt)
    assert prediction["status"] == "canceled"


# The circuit breaker alone.


class Account:
    """A replacement for Replicate where only looks matter. failure: what they raise."""

    def __init__(self) -> None:
        self.failure: Failure | None = None
        self.looks = 0

    async def account(self) -> None:
        self.looks += 1
        if self.failure is not None:
            raise self.failure


LOST = OutcomeUnknown("provider_error", "Replicate had an internal error.", passing=True)
UNREACHED = Unreached("provider_unreachable", "Replicate could not be reached.", passing=True)


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    yield Account()
    await circuit.close()


def breaker_of(account: Account, clock: list[float]) -> Breaker:
    return Breaker(account, clock=lambda: clock[0])  # type: ignore[arg-type]  # all that it uses of Replicate


async def create(breaker: Breaker, failure: Failure | None = None, probing: bool = False) -> None:
    with suppress(Failure):
        async with breaker.create(uuid4(), probing):
            if failure is not None:
                raise failure


async def together(breaker: Breaker, count: int) -> int:
    """Begin `count` creates that hang. Returns how many are under way at once."""
    under_way, go_on = 0, asyncio.Event()

    async def hanging() -> None:
        nonlocal under_way
        async with breaker.create(uuid4()):
            under_way += 1
            await go_on.wait()

    async def some_are() -> bool:
        return under_way > 0

    tasks = [asyncio.create_task(hanging()) for _ in range(count)]
    await eventually(some_are)
    for _ in range(20):
        await asyncio.sleep(0)
    at_once = under_way
    go_on.set()
    await asyncio.gather(*tasks)
    return at_once


async def test_creates_go_one_at_a_time_until_one_was_answered_lately(account: Account) -> None:
    clock = [100.0]
    breaker = breaker_of(account, clock)
    assert await together(breaker, 5) == 1
    assert await together(breaker, 5) == 5
    clock[0] += 60
    assert await together(breaker, 5) == 1
    await create(breaker, Refused("invalid_input", "No."))
    assert await together(breaker, 5) == 5, "a refusal is an answer"


@pytest.mark.parametrize("failure", [LOST, UNREACHED], ids=["lost", "unreached"])
async def test_a_create_and_a_look_that_are_not_answered_halt_the_queue(account: Account, failure: Failure) -> None:
    breaker = breaker_of(account, [100.0])
    account.failure = UNREACHED
    await create(breaker, failure)
    assert await circuit.is_open(circuit.AWAY)
    with pytest.raises(Refused) as refused:
        async with breaker.create(uuid4()):
            pytest.fail("nothing is created while the queue is halted")
    assert (refused.value.code, refused.value.settled, refused.value.free) == (circuit.AWAY, True, True)


async def test_a_look_that_is_refused_is_answered(account: Account) -> None:
    breaker = breaker_of(account, [100.0])
    account.failure = Refused("rate_limited", "Slowly.")
    await create(breaker, LOST)
    assert not await circuit.is_open(circuit.AWAY)


async def test_a_few_creates_in_a_row_that_are_not_answered_halt_the_queue_although_looks_are(
    account: Account,
) -> None:
    breaker = breaker_of(account, [100.0])
    for _ in range(MAX_UNANSWERED - 1):
        await create(breaker, LOST)
    await create(breaker)
    for _ in range(MAX_UNANSWERED - 1):
        await create(breaker, LOST)
    assert not await circuit.is_open(circuit.AWAY)
    await create(breaker, LOST)
    assert await circuit.is_open(circuit.AWAY)


async def test_a_probe_is_created_although_the_queue_is_halted(account: Account) -> None:
    breaker = breaker_of(account, [100.0])
    await circuit.trip(Failure(circuit.AWAY, "Replicate is not responding."))
    async with breaker.create(uuid4(), probing=True):
        pass


async def test_of_creates_that_fail_together_one_looks(account: Account) -> None:
    breaker = breaker_of(account, [100.0])
    account.failure = UNREACHED
    await create(breaker)
    ready, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def failing() -> None:
        with suppress(Failure):
            async with breaker.create(uuid4()):
                ready.release()
                await go_on.wait()
                raise LOST

    tasks = [asyncio.create_task(failing()) for _ in range(MAX_UNANSWERED - 1)]
    for _ in tasks:
        await ready.acquire()
    go_on.set()
    await asyncio.gather(*tasks)
    assert account.looks == 1


@pytest.mark.parametrize(("lasted", "wait"), [(0, 1.0), (6, 3.0), (30, 15.0), (600, 30.0)])
async def test_an_outage_is_probed_soon_and_then_less_and_less_often(lasted: float, wait: float) -> None:
    await circuit.trip(Failure(circuit.AWAY, "Replicate is not responding."))
    now_due = now() - timedelta(seconds=lasted)
    await Halt.update({Halt.since: now_due, Halt.probe_at: now_due}, force=True)
    stopped = await circuit.current()
    assert stopped is not None
    assert await circuit.half_open(stopped)
    stopped = await circuit.current()
    assert stopped is not None
    assert (stopped.probe_at - now()).total_seconds() == pytest.approx(wait, abs=1)

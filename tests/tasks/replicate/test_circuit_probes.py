"""The queue halts when Replicate refuses the account, is probed from time to time, and resumes when it works again."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tasks.backoff import DEFAULT_TIMINGS
from tasks.db.database import now
from tasks.db.tables import Halt, Priority
from tasks.errors import Failure
from tasks.jobs import attempts, lifecycle
from tasks.replicate import circuit
from tasks.replicate.circuit import Breaker
from tasks.replicate.client import Replicate
from tasks.replicate.errors import AccountRefused
from tasks.replicate.rate_limit import RateLimit
from tasks.worker import dispatch
from tests.conftest import Faults
from tests.tasks.states import LEASE, PASSING, claimed, left, nothing, row, submitted, taken_over

BILLING = AccountRefused("provider_billing", "Replicate asks for payment.")
AUTH = AccountRefused("provider_auth", "Replicate does not accept the token.")


@pytest.fixture
async def breaker() -> AsyncIterator[Breaker]:
    client = Replicate()
    yield Breaker(client)
    await client.aclose()


class Unlimited(RateLimit):
    """A limit that grants every right to create. returned: how many were given back."""

    def __init__(self) -> None:
        super().__init__()
        self.returned = 0

    async def take(self) -> float:
        return 0.0

    async def give_back(self) -> None:
        self.returned += 1


async def stopped() -> Halt:
    found = await circuit.current()
    assert found is not None
    return found


async def time_to_probe() -> None:
    await Halt.update({Halt.probe_at: now() - timedelta(seconds=1)}, force=True)


async def test_nothing_is_halted_at_first() -> None:
    assert await circuit.current() is None


async def test_while_the_queue_is_halted_no_job_is_claimed_and_all_stay_queued() -> None:
    job = await submitted()
    await circuit.trip(BILLING)
    assert await lifecycle.claim(LEASE) is None
    assert await dispatch.next_job(Unlimited()) is None
    assert (await row(job)).status == "queued"


async def test_what_has_a_prediction_goes_on_while_the_queue_is_halted() -> None:
    job = await claimed()
    await attempts.begin(job, "m/m:1", {})
    await lifecycle.resume_later(job, PASSING, 0.0)
    await circuit.trip(BILLING)
    assert (await taken_over()).id == job.id


async def test_a_halt_says_why_and_since_when() -> None:
    await circuit.trip(BILLING)
    first = await circuit.current()
    assert first is not None
    assert (first.code, first.message) == ("provider_billing", "Replicate asks for payment.")
    await circuit.trip(AUTH)
    second = await circuit.current()
    assert second is not None
    assert (second.code, second.message) == ("provider_auth", "Replicate does not accept the token.")
    assert second.since == first.since
    assert await Halt.count() == 1


async def test_workers_that_are_refused_at_once_make_one_halt() -> None:
    await asyncio.gather(*(circuit.trip(BILLING) for _ in range(10)))
    assert await Halt.count() == 1


async def test_when_it_works_again_jobs_are_claimed_again() -> None:
    job = await submitted()
    await circuit.trip(BILLING)
    await circuit.close()
    claim = await dispatch.next_job(Unlimited())
    assert claim is not None
    assert claim.id == job.id
    await circuit.close()  # a second call finds nothing to do
    assert await circuit.current() is None


async def test_the_first_probe_waits_and_then_one_worker_of_all_may_probe() -> None:
    await circuit.trip(BILLING)
    assert await circuit.half_open(await stopped()) is False
    await time_to_probe()
    halted = await stopped()
    answers = await asyncio.gather(*(circuit.half_open(halted) for _ in range(10)))
    assert sorted(answers) == [False] * 9 + [True]
    seconds = ((await stopped()).probe_at - now()).total_seconds()
    assert DEFAULT_TIMINGS.max_probe - 5 < seconds <= DEFAULT_TIMINGS.max_probe


async def test_a_probe_that_is_refused_puts_off_the_next_one() -> None:
    await circuit.trip(BILLING)
    await time_to_probe()
    await circuit.trip(BILLING)
    assert await circuit.half_open(await stopped()) is False


async def test_the_probe_is_the_best_job_that_waits(breaker: Breaker, faults: Faults) -> None:
    first, _ = await submitted(), await submitted()
    await circuit.trip(BILLING)
    assert await dispatch.probe(breaker) is None
    await time_to_probe()
    probe = await dispatch.probe(breaker)
    assert probe is not None
    assert (probe.id, probe.status) == (first.id, "running")
    assert await dispatch.probe(breaker) is None


async def test_a_probe_that_is_refused_costs_no_try_and_does_not_go_first_again(
    breaker: Breaker, faults: Faults
) -> None:
    first, second = await submitted(priority=Priority.HIGH), await submitted()
    await circuit.trip(BILLING)
    for expected in (first, second, first, second):
        await time_to_probe()
        probe = await dispatch.probe(breaker)
        assert probe is not None
        assert probe.id == expected.id
        await attempts.begin(probe, "m/m:1", {})
        await circuit.trip(BILLING, probe.id)
        back = await lifecycle.unclaim(probe, BILLING)
        assert back is not None
        assert (back.status, back.retry_count) == ("queued", 0)
        assert nothing(back.error_code)


async def test_the_job_that_met_the_halt_is_the_probe_where_no_other_waits_before_its_time(
    breaker: Breaker, faults: Faults
) -> None:
    only = await claimed()
    await attempts.begin(only, "m/m:1", {})
    await circuit.trip(BILLING, only.id)
    assert (await stopped()).job == only.id
    assert await lifecycle.unclaim(only, BILLING, wait=300.0) is not None
    await time_to_probe()
    probe = await dispatch.probe(breaker)
    assert probe is not None
    assert probe.id == only.id


async def test_nothing_is_probed_while_the_queue_runs(breaker: Breaker, faults: Faults) -> None:
    await submitted()
    assert await dispatch.probe(breaker) is None


async def test_a_token_is_probed_without_a_job(breaker: Breaker, faults: Faults) -> None:
    job = await submitted()
    await circuit.trip(AUTH)
    await time_to_probe()
    await faults.script({"on": "account", "do": "status", "status": 401})
    with pytest.raises(Failure):
        await dispatch.probe(breaker)
    assert await circuit.current() is not None
    await time_to_probe()
    assert await dispatch.probe(breaker) is None
    assert await circuit.current() is None
    assert (await row(job)).status == "queued"


async def test_who_finds_no_job_gives_the_right_to_create_back() -> None:
    unlimited = Unlimited()
    assert await dispatch.next_job(unlimited) is None
    assert unlimited.returned == 1
    await submitted()
    assert await dispatch.next_job(unlimited) is not None
    assert unlimited.returned == 1


async def test_a_job_whose_worker_died_before_its_attempt_waits_while_the_queue_is_halted() -> None:
    job = await left(attempt=False)
    await circuit.trip(BILLING)
    assert await lifecycle.take_over(LEASE) is None
    assert [back.id for back in await lifecycle.requeue()] == [job.id]
    assert await lifecycle.take_over(LEASE) is None
    assert await lifecycle.claim(LEASE) is None
    assert (await row(job)).status == "queued"
    await circuit.close()
    again = await lifecycle.claim(LEASE)
    assert again is not None
    assert again.id == job.id


async def test_a_halt_by_hand_is_lifted_by_nothing_but_resume(breaker: Breaker, faults: Faults) -> None:
    job = await submitted()
    await circuit.hold_by_hand()
    await time_to_probe()
    assert await circuit.half_open(await stopped()) is False
    assert await dispatch.probe(breaker) is None
    await circuit.close()
    await circuit.trip(AUTH)
    await circuit.trip(BILLING)
    await time_to_probe()
    assert await dispatch.probe(breaker) is None
    held = await stopped()
    assert held.code == "held"
    assert await lifecycle.claim(LEASE) is None
    lifted = await circuit.resume()
    assert lifted is not None
    assert (lifted.code, lifted.message, lifted.since) == (held.code, held.message, held.since)
    claim = await dispatch.next_job(Unlimited())
    assert claim is not None
    assert claim.id == job.id


async def test_what_is_halted_by_the_account_is_not_resumed_by_hand() -> None:
    assert await circuit.resume() is None
    await circuit.trip(BILLING)
    assert await circuit.resume() is None
    assert await circuit.current() is not None


async def test_a_halt_by_hand_takes_the_place_of_the_accounts_and_leaves_a_restored_librarys() -> None:
    await circuit.trip(BILLING)
    await circuit.hold_by_hand()
    for code in ("held", "restored", "restored"):
        assert (await stopped()).code == code
        await circuit.hold("restored", "This library was restored from a backup.")
        if code == "restored":
            await circuit.hold_by_hand()
    assert await Halt.count() == 1


async def test_what_has_a_prediction_goes_on_while_the_queue_is_halted_by_hand() -> None:
    job = await claimed()
    await attempts.begin(job, "m/m:1", {})
    await lifecycle.resume_later(job, PASSING, 0.0)
    await circuit.hold_by_hand()
    assert (await taken_over()).id == job.id

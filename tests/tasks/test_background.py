"""Duties are performed again whatever fails, and end with the block that they run beside."""

import asyncio
import logging
from functools import partial

import pytest

from tasks.background import alongside, repeat
from tasks.errors import DatabaseAway, Failure
from tests.waiting import eventually


async def test_duties_run_beside_the_block_and_end_with_it() -> None:
    done: list[str] = []

    async def duty() -> None:
        try:
            while True:
                done.append("a round")
                await asyncio.sleep(0)
        finally:
            done.append("ended")

    async with alongside(duty()):
        await asyncio.sleep(0.01)
        assert "a round" in done
        assert "ended" not in done
    assert done[-1] == "ended"


async def test_a_duty_that_swallows_a_cancellation_is_cancelled_again() -> None:
    swallowed: list[asyncio.CancelledError] = []

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError as cancelled:
                if swallowed:
                    raise
                swallowed.append(cancelled)

    async with asyncio.timeout(10), alongside(stubborn()):
        await asyncio.sleep(0.01)
    assert swallowed


@pytest.mark.parametrize(
    "error", [DatabaseAway("The database is away."), Failure("storage_unavailable", "No."), ValueError()]
)
async def test_a_duty_that_fails_is_logged_and_performed_again(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    rounds: list[int] = []

    async def duty() -> None:
        rounds.append(len(rounds))
        if len(rounds) == 1:
            raise error

    async def three_rounds() -> bool:
        return len(rounds) >= 3

    async with alongside(repeat(duty, lambda: 0.01, "could not do it", logging.getLogger(__name__), at_once=True)):
        await eventually(three_rounds)
    [record] = [record for record in caplog.records if record.name == __name__]
    assert record.getMessage().startswith("could not do it")
    assert bool(record.exc_info) == isinstance(error, ValueError), "a traceback only for what is not expected"


async def test_the_first_round_waits_unless_it_is_wanted_at_once() -> None:
    rounds: list[str] = []

    async def duty(name: str) -> None:
        rounds.append(name)

    log = logging.getLogger(__name__)
    soon, late = partial(duty, "soon"), partial(duty, "late")
    async with alongside(repeat(soon, lambda: 60.0, "", log, at_once=True), repeat(late, lambda: 60.0, "", log)):
        await asyncio.sleep(0.05)
    assert rounds == ["soon"]

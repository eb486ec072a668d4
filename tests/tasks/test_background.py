"""Duties end with the block that they run beside, even if they swallow a cancellation."""

import asyncio

from tasks.background import alongside


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

"""The queue of hints, in cases where taskiq and redis-py have shortcomings."""

import asyncio
from contextlib import suppress
from random import uniform

from tasks.messaging.broker import broker, generate_later


async def test_who_waits_for_a_hint_can_be_stopped_at_any_moment(database: None, new_queue: None) -> None:
    """About one in ten of these cancellations was lost on Python 3.11, and a worker hung while it stopped."""
    for _ in range(12):
        hints = broker.listen()
        waiting = asyncio.ensure_future(anext(hints))
        await asyncio.sleep(uniform(0, 0.005))
        waiting.cancel()
        done, _ = await asyncio.wait([waiting], timeout=3)
        assert done
        with suppress(asyncio.CancelledError):
            await waiting
        await hints.aclose()


async def test_a_hint_is_heard_once_and_is_gone(database: None, new_queue: None) -> None:
    generate_later()
    hints = broker.listen()
    async with asyncio.timeout(5):
        await anext(hints)
    assert await broker.waiting(most=10) == 0
    await hints.aclose()

"""Waits for events in other processes that can only be observed by polling."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(predicate: Callable[[], Awaitable[bool]], every: float = 0.2) -> None:
    """Poll every `every` seconds until the predicate is true. The caller limits the time with asyncio.timeout."""
    while True:
        if await predicate():
            return
        await asyncio.sleep(every)

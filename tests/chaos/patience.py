"""Waiting for what happens in other processes, where nothing but looking tells."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(predicate: Callable[[], Awaitable[bool]], every: float = 0.2) -> None:
    """Look every so many seconds until it is so. The caller says for how long, by asyncio.timeout."""
    while True:
        if await predicate():
            return
        await asyncio.sleep(every)

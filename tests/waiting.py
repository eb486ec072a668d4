"""Waiting until something holds: `wait_until` blocks, `eventually` lets the event loop run."""

import asyncio
import time
from collections.abc import Awaitable, Callable


def wait_until(holds: Callable[[], object], within: float = 30.0) -> None:
    """Return as soon as `holds()` is true. Raises AssertionError when it is not true within `within` seconds."""
    looked = time.monotonic()
    deadline = looked + within
    while not holds():
        now = time.monotonic()
        assert now < deadline, f"not so within {within:.0f} s"
        time.sleep(max(0.02, 2 * (now - looked)))  # polling must not delay what it waits for
        looked = time.monotonic()


async def eventually(holds: Callable[[], Awaitable[bool]], within: float = 60.0) -> None:
    """Return as soon as `holds()` is true. Raises TimeoutError when it is not true within `within` seconds."""
    async with asyncio.timeout(within):
        while True:
            if await holds():
                return
            await asyncio.sleep(0.02)

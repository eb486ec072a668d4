"""Background duties that a process performs beside its main work for as long as it lives."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from tasks.errors import DatabaseAway, Failure


@asynccontextmanager
async def alongside(*duties: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run duties that never end by themselves while the block runs. They have ended when the context exits."""
    tasks = [asyncio.create_task(duty) for duty in duties]
    try:
        yield
    finally:
        await end(*tasks)


async def repeat(
    do: Callable[[], Awaitable[object]],
    pause: Callable[[], float],
    failed: str,
    log: logging.Logger,
    at_once: bool = False,
) -> None:
    """Perform a duty again and again, forever. What fails is logged as `failed`, and tried again with the next round.

    pause: returns the seconds until the next round. at_once: whether the first round begins without a pause.
    """
    if not at_once:
        await asyncio.sleep(pause())
    while True:
        try:
            await do()
        except (DatabaseAway, Failure) as error:
            log.warning("%s: %s", failed, error)
        except Exception:
            log.exception("%s; trying again", failed)
        await asyncio.sleep(pause())


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they end. Cancels repeatedly: what a task awaits may swallow a cancellation."""
    while unended := [task for task in tasks if not task.done()]:
        for task in unended:
            task.cancel()
        await asyncio.wait(unended, timeout=0.5)

"""Background duties that a process performs beside its main work for as long as it lives."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def alongside(*duties: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run duties that never end by themselves while the block runs. They have ended when the context exits."""
    tasks = [asyncio.create_task(duty) for duty in duties]
    try:
        yield
    finally:
        await end(*tasks)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they end. Cancels repeatedly: what a task awaits may swallow a cancellation."""
    while unended := [task for task in tasks if not task.done()]:
        for task in unended:
            task.cancel()
        await asyncio.wait(unended, timeout=0.5)

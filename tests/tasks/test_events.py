"""Word between processes: many hints at once all arrive."""

import asyncio
from contextlib import suppress

from tasks import events
from tasks.tables import new_id


async def test_of_two_hundred_changes_told_at_once_every_one_is_heard() -> None:
    listens, complete = asyncio.Event(), asyncio.Event()
    missing = {new_id() for _ in range(200)}

    async def listen() -> None:
        async for job_id in events.listen(events.CHANGED):
            listens.set()
            missing.discard(job_id)
            if not missing:
                complete.set()

    listening = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(20):
            while not listens.is_set():  # a hint is heard only once the subscription stands
                events.publish(events.CHANGED, new_id())
                with suppress(TimeoutError):
                    await asyncio.wait_for(listens.wait(), 0.05)
            for job_id in list(missing):
                events.publish(events.CHANGED, job_id)
            await complete.wait()
    finally:
        listening.cancel()
        with suppress(asyncio.CancelledError):
            await listening

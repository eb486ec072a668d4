"""Stops a worker while it stores results, and lets users change their minds in the meantime.

Another worker takes over its jobs. One of them ends differently than it would have, and begins again, before the first
worker resumes and goes on with what it was about to store.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

from tasks.standin.faults import Rule
from tests.chaos.evidence import Submission
from tests.chaos.records import UNREADABLE
from tests.chaos.scene import Scene
from tests.processes import Process

LOOKING = 20.0  # seconds within which something must be in progress: during an outage nothing is
PICKY = 4.0  # seconds in which it must be stored in part; later, a download is enough
LOOK_EVERY = 0.05  # seconds
STILL = 1.0  # seconds after which everything that is still being stored belongs to the stopped worker
PEOPLE = 2  # users who change their minds
LONGEST = 60.0  # seconds that they wait for their jobs to end

Look = Callable[[], Awaitable[dict[UUID, str]]]
"""Returns jobs -> the token of their lease."""


async def pause_while_it_stores(worker: Process, pause: float, scene: Scene) -> None:
    """Stop a worker at the right moment, and resume it after `pause` seconds. Does nothing if no such moment comes."""
    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        while (looked_for := time.monotonic() - start) < LOOKING:
            look = scene.records.storing if looked_for < PICKY else scene.records.downloading
            if not await _seen(look):
                await asyncio.sleep(LOOK_EVERY)
                continue
            async with worker.busy:
                stopped = time.time()
                worker.signal(signal.SIGSTOP)
                try:
                    standing = await _standing_still(look)
                    if standing:
                        scene.note(f"{worker.name} stands still with {', '.join(map(str, standing))}")
                        scene.toll.struck.append(stopped)
                        for submission in scene.visitors.who_wait_for(standing)[:PEOPLE]:
                            group.create_task(_change_mind(submission, scene))
                        await asyncio.sleep(pause)
                        return
                finally:
                    worker.signal(signal.SIGCONT)


async def _standing_still(look: Look) -> list[UUID]:
    """Return the jobs that make no progress: those of the stopped worker, if any."""
    before = await _seen(look)
    await asyncio.sleep(STILL)
    after = await _seen(look)
    return [job for job, token in before.items() if after.get(job) == token]


async def _seen(look: Look) -> dict[UUID, str]:
    try:
        return await look()
    except UNREADABLE:
        return {}


async def _change_mind(submission: Submission, scene: Scene) -> None:
    """Cancel a job and request it again.

    Its file is missing once, so that the worker that takes it over is not too quick.
    """
    await scene.world.script([Rule("file", "status", status=404, match=submission.prompt)])
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST):
            await scene.visitors.change_mind(submission)

"""A worker that is stopped while it stores what was made, and people who change their minds meanwhile.

Another worker takes its jobs over. One of them ends otherwise than it would have, and begins again, before the first
wakes up and goes on with what it was about to store.
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

LOOKING = 20.0  # seconds in which something has to be on its way: in an outage nothing is
PICKY = 4.0  # seconds in which it has to be in storage in part; later, a download will do
LOOK_EVERY = 0.05  # seconds
STILL = 1.0  # seconds after which what is still being stored is the stopped worker's
PEOPLE = 2  # who change their minds
LONGEST = 60.0  # seconds that they wait for their jobs to end

Look = Callable[[], Awaitable[dict[UUID, str]]]
"""Answers jobs -> the token of their lease."""


async def pause_while_it_stores(worker: Process, pause: float, scene: Scene) -> None:
    """Stop it in the right moment, and have it go on after so many seconds. Does nothing where none comes for long."""
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
    """The jobs that do not go on: those of the worker that was stopped, if any."""
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
    """Cancel a job and ask for it again. Its file is not shown once, so that who takes it over is not too quick."""
    await scene.world.script([Rule("file", "status", status=404, match=submission.prompt)])
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST):
            await scene.visitors.change_mind(submission)

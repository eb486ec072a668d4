"""A worker that is stopped while it stores what was made, and people who change their minds meanwhile.

Another worker takes its jobs over. One of them ends otherwise than it would have, and begins again, before the first
wakes up and goes on with what it was about to store.
"""

import asyncio
import signal
import time
from contextlib import suppress
from uuid import UUID

from tasks.standin.faults import Rule
from tests.chaos.evidence import Submission
from tests.chaos.records import UNREADABLE, Records
from tests.chaos.scene import Scene
from tests.processes import Process

LOOKING = 20.0  # seconds in which something has to be stored: in an outage nothing is
LOOK_EVERY = 0.1  # seconds
STILL = 1.0  # seconds after which what is still being stored is the stopped worker's
PEOPLE = 2  # who change their minds
LONGEST = 60.0  # seconds that they wait for their jobs to end


async def pause_while_it_stores(worker: Process, pause: float, scene: Scene) -> None:
    """Stop it in the right moment, and have it go on after so many seconds. Does nothing where none comes for long."""
    deadline = time.monotonic() + LOOKING
    async with asyncio.TaskGroup() as group:
        while time.monotonic() < deadline:
            if not await _downloading(scene.records):
                await asyncio.sleep(LOOK_EVERY)
                continue
            async with worker.busy:
                stopped = time.time()
                worker.signal(signal.SIGSTOP)
                try:
                    standing = await _standing_still(scene.records)
                    if standing:
                        scene.note(f"{worker.name} stands still with {', '.join(map(str, standing))}")
                        scene.toll.struck.append(stopped)
                        for submission in scene.visitors.who_wait_for(standing)[:PEOPLE]:
                            group.create_task(_change_mind(submission, scene))
                        await asyncio.sleep(pause)
                        return
                finally:
                    worker.signal(signal.SIGCONT)


async def _standing_still(records: Records) -> list[UUID]:
    """The jobs whose storing does not go on."""
    before = await _downloading(records)
    await asyncio.sleep(STILL)
    after = await _downloading(records)
    return [job for job, token in before.items() if after.get(job) == token]


async def _downloading(records: Records) -> dict[UUID, str]:
    try:
        return await records.downloading()
    except UNREADABLE:
        return {}


async def _change_mind(submission: Submission, scene: Scene) -> None:
    """Cancel a job and ask for it again. Its file is not shown once, so that who takes it over is not too quick."""
    await scene.world.script([Rule("file", "status", status=404, match=submission.prompt)])
    with suppress(TimeoutError):
        async with asyncio.timeout(LONGEST):
            await scene.visitors.change_mind(submission)

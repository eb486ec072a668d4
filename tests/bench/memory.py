"""How much memory and processor time processes take, with all that they have started."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import psutil

from tests.processes import Process

LOOK_EVERY = 0.2  # seconds
MIB = 2**20


@dataclass
class Peak:
    """The most that was seen. mib: resident (RSS)."""

    mib: float = 0.0


def resident(processes: Iterable[Process]) -> float:
    """What they and their children have in memory, in MiB: RSS, so what several share counts several times."""
    return sum(_resident(process) for one in processes for process in family(one)) / MIB


def processor(processes: Iterable[Process]) -> float:
    """The processor time that they and their living children have used so far, in seconds."""
    return sum(sum(process.cpu_times()[:2]) for one in processes for process in family(one))


def family(process: Process) -> list[psutil.Process]:
    """A process with all that it has started, and that lives."""
    running = process.running
    return [running, *running.children(recursive=True)]


@asynccontextmanager
async def watched(processes: list[Process]) -> AsyncIterator[Peak]:
    """The peak of what is resident, while the block runs."""
    peak = Peak()

    async def look() -> None:
        while True:
            peak.mib = max(peak.mib, resident(processes))
            await asyncio.sleep(LOOK_EVERY)

    looking = asyncio.create_task(look())
    try:
        yield peak
    finally:
        looking.cancel()


def _resident(process: psutil.Process) -> int:
    with suppress(psutil.NoSuchProcess):  # it has ended as we look
        return int(process.memory_info().rss)
    return 0

"""How much memory and processor time processes use, including all the processes that they started."""

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
    """The peak of a measurement. mib: resident memory (RSS), in MiB."""

    mib: float = 0.0


def resident(processes: Iterable[Process]) -> float:
    """Return the resident memory (RSS) of processes and their children, in MiB.

    Memory that several processes share counts several times.
    """
    return sum(_resident(process) for one in processes for process in family(one)) / MIB


def processor(processes: Iterable[Process]) -> float:
    """Return the processor time that processes and their living children have used so far, in seconds."""
    return sum(sum(process.cpu_times()[:2]) for one in processes for process in family(one))


def family(process: Process) -> list[psutil.Process]:
    """Return a process and all its living descendants."""
    running = process.running
    return [running, *running.children(recursive=True)]


@asynccontextmanager
async def watched(processes: list[Process]) -> AsyncIterator[Peak]:
    """Track the peak of the resident memory while the block runs."""
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
    with suppress(psutil.NoSuchProcess):  # the process may end while it is examined
        return int(process.memory_info().rss)
    return 0

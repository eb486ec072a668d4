"""start: everything on one machine, as `make run` starts it, until the gallery's first byte; and its idle load."""

import asyncio
from contextlib import suppress
from functools import partial
from time import perf_counter

from tests import servers
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target
from tests.bench.ground import SQLITE, Ground, prepared
from tests.bench.memory import processor, resident
from tests.chaos.patience import until
from tests.processes import Process, environment

IDLE = 20.0  # seconds of observation
SETTLED = 8.0  # seconds after the first byte until everything has started
PATIENCE = 60.0


async def measure(effort: Effort) -> list[Figure]:
    """Measure the seconds to the first byte, and the percent of a core and the MiB of all processes together."""
    starts, shares, sizes = [], [], []
    async with prepared(SQLITE) as ground:
        (ground.folder / "data").mkdir()
        port = servers.free_port()
        await _stopped(await _started(ground, port))  # the first start creates what later ones reuse: they are warm
        for number in range(effort.rounds):
            begun = perf_counter()
            everything = await _started(ground, port)
            starts.append(perf_counter() - begun)
            if number < effort.long_rounds:
                share, size = await _idle(everything, IDLE * effort.scale)
                shares.append(share)
                sizes.append(size)
            await _stopped(everything)
    return [
        Figure("start", "`make run`, warm, to the first byte of the gallery", "s", tuple(starts), SQLITE,
               targets=(Target("<", 3),), note="Without `make` itself, which looks at three files first."),
        Figure("start", "idle: all processes together", "% of a core", tuple(shares), SQLITE,
               targets=(Target("<", 2),)),
        Figure("start", "idle: all processes together (RSS)", "MiB", tuple(sizes), SQLITE,
               targets=(Target("<", 400),), note="The sum of what `up`, the web server, the worker, Valkey and the "
               "stand-in have in memory; what they share counts several times."),
    ]  # fmt: skip


async def _started(ground: Ground, port: int) -> Process:
    """Start all of Darkroom, and wait until it has sent the first byte of its gallery."""
    own = {"PORT": str(port), "STANDIN_PORT": str(servers.free_port()), "REDIS_URL": "", "REPLICATE_API_URL": ""}
    database = f"sqlite:///{ground.folder}/data/darkroom.sqlite"
    everything = ground.darkroom("up", environment(ground.folder, database, "", "", **own))
    async with asyncio.timeout(PATIENCE):
        await until(partial(_first_byte, port), every=0.01)
    return everything


async def _first_byte(port: int) -> bool:
    with suppress(ConnectionError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        byte = await reader.read(1)
        writer.close()
        return bool(byte)
    return False


async def _idle(everything: Process, seconds: float) -> tuple[float, float]:
    """Return the percent of a core and the MiB that are used while idle."""
    await asyncio.sleep(SETTLED)
    used = processor([everything])
    await asyncio.sleep(seconds)
    return 100 * (processor([everything]) - used) / seconds, resident([everything])


async def _stopped(everything: Process) -> None:
    assert await everything.stop(), "it did not end in time"

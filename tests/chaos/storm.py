"""What happens to the processes while jobs run: planned from the seed, blow by blow."""

import asyncio
import math
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from redis.asyncio import Redis

from tasks.standin.faults import Rule
from tests.chaos.fates import trouble
from tests.chaos.place import Site
from tests.chaos.world import World
from tests.processes import Process

EACH = (
    "kill worker",
    "kill web",
    "stop worker",
    "stop web",
    "pause worker",
    "kill valkey",
    "empty valkey",
    "trouble it",
)
ON_POSTGRES = ("restart postgres", "crash postgres")
OFTEN = ("kill worker", "kill worker", "kill web", "empty valkey", "trouble it")
"""What comes once more in each turn."""


@dataclass(frozen=True)
class Blow:
    """One thing that happens, `at` seconds into the storm.

    pause: seconds until the victim is back. rules: what goes wrong at the stand-in, where that is it.
    """

    at: float
    what: str
    victim: int
    pause: float
    rules: tuple[Rule, ...]


@dataclass
class Toll:
    """What the storm has done.

    struck: when a worker or the database had no chance to end in order (Unix seconds). late: who did not end in time.
    deaths: who ended without being told to.
    """

    kills: int = 0
    struck: list[float] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)


def plan(chance: Random, seconds: float, blows: int, rest: float, postgres: bool, lease: int, slow: bool) -> list[Blow]:
    """So many blows within so many seconds. Each kind comes once before any comes again.

    rest: seconds that who was killed stays away at most; half of them are back at once. lease: seconds. slow: see
    fates.trouble.
    """
    kinds, planned = _kinds(chance, postgres), []
    for number in range(blows):
        what, at = next(kinds), seconds * (number + chance.random()) / blows
        pause = (
            lease * chance.uniform(1.4, 2) if what == "pause worker" else chance.choice([0, chance.uniform(0, rest)])
        )
        rules = trouble(chance, slow) if what == "trouble it" else ()
        planned.append(Blow(at, what, chance.randrange(1000), pause, rules))
    return planned


async def rage(blows: list[Blow], site: Site, world: World, toll: Toll) -> None:
    """Let it all happen. Returns when everybody is back."""
    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for blow in blows:
            await asyncio.sleep(max(0.0, start + blow.at - time.monotonic()))
            group.create_task(_strike(blow, site, world, toll))


def _kinds(chance: Random, postgres: bool) -> Iterator[str]:
    turn = [*EACH, *(ON_POSTGRES if postgres else ())]
    while True:
        chance.shuffle(turn)
        yield from turn
        again = list(OFTEN)
        chance.shuffle(again)
        yield from again


async def _strike(blow: Blow, site: Site, world: World, toll: Toll) -> None:
    with (site.folder / "logs" / "storm.log").open("a") as log:
        print(f"{time.strftime('%H:%M:%S')} {blow.what} {blow.victim}, back after {blow.pause:.1f} s", file=log)
    match blow.what.split():
        case [what, "worker"]:
            await _strike_process(what, site.workers[blow.victim % len(site.workers)], blow.pause, toll)
        case [what, "web"]:
            await _strike_process(what, site.webs[blow.victim % len(site.webs)], blow.pause, toll)
        case [what, "postgres"]:
            await _restart_postgres(what, site, blow.pause, toll)
        case ["kill", "valkey"]:
            await _kill_valkey(site, blow.pause, toll)
        case ["empty", "valkey"]:
            await _empty_valkey(site)
        case ["trouble", "it"]:
            await world.script(blow.rules)


async def _strike_process(what: str, process: Process, pause: float, toll: Toll) -> None:
    async with process.busy:
        if what == "pause":
            toll.struck.append(time.time())
            process.signal(signal.SIGSTOP)
            await asyncio.sleep(pause)
            process.signal(signal.SIGCONT)
            return
        if what == "kill":
            toll.kills += 1
            toll.struck.append(time.time())
            process.kill()
        elif not await process.stop():
            toll.late.append(f"{process.name} did not end in time")
        await asyncio.sleep(pause)
        process.start()


async def _restart_postgres(what: str, site: Site, pause: float, toll: Toll) -> None:
    async with site.servers_busy:
        assert site.postgres is not None
        toll.kills += what == "crash"
        toll.struck.append(time.time())
        site.database_back = math.inf
        await asyncio.to_thread(site.postgres.end, signal.SIGQUIT if what == "crash" else signal.SIGINT)
        await asyncio.sleep(pause)
        await asyncio.to_thread(site.postgres.start)
        site.database_back = time.monotonic()


async def _kill_valkey(site: Site, pause: float, toll: Toll) -> None:
    async with site.servers_busy:
        toll.kills += 1
        await asyncio.to_thread(site.valkey.end, signal.SIGKILL)
        await asyncio.sleep(pause)
        await asyncio.to_thread(site.valkey.start)


async def _empty_valkey(site: Site) -> None:
    async with site.servers_busy, Redis.from_url(site.valkey.url) as redis:
        await redis.flushall()

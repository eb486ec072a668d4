"""The storm: what happens to the processes while jobs run, blow by blow."""

import asyncio
import math
import signal
import time
from functools import partial

import httpx
from redis.asyncio import Redis

from tests.chaos.evidence import Outage
from tests.chaos.patience import until
from tests.chaos.place import Site
from tests.chaos.plan import Blow
from tests.chaos.scene import Scene, Toll
from tests.chaos.storing import pause_while_it_stores
from tests.processes import Process, answers


async def rage(blows: list[Blow], scene: Scene) -> None:
    """Strike all blows at their times. Returns when all victims are back."""
    start = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for blow in blows:
            await asyncio.sleep(max(0.0, start + blow.at - time.monotonic()))
            group.create_task(_strike(blow, scene))


async def _strike(blow: Blow, scene: Scene) -> None:
    site, toll = scene.site, scene.toll
    scene.note(f"{blow.what} {blow.victim}, back after {blow.pause:.1f} s")
    match blow.what.split():
        case ["pause", "storing"]:
            await pause_while_it_stores(site.workers[blow.victim % len(site.workers)], blow.pause, scene)
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
        case ["outage", "network"]:
            await _cut_network(scene, blow.pause)
        case ["outage", _]:
            await scene.world.script(blow.rules)
            await asyncio.sleep(blow.pause)
        case ["trouble", "it"]:
            await scene.world.script(blow.rules)


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


async def _cut_network(scene: Scene, pause: float) -> None:
    """Make Replicate unreachable: connections to it are refused."""
    standin = scene.site.standin
    async with standin.busy, httpx.AsyncClient() as client:
        await scene.world.note()
        start = time.time()
        scene.toll.struck.append(start)
        standin.kill()
        await asyncio.sleep(pause)
        standin.start()
        await until(partial(answers, client, f"{scene.site.world}/v1/account"))
        await scene.world.restore()
    scene.world.outages.append(Outage("network", start, time.time()))

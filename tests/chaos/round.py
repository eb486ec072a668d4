"""One round: start everything, strike it while jobs run, wait until it is calm, and examine what is left."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import msgspec

from tests.chaos import money, place
from tests.chaos.checks import Violation, violations
from tests.chaos.evidence import ENDED
from tests.chaos.gathering import gather
from tests.chaos.listeners import listening
from tests.chaos.patience import until
from tests.chaos.plan import plan
from tests.chaos.records import UNREADABLE, Records, Takeover, watch_halts, watch_takeovers
from tests.chaos.scene import Scene
from tests.chaos.size import Size
from tests.chaos.storm import rage
from tests.chaos.visitors import Visitors
from tests.chaos.visits import visits
from tests.chaos.world import World

SETTLED = 30.0  # seconds after the last job's end within which the ledger knows what all cost


@dataclass
class Result:
    """The result of a round.

    counts: jobs by their status. faults: how often a request met one. takeover: the slowest. logs: their folder.
    """

    violations: list[Violation]
    counts: Counter[str]
    kills: int
    faults: int
    throttled: int
    takeover: Takeover
    seconds: float
    logs: Path

    def of(self, kind: str) -> int:
        """Return the number of violations of a kind."""
        return sum(violation.kind == kind for violation in self.violations)


async def play(seed: int, database: str, size: Size, folder: Path) -> Result:
    """Play one round in an empty folder."""
    start, chance = time.monotonic(), Random(f"{seed} {database}")
    planned = visits(chance, size.jobs, size.storm * 0.8, size.slow)
    blows = plan(chance, size, database == "postgres")
    webhooks = size.slow and chance.random() < 0.7  # it takes half a minute to make up for a lost one
    async with (
        listening(chance) as listeners,
        place.running(folder, database, size.webs, size.workers, size.lease, webhooks) as site,
    ):
        world = World(site.world, site.standin.log)
        await world.prepare(0.2)
        headers = await money.prepare(site)
        await listeners.subscribe(site)
        visitors = Visitors(site.addresses, world, seed, headers, listeners.of_jobs.url)
        scene = Scene(site, Records(site.database_url), world, visitors, listeners)
        takeover, halts = Takeover(), set[str]()
        await world.prepare(chance.uniform(0.2, 1.0))
        watching = [
            asyncio.create_task(watch_takeovers(scene.records, size.lease, takeover)),
            asyncio.create_task(watch_halts(scene.records, halts)),
            asyncio.create_task(site.keep(scene.toll.deaths)),
        ]
        visiting = asyncio.create_task(scene.visitors.come(planned))
        moody = asyncio.create_task(listeners.be_moody())
        await rage(blows, scene)
        await _all_ended(scene.records, visiting, size.limit)
        await world.calm()
        await site.ready()
        await _all_settled(scene)
        await listeners.calm(moody, scene.records)
        for task in watching:
            task.cancel()
        evidence = await gather(scene, len(planned), halts)
        throttled = world.throttled()
        await scene.visitors.aclose()
        await world.aclose()
    (folder / "evidence.json").write_bytes(msgspec.json.encode(evidence))
    return Result(
        violations(evidence),
        Counter(job.status for job in evidence.jobs),
        scene.toll.kills,
        len(evidence.met),
        throttled,
        takeover,
        time.monotonic() - start,
        folder / "logs",
    )


async def _all_ended(records: Records, visiting: asyncio.Task[None], limit: float) -> None:
    """Wait until every visitor has left and every job has ended, but no longer than `limit` seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await visiting
            await until(partial(_ended, records))


async def _all_settled(scene: Scene) -> None:
    """Wait until the ledger has all costs, and nothing is held for what ended, but no longer than SETTLED seconds."""

    async def settled() -> bool:
        costs, predictions = await scene.records.costs(), await scene.world.predictions()
        held, doubtful = await scene.records.held(), {job.id for job in await scene.records.jobs() if job.error_code}
        entered = all(each.charged == costs.get(each.id, 0) for each in predictions if each.prompt != money.WARM_UP)
        return entered and held <= doubtful

    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLED):
            await until(settled, every=1)


async def _ended(records: Records) -> bool:
    try:
        return all(job.status in ENDED for job in await records.jobs())
    except UNREADABLE:
        return False

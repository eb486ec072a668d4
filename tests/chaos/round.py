"""One round: start everything, let the storm loose on running jobs, wait for calm, and look at what is left."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from tests.chaos import place
from tests.chaos.checks import Violation, violations
from tests.chaos.evidence import ENDED
from tests.chaos.gathering import gather
from tests.chaos.patience import until
from tests.chaos.records import UNREADABLE, Records, Takeover, watch_takeovers
from tests.chaos.storm import Toll, plan, rage
from tests.chaos.visitors import Visitors
from tests.chaos.visits import visits
from tests.chaos.world import World


@dataclass(frozen=True)
class Size:
    """How large a round is.

    storm: seconds. rest: seconds that who was killed stays away at most. limit: seconds after the storm that the last
    job may take. lease: seconds. slow: whether there are faults, too, that take half a minute to get over.
    """

    jobs: int
    storm: float
    blows: int
    rest: float
    limit: float
    lease: int
    webs: int
    workers: int
    slow: bool


LONG = {
    "postgres": Size(jobs=300, storm=45, blows=24, rest=4, limit=300, lease=5, webs=2, workers=3, slow=True),
    "sqlite": Size(jobs=300, storm=45, blows=24, rest=4, limit=300, lease=5, webs=1, workers=1, slow=True),
}
SHORT = {
    "postgres": Size(jobs=40, storm=6, blows=10, rest=1, limit=150, lease=3, webs=1, workers=2, slow=False),
    "sqlite": Size(jobs=40, storm=6, blows=8, rest=1, limit=150, lease=3, webs=1, workers=1, slow=False),
}


@dataclass
class Result:
    """What came of a round. counts: jobs by their status. takeover: the slowest. logs: where they are."""

    violations: list[Violation]
    counts: Counter[str]
    kills: int
    faults: int
    throttled: int
    takeover: Takeover
    seconds: float
    logs: Path

    def of(self, kind: str) -> int:
        """How many violations there are of a kind."""
        return sum(violation.kind == kind for violation in self.violations)


async def play(seed: int, database: str, size: Size, folder: Path) -> Result:
    """Play one round in an empty folder."""
    start, chance = time.monotonic(), Random(f"{seed} {database}")
    planned = visits(chance, size.jobs, size.storm * 0.8, size.slow)
    blows = plan(chance, size.storm, size.blows, size.rest, database == "postgres", size.lease, size.slow)
    webhooks = size.slow and chance.random() < 0.7  # a lost one is made up for after half a minute
    async with place.running(folder, database, size.webs, size.workers, size.lease, webhooks) as site:
        world = World(site.world, site.standin.log)
        visitors = Visitors(site.addresses, world, seed)
        records, takeover, toll = Records(site.database_url), Takeover(), Toll()
        await world.prepare(chance.uniform(0.2, 1.0))
        watching = [
            asyncio.create_task(watch_takeovers(records, size.lease, takeover)),
            asyncio.create_task(site.keep(toll.deaths)),
        ]
        visiting = asyncio.create_task(visitors.come(planned))
        await rage(blows, site, world, toll)
        await _all_ended(records, visiting, size.limit)
        faults = await world.calm()
        await site.ready()
        for task in watching:
            task.cancel()
        evidence = await gather(site, records, world, visitors, toll, len(planned))
        throttled = world.throttled()
        await visitors.aclose()
        await world.aclose()
    return Result(
        violations(evidence),
        Counter(job.status for job in evidence.jobs),
        toll.kills,
        faults,
        throttled,
        takeover,
        time.monotonic() - start,
        folder / "logs",
    )


async def _all_ended(records: Records, visiting: asyncio.Task[None], limit: float) -> None:
    """Wait until every visitor has left and every job has ended; or no longer than so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await visiting
            await until(partial(_ended, records))


async def _ended(records: Records) -> bool:
    try:
        return all(job.status in ENDED for job in await records.jobs())
    except UNREADABLE:
        return False

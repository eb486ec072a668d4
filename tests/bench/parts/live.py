"""live: from the commit of a job's last change until its bytes reach an open page, one job after the other."""

import asyncio

from tests.bench import predictions, rows, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target, quantile
from tests.bench.ground import POSTGRES, SQLITE, prepared
from tests.bench.orders import carried
from tests.bench.sites import Site
from tests.bench.watchers import watching

JOBS = 100  # in a round
SETTLED = 3.5  # seconds within which a page receives every change, including changes that no hint reported


async def measure(effort: Effort) -> list[Figure]:
    """Measure p50 and p99 in milliseconds, on each database."""
    return [figure for database in (POSTGRES, SQLITE) for figure in await _on(database, effort)]


async def _on(database: str, effort: Effort) -> list[Figure]:
    async with prepared(database) as ground:
        site = await sites.darkroom(ground, workers=1)
        await predictions.share_a_picture(ground)
        await carried(site, 20)  # warm up
        rounds = [await _latencies(site, effort.count(JOBS)) for _ in range(effort.rounds)]
    what = "the row's change to bytes at an open page"
    return [
        Figure("live", f"{what}, p50", "ms", tuple(quantile(took, 0.5) for took in rounds), database,
               targets=(Target("<", 20),)),
        Figure("live", f"{what}, p99", "ms", tuple(quantile(took, 0.99) for took in rounds), database,
               targets=(Target("<", 100),),
               note="Counted from the moment that the row carries, which is taken just before the commit."),
    ]  # fmt: skip


async def _latencies(site: Site, jobs: int) -> list[float]:
    async with watching(site.address, 1) as arrivals:
        for _ in range(jobs):
            await carried(site, 1)
        await asyncio.sleep(SETTLED)
    async with rows.opened(site.database_url) as database:
        found = await database.ask(f"SELECT changed_at FROM job ORDER BY changed_at DESC LIMIT {jobs}")
    return [1000 * (arrivals[changed][0] - changed) for changed in (rows.moment(value) for [value] in found)]

"""overhead: the time of a job apart from its prediction, one job after the other, Darkroom with webhooks."""

from time import time

from tests.bench import predictions, rows, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target, quantile
from tests.bench.ground import POSTGRES, SQLITE, Ground, prepared
from tests.bench.orders import carried
from tests.bench.sites import Site

JOBS, REFERENCE_JOBS = 100, 20  # in a round
PACE = 0.05  # predictions take a tenth of a second, and the stand-in notices within 3 ms that one has ended


async def measure(effort: Effort) -> list[Figure]:
    """Measure p50 and p99 in milliseconds, on each database."""
    return [figure for database in (POSTGRES, SQLITE) for figure in await _on(database, effort)]


async def _on(database: str, effort: Effort) -> list[Figure]:
    async with prepared(database) as ground:
        own, reference = await sites.darkroom(ground, workers=1, webhooks=True), await sites.reference(ground, True)
        await predictions.share_a_picture(ground)
        await predictions.keep_pace(ground, PACE)
        for site in (own, reference):
            await carried(site, 10)  # warm up
        took, theirs = [], []
        for _ in range(effort.long_rounds):
            took.append(await _overheads(own, ground, effort.count(JOBS)))
            theirs.append(await _overheads(reference, ground, effort.count(REFERENCE_JOBS)))
    return [
        Figure(
            "overhead", f"a job's time beside its prediction's, {name}", "ms",
            tuple(quantile(times, share) for times in took), database,
            tuple(quantile(times, share) for times in theirs), targets=(Target("<", bound),),
            note="From before the request is sent to `finished_at`, without the time from the prediction's creation to "
            "its end. The reference polls every half second.",
        )
        for name, share, bound in (("p50", 0.5, 60), ("p99", 0.99, 200))
    ]  # fmt: skip


async def _overheads(site: Site, ground: Ground, jobs: int) -> list[float]:
    starts = []
    for _ in range(jobs):
        starts.append(time())
        await carried(site, 1)
    async with rows.opened(site.database_url) as database:
        found = await database.ask(f"SELECT finished_at FROM job ORDER BY created_at DESC LIMIT {jobs}")
    ends = [rows.moment(value) for [value] in reversed(found)]
    made = [one.ended - one.created for one in (await ground.world.predictions())[-jobs:] if one.ended is not None]
    return [1000 * (end - start) - made for start, end, made in zip(starts, ends, made, strict=True)]

"""instant: predictions that have already ended when they are created, with small pictures, one worker process."""

from tests.bench import predictions, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target
from tests.bench.ground import POSTGRES, SQLITE, prepared
from tests.bench.orders import carried

JOBS = 500


async def measure(effort: Effort) -> list[Figure]:
    """Measure jobs per second, from the first request to the last job's end, on each database."""
    return [await _on(database, effort) for database in (POSTGRES, SQLITE)]


async def _on(database: str, effort: Effort) -> Figure:
    jobs, own, theirs = effort.count(JOBS), [], []
    async with prepared(database) as ground:
        site, reference = await sites.darkroom(ground, workers=1), await sites.reference(ground, workers=True)
        await predictions.share_a_picture(ground)
        for each in (site, reference):
            await carried(each, 50)  # warm up
        for _ in range(effort.long_rounds):
            own.append(jobs / await carried(site, jobs))
            theirs.append(jobs / await carried(reference, jobs))
    return Figure(
        "instant", f"{jobs} instant predictions, small pictures, one worker process", "jobs/s", tuple(own), database,
        tuple(theirs), targets=(Target(">=", 40),),
        note="The reference has eight worker processes, and makes no preview, measures nothing and checks nothing.",
    )  # fmt: skip

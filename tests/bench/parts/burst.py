"""burst: 300 predictions of two seconds requested at once, one worker process, until the last one ends."""

from tests.bench import predictions, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target
from tests.bench.ground import POSTGRES, SQLITE, prepared
from tests.bench.orders import carried

JOBS, SECONDS = 300, 2.0
REFERENCE_JOBS = 32  # its eight processes run eight at a time: 300 would take a minute and a half


async def measure(effort: Effort) -> list[Figure]:
    """Measure seconds, and jobs per second, on each database."""
    return [figure for database in (POSTGRES, SQLITE) for figure in await _on(database, effort)]


async def _on(database: str, effort: Effort) -> list[Figure]:
    jobs, fewer = effort.count(JOBS), effort.count(REFERENCE_JOBS)
    async with prepared(database) as ground:
        own = await sites.darkroom(ground, workers=1, WORKER_CONCURRENCY=str(JOBS))
        reference = await sites.reference(ground, workers=True)
        for site in (own, reference):
            await carried(site, 8)  # warm up
        await predictions.last(ground, SECONDS)
        took, theirs = [], []
        for _ in range(effort.long_rounds):
            took.append(await carried(own, jobs))
            theirs.append(await carried(reference, fewer))
    what = f"{jobs} predictions of {SECONDS:g} s, one worker process"
    return [
        Figure("burst", f"{what}: to the last one's end", "s", tuple(took), database, targets=(Target("<", 10),)),
        Figure(
            "burst", f"predictions of {SECONDS:g} s, asked for at once", "jobs/s",
            tuple(jobs / seconds for seconds in took), database, tuple(fewer / seconds for seconds in theirs),
            note=f"The reference was given {fewer} predictions: its eight processes carry eight at a time.",
        ),
    ]  # fmt: skip

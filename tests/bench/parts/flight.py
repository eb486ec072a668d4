"""flight: 1,000 predictions of ten seconds in flight at once in one worker process, polled or with webhooks."""

from tests.bench import predictions, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target
from tests.bench.ground import POSTGRES, SQLITE, prepared
from tests.bench.memory import watched
from tests.bench.orders import carried

JOBS, SECONDS = 1000, 10.0


async def measure(effort: Effort) -> list[Figure]:
    """Measure the seconds until the last one ends, and the worker's memory, on each database."""
    return [
        figure
        for database in (POSTGRES, SQLITE)
        for webhooks in (False, True)
        for figure in await _on(database, webhooks, effort)
    ]


async def _on(database: str, webhooks: bool, effort: Effort) -> list[Figure]:
    jobs, took, peaks = effort.count(JOBS), [], []
    async with prepared(database) as ground:
        own = await sites.darkroom(ground, workers=1, webhooks=webhooks, WORKER_CONCURRENCY=str(JOBS))
        await carried(own, 8)  # warm up
        await predictions.share_a_picture(ground, running=SECONDS)
        for _ in range(effort.long_rounds):
            async with watched(own.workers) as peak:
                took.append(await carried(own, jobs))
            peaks.append(peak.mib)
    how = "webhooks" if webhooks else "polling"
    what = f"{jobs:,} predictions of {SECONDS:g} s in flight, {how}"
    return [
        Figure("flight", f"{what}: to the last one's end", "s", tuple(took), database, targets=(Target("<", 30),)),
        Figure(
            "flight", f"the worker and its openers at most (RSS), {how}", "MiB", tuple(peaks), database,
            targets=(Target("<", 300),),
        ),
    ]  # fmt: skip

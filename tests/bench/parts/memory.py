"""memory: the memory of web and worker over 10,000 jobs, and of the web over 1,000 pages that open and close."""

from statistics import median

from tests.bench import predictions, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target
from tests.bench.ground import POSTGRES, prepared
from tests.bench.memory import resident
from tests.bench.orders import carried
from tests.bench.sites import Site
from tests.bench.watchers import watching

JOBS, PAGES = 10_000, 1000
LOOKS = 40  # measurements of the memory
WARM = 0.2  # share of the work that fills caches and pools; afterwards nothing may grow
MOST = 1.1  # times the earlier size

Course = list[tuple[float, float]]
"""The number of jobs or pages so far, and the MiB at that time."""


async def measure(effort: Effort) -> list[Figure]:
    """Measure the memory at the end as a multiple of the memory after a fifth of the work; with its course."""
    jobs, pages = effort.count(JOBS), effort.count(PAGES)
    async with prepared(POSTGRES) as ground:
        site = await sites.darkroom(ground, workers=1)
        await predictions.share_a_picture(ground)
        worker, web = await _over_jobs(site, jobs)
        visits = await _over_visits(site, pages)
    return [
        _figure(f"the worker over {jobs:,} jobs", worker),
        _figure(f"the web process over {jobs:,} jobs", web),
        _figure(f"the web process over {pages:,} pages that come and go", visits),
    ]


async def _over_jobs(site: Site, jobs: int) -> tuple[Course, Course]:
    worker: Course = []
    web: Course = []
    for step in range(1, LOOKS + 1):
        await carried(site, max(1, jobs // LOOKS))
        worker.append((step * jobs / LOOKS, resident(site.workers)))
        web.append((step * jobs / LOOKS, resident(site.webs)))
    return worker, web


async def _over_visits(site: Site, pages: int) -> Course:
    course: Course = []
    for step in range(1, LOOKS + 1):
        async with watching(site.address, max(1, pages // LOOKS)):
            await carried(site, 1)
        course.append((step * pages / LOOKS, resident(site.webs)))
    return course


def _figure(what: str, course: Course) -> Figure:
    sizes = [size for _, size in course]
    early, late = sizes[int(WARM * LOOKS) :][:5], sizes[-5:]
    return Figure(
        "memory", f"{what}: from {median(early):.0f} to {median(late):.0f} MiB", "times",
        (median(late) / median(early),), POSTGRES, targets=(Target("<=", MOST),), course=tuple(course),
        note=f"In the end, as a multiple of what it was after {WARM:.0%} of all. The course is in the plot.",
    )  # fmt: skip

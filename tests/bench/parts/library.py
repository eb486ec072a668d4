"""library: a large library: its first page, page 1,000, a search for two words, one month, the page of operators."""

from datetime import UTC, datetime, timedelta
from statistics import median
from urllib.parse import quote

import httpx

from tests.bench import seeding, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target
from tests.bench.ground import POSTGRES, SQLITE, prepared
from tests.bench.load import Load, drive, get

JOBS = {SQLITE: 200_000, POSTGRES: 1_000_000}
PAGE, CARDS, MOST = 1000, 60, 200  # cards on a page of the gallery; the most jobs on a page of /jobs.json
OPERATE = "page of operators"
BROWSER = {"Accept": "text/html", "Accept-Encoding": "gzip, deflate, br"}


async def measure(effort: Effort) -> list[Figure]:
    """Measure p95 in milliseconds of each kind of page, one request at a time, on each database."""
    return [figure for database in (SQLITE, POSTGRES) for figure in await _on(database, effort)]


async def _on(database: str, effort: Effort) -> list[Figure]:
    jobs = effort.count(JOBS[database])
    page = min(PAGE, jobs // (CARDS + 2))  # some jobs are in the trash
    month = f"{datetime.now(UTC) - timedelta(days=180):%Y-%m}"
    async with prepared(database) as ground:
        url = await seeding.filled(ground, jobs)
        site = await sites.darkroom(ground, database_url=url)
        paths = {
            "first page": "/",
            f"page {page:,}": await _path_of_page(site.address, page),
            "search of two words": f"/?q={quote('fox snow')}",
            "one month": f"/?q={quote(f'on:{month}')}",
            OPERATE: "/operate",
        }
        loads: dict[str, list[Load]] = {name: [] for name in paths}
        for number in range(effort.rounds + 1):
            for name, path in paths.items():
                load = await drive(site.address, get(site.address + path, BROWSER), 200, 1, effort.seconds / 2)
                if number:  # the first round is the warm-up
                    loads[name].append(load)
    figures = [
        Figure("library", f"{jobs:,} jobs: {name}, p95", "ms", tuple(load.milliseconds(0.95) for load in of), database,
               targets=(Target("<", 100 if name == OPERATE else 50),))
        for name, of in loads.items()
    ]  # fmt: skip
    first, far, *_ = loads.values()
    ratios = [median(late.latencies) / median(early.latencies) for early, late in zip(first, far, strict=True)]
    beside = f"{jobs:,} jobs: page {page:,} beside the first, p50"
    return [*figures, Figure("library", beside, "times", tuple(ratios), database, targets=(Target("<=", 1.3),))]


async def _path_of_page(address: str, number: int) -> str:
    """Return the path of a page of the gallery. It skips as many jobs as the pages before it show."""
    to_skip, following = (number - 1) * CARDS, "/jobs.json"
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        while to_skip > 0:
            taken = min(MOST, to_skip)
            path = httpx.URL(following).copy_merge_params({"limit": taken})
            following = (await client.get(path)).raise_for_status().json()["next"]
            to_skip -= taken
    return f"/?cursor={quote(httpx.URL(following).params['cursor'])}"

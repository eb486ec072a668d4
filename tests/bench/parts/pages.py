"""pages: 2,000 open pages on one web process: memory of each, delay of events to all, effect on other requests."""

import asyncio

from tests.bench import predictions, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target, quantile
from tests.bench.ground import POSTGRES, prepared
from tests.bench.load import Load, post, send
from tests.bench.memory import resident
from tests.bench.orders import ORDER, carried
from tests.bench.sites import Site
from tests.bench.watchers import Arrivals, watching

PAGES = 2000
POSTS, BETWEEN = 30, 0.5  # in a round, one after the other; seconds
QUIET = 6.0  # seconds before pages are opened, because they start with the changes of the last five
SETTLED = 3.0  # seconds until everything is sent and memory is stable


async def measure(effort: Effort) -> list[Figure]:
    """Measure KiB per page, milliseconds to the last page, and the p99 of POST /generate in the meantime."""
    pages, slowest, p99 = effort.count(PAGES), [], []
    sizes: list[float] = []
    async with prepared(POSTGRES) as ground:
        site = await sites.darkroom(ground, workers=1)
        await predictions.share_a_picture(ground)
        async with watching(site.address, 20):
            await carried(site, 20)  # warm up
        for _ in range(effort.long_rounds):
            await asyncio.sleep(QUIET)
            before = resident(site.webs)
            async with watching(site.address, pages) as arrivals:
                await asyncio.sleep(SETTLED)
                if not sizes:  # later rounds reuse memory that the first one left
                    sizes.append(1024 * (resident(site.webs) - before) / pages)
                arrivals.clear()
                load = await _posts(site)
                await asyncio.sleep(SETTLED)
                slowest.append(_slowest(arrivals, pages))
            p99.append(load.milliseconds(0.99))
    open_pages = f"{pages:,} open pages"
    return [
        Figure("pages", f"{open_pages}: memory of the web process for each", "KiB", tuple(sizes), POSTGRES,
               targets=(Target("<", 40),)),
        Figure("pages", f"{open_pages}: a change is at all of them, p99", "ms", tuple(slowest), POSTGRES,
               targets=(Target("<", 500),)),
        Figure("pages", f"{open_pages}: POST /generate, p99", "ms", tuple(p99), POSTGRES,
               targets=(Target("<", 250),),
               note=f"{POSTS} requests in a round, one every {BETWEEN:g} s; each makes a job, and all pages hear of "
                     "its queueing, its stages and its end. All pages are one process's, the load "
               "generator's, which reads them on the other core."),
    ]  # fmt: skip


async def _posts(site: Site) -> Load:
    """Send a few requests with pauses between them. Raises Failed."""
    request, all_of_them = post(f"{site.address}/generate", ORDER), Load()
    for _ in range(POSTS):
        load = await send(site.address, request, 202, 1, 1)
        all_of_them.latencies += load.latencies
        await asyncio.sleep(BETWEEN)
    return all_of_them


def _slowest(arrivals: Arrivals, pages: int) -> float:
    """Return the p99 of the milliseconds from a change until the last page has received it.

    Raises AssertionError when a change did not reach every page.
    """
    heard = {changed: times for changed, times in arrivals.items() if len(times) >= pages}
    assert len(heard) >= POSTS, f"{POSTS} changes, but only {len(heard)} reached every page"
    return quantile([1000 * (max(times[:pages]) - changed) for changed, times in heard.items()], 0.99)

"""Jobs, requested as a client program would (with the smallest possible pictures), and waiting for their end."""

import asyncio
from time import perf_counter

import httpx

from tests.bench import rows
from tests.bench.load import post, send
from tests.bench.sites import Site
from tests.chaos.patience import until

ORDER = {"prompt": "A futuristic city at sunset", "parameters": {"width": 64, "height": 64}}
CONNECTIONS = 16
PATIENCE = 300.0  # seconds within which jobs must end
LOOK_EVERY = 0.02  # seconds


async def place(address: str) -> str:
    """Request a job. Returns its id."""
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{address}/generate", json=ORDER)
    return str(answer.raise_for_status().json()["job_id"])


async def place_many(site: Site, jobs: int) -> None:
    """Request `jobs` jobs as fast as they are accepted."""
    await send(site.address, post(f"{site.address}/generate", ORDER), 202, CONNECTIONS, jobs)


async def carried(site: Site, jobs: int) -> float:
    """Request `jobs` jobs. Returns the seconds from the first request to the end of the last job.

    Raises TimeoutError, and AssertionError when a job did not succeed.
    """
    async with rows.opened(site.database_url) as database, asyncio.timeout(PATIENCE):
        before, failed, start = await rows.count(database), await rows.count(database, "failed"), perf_counter()

        async def ended() -> bool:
            assert await rows.count(database, "failed") == failed, "a job failed: see the worker's log"
            return await rows.count(database) >= before + jobs

        await place_many(site, jobs)
        await until(ended, every=LOOK_EVERY)
        return perf_counter() - start

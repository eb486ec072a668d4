"""status: GET /status of a completed job, and of a job that waits behind others."""

from uuid import UUID

from tests.bench import rows, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target
from tests.bench.ground import POSTGRES, SQLITE, prepared
from tests.bench.load import get
from tests.bench.orders import carried, place, place_many
from tests.bench.sites import Site
from tests.bench.turns import in_turns

CONNECTIONS = 16
WAITING = 100  # jobs ahead of it
TARGETS = (Target(">=", 8, "reference"), Target(">=", 0.3, "ceiling"))


async def measure(effort: Effort) -> list[Figure]:
    """Measure requests per second, on each database."""
    return [figure for database in (POSTGRES, SQLITE) for figure in await _on(database, effort)]


async def _on(database: str, effort: Effort) -> list[Figure]:
    async with prepared(database) as ground:
        own, reference = await sites.darkroom(ground, workers=1), await sites.reference(ground, workers=True)
        asked = [own, reference, await sites.echo(ground)]
        ended = [await _completed(site) for site in (own, reference)]
        for worker in (*own.workers, *reference.workers):
            await worker.stop()
        waiting = [await _queued(site) for site in (own, reference)]
        return [
            await _figure("completed", database, asked, ended, effort),
            await _figure("queued", database, asked, waiting, effort),
        ]


async def _completed(site: Site) -> str:
    await carried(site, 1)
    async with rows.opened(site.database_url) as database:
        [(job,)] = await database.ask("SELECT id FROM job")
    return str(UUID(str(job)))  # SQLite returns it as text


async def _queued(site: Site) -> str:
    await place_many(site, WAITING)
    return await place(site.address)


async def _figure(state: str, database: str, asked: list[Site], jobs: list[str], effort: Effort) -> Figure:
    paths = [*jobs, jobs[0]]  # the echo answers any path
    requests = [get(f"{site.address}/status/{job}") for site, job in zip(asked, paths, strict=True)]
    own, reference, ceiling = await in_turns(asked, requests, 200, CONNECTIONS, effort)
    return Figure(
        "status", f"GET /status of a {state} job, {CONNECTIONS} connections", "requests/s",
        tuple(load.rate for load in own), database,
        tuple(load.rate for load in reference), tuple(load.rate for load in ceiling), TARGETS,
    )  # fmt: skip

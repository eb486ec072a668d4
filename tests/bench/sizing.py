"""What a process takes of a machine, for docs/operating/sizing.md: `python -m tests.bench.sizing`, on Linux.

The memory of a web server and a worker that idle and that carry 100 and 1,000 predictions, that of a decoder for
pictures of some sizes, and the bytes that a job leaves in the database.
"""

import re
from pathlib import Path
from tempfile import TemporaryFile

import httpx
import uvloop

from tasks.files.decoder_pool import Decoder
from tests.bench import predictions, rows, sites
from tests.bench.ground import POSTGRES, SQLITE, Ground, prepared
from tests.bench.memory import MIB, resident
from tests.bench.orders import carried, place_many
from tests.bench.sites import Site
from tests.chaos.patience import until
from tests.processes import Process
from tests.tasks import samples

SECONDS = 10.0  # seconds that a prediction runs
PAGES = 50  # loads of the gallery
SIZES = {"1024 x 1024": (1024, 1024), "4096 x 4096": (4096, 4096), "9400 x 9400, near the limit": (9400, 9400)}
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)
RUNNING = (
    "SELECT count(*) FROM job JOIN attempt ON attempt.id = job.attempt"
    " WHERE job.status = 'running' AND attempt.prediction_id <> ''"
)
SIZE = {
    SQLITE: "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
    POSTGRES: "SELECT pg_database_size(current_database())",
}


async def main() -> None:
    """Print what was measured, a line each."""
    for database in (SQLITE, POSTGRES):
        async with prepared(database) as ground:
            await _measure(ground)
    for words, size in SIZES.items():
        tell(f"a decoder, at most, of a PNG of {words}", await _decoder(*size))


async def _measure(ground: Ground) -> None:
    site = await sites.darkroom(ground, workers=1, WORKER_CONCURRENCY="1000")
    tell(f"{ground.database}: web, just started", resident(site.webs))
    tell(f"{ground.database}: worker, just started", resident(site.workers))
    async with httpx.AsyncClient() as client:
        for _ in range(PAGES):
            (await client.get(site.address)).raise_for_status()
    await carried(site, 8)
    tell(f"{ground.database}: web, after some pages and jobs", resident(site.webs))
    tell(f"{ground.database}: worker, after some jobs", own(site.workers[0]), resident(site.workers))
    await predictions.share_a_picture(ground, running=SECONDS)
    before = await _bytes(ground, site)
    for jobs in (100, 1000):
        await _flight(ground, site, jobs)
    grown = (await _bytes(ground, site) - before) / 1100
    print(f"{ground.database}: a job with a small picture leaves {grown / 1024:.1f} KiB in the database")


async def _flight(ground: Ground, site: Site, jobs: int) -> None:
    async with rows.opened(site.database_url) as database:

        async def under_way() -> bool:
            [(running,)] = await database.ask(RUNNING)
            return int(running) == jobs

        async def over() -> bool:
            peaks.append((own(site.workers[0]), resident(site.workers), resident(site.webs)))
            [(left,)] = await database.ask("SELECT count(*) FROM job WHERE status IN ('queued', 'running')")
            return not left

        peaks: list[tuple[float, float, float]] = []
        await place_many(site, jobs)
        await until(under_way, every=0.05)
        what = f"{ground.database}: {jobs:,} predictions in flight"
        tell(f"{what}: worker", own(site.workers[0]), resident(site.workers))
        tell(f"{what}: web", resident(site.webs))
        await until(over, every=0.2)
    alone, together, web = (max(column) for column in zip(*peaks, strict=True))
    tell(f"{what}, until all are stored, at most: worker", alone, together)
    tell(f"{what}, until all are stored, at most: web", web)


async def _bytes(ground: Ground, site: Site) -> int:
    async with rows.opened(site.database_url) as database:
        [(size,)] = await database.ask(SIZE[ground.database])
        return int(size)


async def _decoder(width: int, height: int) -> float:
    """Return the most memory that a new decoder takes for a picture, in MiB."""
    decoder = Decoder()
    try:
        with TemporaryFile() as file:
            file.write(samples.picture(width, height))
            file.flush()
            await decoder.open(file, "png")
        return peak(decoder.process.pid)
    finally:
        decoder.end()


def peak(pid: int) -> float:
    """Return the most resident memory that a process has had so far, in MiB."""
    found = PEAK.search(Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def own(process: Process) -> float:
    """Return the resident memory of a process without its children, in MiB."""
    return float(process.running.memory_info().rss) / MIB


def tell(what: str, mib: float, with_decoders: float | None = None) -> None:
    print(
        f"{what}: {mib:.0f} MiB" + (f", {with_decoders:.0f} MiB with its decoders" if with_decoders else ""), flush=True
    )


if __name__ == "__main__":
    uvloop.run(main())

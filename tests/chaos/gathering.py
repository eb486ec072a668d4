"""Gathers the evidence when the storm is over and every job has ended, or should have."""

import asyncio
import os
import time
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from tests.chaos.evidence import Evidence
from tests.chaos.money import WARM_UP
from tests.chaos.patience import until
from tests.chaos.place import Site
from tests.chaos.records import Records
from tests.chaos.scene import Scene

AFTERWARDS = 5.0  # seconds within which the last child process must end
SWEPT = 30.0  # seconds within which a worker that starts must remove old files
LONG_AGO = 2 * 3600.0  # seconds; a file that was written within the last hour may still be in use


async def gather(scene: Scene, visits: int, halts: set[str]) -> Evidence:
    """Examine what Darkroom serves while it runs, then stop it and examine everything else. visits: their number."""
    site, records, world, toll = scene.site, scene.records, scene.world, scene.toll
    zombies = site.zombies()
    served = {}
    for output in await records.outputs():
        answer = await scene.visitors.served(output.key)
        served[output.key] = sha256(answer.content).hexdigest() if answer.is_success else f"HTTP {answer.status_code}"
    late = [f"{name} did not end in time" for name in await site.stop()]
    predictions = [each for each in await world.predictions() if each.prompt != WARM_UP]
    jobs = [job for job in await records.jobs() if job.prompt != WARM_UP]
    ids = {job.id for job in jobs}
    evidence = Evidence(
        visits=visits,
        submissions=scene.visitors.submissions,
        jobs=jobs,
        attempts=[attempt for attempt in await records.attempts() if attempt.job in ids],
        outputs=[output for output in await records.outputs() if output.job in ids],
        predictions=predictions,
        costs=await records.costs(),
        budgets=await records.budgets(),
        held=await records.held(),
        events=await records.events(scene.listeners.names),
        heard=scene.listeners.heard,
        disabled=await records.disabled(scene.listeners.names),
        drawn={url: await world.drawn(url) for prediction in predictions for url in prediction.urls},
        served=served,
        met=world.met(),
        outages=world.outages,
        blows=toll.struck,
        halts=halts,
        answers=[f"{times} times {answer}" for answer, times in scene.visitors.surprises.items()],
    )
    await _sweep(scene)
    evidence.stored, evidence.named, evidence.pending = stored(site.folder), *await _rows_of_files(records)
    evidence.litter = [f"{path} is left of a download" for path in scratches(site.folder)]
    evidence.stragglers = [*toll.late, *toll.deaths, *late, *zombies, *await _left(site)]
    return evidence


def stored(folder: Path) -> set[str]:
    """Return the keys of all files in storage, including partial ones but not hidden ones, which are never results."""
    media = folder / "media"
    keys = (path.relative_to(media) for path in media.rglob("*") if path.is_file())
    return {str(key) for key in keys if not any(part.startswith(".") for part in key.parts)}


def scratches(folder: Path) -> list[Path]:
    """Return all files that downloads left behind."""
    return [path for path in (folder / "data" / "tmp").rglob("*") if path.is_file()]


async def _rows_of_files(records: Records) -> tuple[set[str], set[str]]:
    return await records.named(), await records.pending()


async def _sweep(scene: Scene) -> None:
    """Give a worker the time to remove unneeded files.

    A kill leaves recent ones, and workers remove only old ones: this makes them old.
    """
    site, records = scene.site, scene.records
    named = await records.named()
    for key in stored(site.folder) - named:
        os.utime(site.folder / "media" / key, (time.time() - LONG_AGO,) * 2)
    await records.make_pending_old(LONG_AGO)

    async def swept() -> bool:
        named, pending = await _rows_of_files(records)
        return stored(site.folder) <= named and not pending

    if not await swept():
        site.workers[0].start()
        with suppress(TimeoutError):
            async with asyncio.timeout(SWEPT):
                await until(swept)
        site.workers[0].kill()


async def _left(site: Site) -> list[str]:
    async def none_left() -> bool:
        return not site.left()

    with suppress(TimeoutError):
        async with asyncio.timeout(AFTERWARDS):
            await until(none_left)
    return site.left()

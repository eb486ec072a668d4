"""Evidence, gathered when the storm is over and every job has ended, or should have."""

import asyncio
import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from tests.chaos.evidence import Evidence
from tests.chaos.patience import until
from tests.chaos.place import Site
from tests.chaos.records import Records
from tests.chaos.storm import Toll
from tests.chaos.visitors import Visitors
from tests.chaos.world import World

AFTERWARDS = 5.0  # seconds in which the last child process has to be gone
SWEPT = 30.0  # seconds in which a worker that starts has to have removed what is old
LONG_AGO = 2 * 3600.0  # seconds; what was written to within an hour may still be under way


async def gather(site: Site, records: Records, world: World, visitors: Visitors, toll: Toll, visits: int) -> Evidence:
    """Look at what Darkroom serves while it runs, then end it, and look at all else. visits: how many there were."""
    zombies = site.zombies()
    served = {}
    for output in await records.outputs():
        answer = await visitors.served(output.key)
        served[output.key] = sha256(answer.content).hexdigest() if answer.is_success else f"HTTP {answer.status_code}"
    late = [f"{name} did not end in time" for name in await site.stop()]
    predictions = await world.predictions()
    return Evidence(
        visits=visits,
        submissions=visitors.submissions,
        jobs=await records.jobs(),
        attempts=await records.attempts(),
        outputs=await records.outputs(),
        predictions=predictions,
        drawn={url: await world.drawn(url) for prediction in predictions for url in prediction.urls},
        served=served,
        blows=toll.struck,
        answers=[f"{times} times {answer}" for answer, times in visitors.surprises.items()],
        litter=[f"{path} is no finished file" for path in await _unswept(site)],
        stragglers=[*toll.late, *toll.deaths, *late, *zombies, *await _left(site)],
    )


def litter(folder: Path) -> Iterator[Path]:
    """Files in storage that have no name of a finished one, and all that is left of downloads."""
    for path in (folder / "media").rglob("*"):
        if path.is_file() and not re.fullmatch(r"[A-Za-z0-9-]+(\.preview)?\.[a-z0-9]+|\.darkroom", path.name):
            yield path
    yield from (path for path in (folder / "data" / "tmp").rglob("*") if path.is_file())


async def _unswept(site: Site) -> list[Path]:
    """The half files that a worker leaves there although they are old. A kill leaves new ones: those are made old."""
    for path in litter(site.folder):
        os.utime(path, (time.time() - LONG_AGO,) * 2)

    async def none_left() -> bool:
        return not [*litter(site.folder)]

    if not await none_left():
        site.workers[0].start()
        with suppress(TimeoutError):
            async with asyncio.timeout(SWEPT):
                await until(none_left)
        site.workers[0].kill()
    return [*litter(site.folder)]


async def _left(site: Site) -> list[str]:
    async def none_left() -> bool:
        return not site.left()

    with suppress(TimeoutError):
        async with asyncio.timeout(AFTERWARDS):
            await until(none_left)
    return site.left()

"""A database filled with made-up jobs, as `darkroom demo-data` makes them."""

import asyncio

from tests.bench.ground import Ground
from tests.chaos.patience import until
from tests.processes import environment

PATIENCE = 1800.0  # seconds for a million jobs


async def filled(ground: Ground, jobs: int) -> str:
    """Create a database with `jobs` jobs. Returns its DATABASE_URL. Raises RuntimeError when it could not be filled."""
    url = await ground.new_database("library")
    settings = environment(ground.folder, url, ground.redis, ground.provider)
    filling = ground.program("demo-data", "webapp", "demo-data", str(jobs), **settings)

    async def over() -> bool:
        return filling.code is not None

    async with asyncio.timeout(PATIENCE):
        await until(over)
    if filling.code:
        raise RuntimeError(filling.log.read_text())
    return url

"""Jobs for a worker, and waiting for their outcome."""

import asyncio
import atexit
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from tasks.db.tables import Job
from tasks.files.decoder_pool import DecoderPool
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.library import cards
from tasks.library.cards import Card
from tasks.settings import settings
from tasks.worker import process
from tests.waiting import eventually

SDXL = "stability-ai/sdxl"
FLUX = "black-forest-labs/flux-schnell"

DECODERS = DecoderPool()
"""The decoders of all tests, because one takes half a second to start."""
atexit.register(DECODERS.close)


@asynccontextmanager
async def at_work() -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Run a worker, and stop it at the end at the latest. Yields a function that stops it and waits for its end."""
    stop = asyncio.Event()
    running = asyncio.create_task(process.run(stop))

    async def stopped() -> None:
        stop.set()
        async with asyncio.timeout(30):
            await running

    try:
        yield stopped
    finally:
        await stopped()


async def until(job_id: UUID, wanted: Callable[[Card], bool], within: float = 60.0) -> Card:
    """Wait until a job is as wanted, and return it."""

    async def holds() -> bool:
        return wanted(await existing(job_id))

    await eventually(holds, within)
    return await existing(job_id)


async def existing(job_id: UUID) -> Card:
    card = await cards.by_id(job_id)
    assert card is not None
    return card


async def ended(job: Job) -> Card:
    return await until(job.id, lambda card: card.job.status in lifecycle.ENDED)


async def stored(key: str) -> bytes:
    storage = Storage.open(settings.storage_url)
    meta = await storage.head(key)
    assert meta is not None
    return b"".join([piece async for piece in storage.read(key, 0, meta.size)])


def files_of(job_id: UUID) -> set[str]:
    """Return the names in storage of all files that were ever stored for a job and still exist."""
    return {path.name for path in Path(settings.storage_url).glob(f"{job_id}*")}


async def submitted(prompt: str, model: str = SDXL, **parameters: Any) -> Job:
    return await lifecycle.submit(
        prompt, model, {"width": 64, "height": 64} if model == SDXL and not parameters else parameters
    )

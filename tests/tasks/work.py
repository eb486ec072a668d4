"""Jobs for a worker, and waiting for their outcome."""

import asyncio
import atexit
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

from tasks.backoff import Timings
from tasks.db.tables import Job
from tasks.files import outputs
from tasks.files.decoder_pool import DecoderPool
from tasks.files.outputs import Importer
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.library import cards
from tasks.library.cards import Card
from tasks.replicate.client import Prediction, Replicate
from tasks.settings import settings
from tasks.worker import process
from tasks.worker.generate import Worker
from tests.waiting import eventually

SDXL = "stability-ai/sdxl"
FLUX = "black-forest-labs/flux-schnell"

QUICK = Timings(
    max_retry_delay=0.05, refused_delay=0.1, first_probe=0.1, search_delays=(0.0, 0.1), search_window=1.0,
    late_search=0.1, orphan_sweep=0.1, missing=4.0, rescue=0.1,
)  # fmt: skip

DECODERS = DecoderPool()
"""The decoders of all tests, because one takes half a second to start."""
atexit.register(DECODERS.close)


class Counted(Replicate):
    """A client of Replicate. looks: how often each prediction was looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.looks: Counter[str] = Counter()

    async def get(self, prediction_id: str) -> Prediction:
        self.looks[prediction_id] += 1
        return await super().get(prediction_id)


@asynccontextmanager
async def a_worker(
    storage: Storage | None = None, timings: Timings = QUICK, replicate: Replicate | None = None, **more: Any
) -> AsyncIterator[Worker]:
    """Make a worker that does not run yet, as process.run() makes one but for what is given."""
    async with aclosing(replicate or Replicate()) as replicate, outputs.files_client() as files:
        storage = storage or Storage.open(settings.storage_url)
        yield Worker(replicate, storage, Importer(files, DECODERS), timings=timings, **more)


@asynccontextmanager
async def at_work(storage: Storage | None = None, timings: Timings = QUICK, **more: Any) -> AsyncIterator[Worker]:
    """Run a worker that is made by a_worker() while the block runs. It has stopped when the context exits."""
    async with a_worker(storage, timings, **more) as worker:
        stop = asyncio.Event()
        running = asyncio.create_task(process.run(stop, worker=worker))
        try:
            yield worker
        finally:
            stop.set()
            async with asyncio.timeout(30):
                await running


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


async def stored(key: str, storage: Storage | None = None) -> bytes:
    storage = storage or Storage.open(settings.storage_url)
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

"""Runs a worker process: opens its resources, runs the task for every hint, and stops without losing work."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from uuid import uuid4

from taskiq.receiver import Receiver

from tasks.background import alongside, repeat
from tasks.curation import trash
from tasks.db import database
from tasks.files import library_mark, outputs, uploads
from tasks.files.decoder_pool import DecoderPool
from tasks.files.outputs import Importer
from tasks.files.storage import Storage
from tasks.jobs import leases
from tasks.messaging import events, presence
from tasks.messaging.broker import broker, generate_later
from tasks.predictions import orphans
from tasks.predictions.create import Provider
from tasks.predictions.polling import Poller
from tasks.replicate import circuit
from tasks.replicate.circuit import Breaker
from tasks.replicate.client import Replicate
from tasks.replicate.rate_limit import RateLimit
from tasks.settings import settings
from tasks.worker import generate, rescuer

HEARTBEAT_SECONDS = 10.0  # seconds between two signs of life
SWEEP_SECONDS = 3600.0  # seconds
LAST_HEARTBEAT_TIMEOUT = 0.5  # seconds that storage has for the last sign of life

log = logging.getLogger(__name__)


async def run(stop: asyncio.Event, halted: bool = False, ready: Callable[[], None] = lambda: None) -> None:
    """Work until `stop` is set, then release the leases and return.

    halted: create no predictions until a user resumes the queue. ready: called when the worker has started, so that
    there is something to stop in order; before that it may be killed.
    """
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(database.connected())
        stack.push_async_callback(events.close)
        tools = await _open_tools(stack)
        await library_mark.begin(tools.storage)
        if halted:
            await circuit.hold_by_hand()
        generate.tools = tools
        await broker.startup()
        stack.push_async_callback(broker.shutdown)
        duties = (
            leases.keep(), leases.watch_for_cancels(), leases.watch_for_news(), rescuer.keep_looking(),
            _show_signs_of_life(), _sweep(tools.storage), trash.keep_emptying(tools.storage),
            library_mark.keep_watch(tools.storage, alive=True), orphans.keep_calling_off(tools.replicate),
        )  # fmt: skip
        ready()
        async with alongside(*duties):
            await _listen(stop)
            await library_mark.leave_sign_of_life(tools.storage, LAST_HEARTBEAT_TIMEOUT)


async def _listen(stop: asyncio.Event) -> None:
    with ThreadPoolExecutor(1) as executor:
        receiver = Receiver(
            broker, executor, max_async_tasks=settings.worker_concurrency, run_startup=False, wait_tasks_timeout=2
        )
        finish = asyncio.Event()
        listening = asyncio.create_task(receiver.listen(finish))
        generate_later()
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([listening, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        finish.set()
        await generate.stop()
        await listening


async def _open_tools(stack: AsyncExitStack) -> generate.Tools:
    replicate, files = Replicate(rate_limit=RateLimit(settings.creates_per_minute)), outputs.files_client()
    decoders = DecoderPool()
    stack.push_async_callback(replicate.aclose)
    stack.push_async_callback(files.aclose)
    stack.callback(decoders.close)
    storage = Storage.open(settings.storage_url)
    return generate.Tools(
        Provider(replicate, Breaker(replicate), storage), Importer(files, decoders), Poller(replicate)
    )


async def _show_signs_of_life() -> None:
    name, slots = str(uuid4()), settings.worker_concurrency
    try:
        while True:
            await presence.worker_seen(name, slots)
            await asyncio.sleep(HEARTBEAT_SECONDS)
    finally:
        presence.worker_gone(name, slots)


async def _sweep(storage: Storage) -> None:
    """Periodically remove half-written files that a killed process left in storage, and unused uploads."""

    async def sweep() -> None:
        await storage.sweep()
        await uploads.sweep(storage)

    await repeat(sweep, lambda: SWEEP_SECONDS, "could not sweep storage", log, at_once=True)

"""Runs a worker process: opens its resources, runs the task for every hint, and stops without losing work."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from functools import partial
from random import uniform

from taskiq.receiver import Receiver

from tasks.accounts import sessions, throttle
from tasks.background import alongside, repeat
from tasks.curation import trash
from tasks.db import database
from tasks.errors import DatabaseAway
from tasks.files import library_mark, outputs, uploads
from tasks.files.decoder_pool import DecoderPool
from tasks.files.outputs import Importer
from tasks.files.storage import Storage
from tasks.jobs import holds, workers
from tasks.messaging import events
from tasks.messaging.broker import GENERATE, broker, generate_later
from tasks.models.price_pages import PricePages
from tasks.operations import activity, alert_events, counters, failures, storage_use
from tasks.operations.counters import Counted
from tasks.predictions import orphans
from tasks.replicate import circuit
from tasks.replicate.client import Replicate
from tasks.settings import settings
from tasks.spend import limits
from tasks.tracing import spans
from tasks.webhooks import history, sending
from tasks.webhooks.sender import Sender
from tasks.worker import rescuer
from tasks.worker.generate import Worker

SWEEP_SECONDS = 3600.0  # seconds
BOOKS_SECONDS = 15.0  # seconds between looks for money that is held for ended jobs, and for budgets that are used up
LAST_HEARTBEAT_TIMEOUT = 0.5  # seconds that storage has for the last sign of life

log = logging.getLogger(__name__)


async def run(
    stop: asyncio.Event, halted: bool = False, ready: Callable[[], None] = lambda: None, worker: Worker | None = None
) -> None:
    """Work until `stop` is set, then release the leases and return.

    halted: create no predictions until a user resumes the queue. ready: called when the worker has started, so that
    there is something to stop in order; before that it may be killed. worker: by default, one made from the settings.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(spans.recording("darkroom-worker"))
        await stack.enter_async_context(database.connected())
        stack.push_async_callback(events.close)
        worker = worker or _open_worker(stack)
        await library_mark.begin(worker.storage)
        if halted:
            await circuit.hold_by_hand()
        await broker.startup()
        stack.push_async_callback(broker.shutdown)
        transport = sending.transport()
        stack.push_async_callback(transport.aclose)
        sender = Sender(transport, worker.storage)
        duties = (
            worker.leases.keep(), worker.leases.watch_for_cancels(), worker.leases.watch_for_news(),
            rescuer.keep_looking(worker), _show_signs_of_life(worker), _sweep(worker.storage), _keep_books(),
            _keep_counting(worker, sender),
            trash.keep_emptying(worker.storage), library_mark.keep_watch(worker.storage, alive=True),
            orphans.keep_calling_off(worker.replicate, worker.timings.orphan_sweep),
            sender.keep_sending(lambda: uniform(0.5, 1.5) * worker.timings.outbox),
        )  # fmt: skip
        ready()
        async with alongside(*duties):
            await _listen(worker, stop)
            await library_mark.leave_sign_of_life(worker.storage, LAST_HEARTBEAT_TIMEOUT)


async def _listen(worker: Worker, stop: asyncio.Event) -> None:
    @broker.task(task_name=GENERATE)
    async def generate() -> None:  # taskiq gives what it registers another name, so it cannot be the method itself
        await worker.generate()

    with ThreadPoolExecutor(1) as executor:
        receiver = Receiver(
            broker, executor, max_async_tasks=worker.concurrency, run_startup=False, wait_tasks_timeout=2
        )
        finish = asyncio.Event()
        listening = asyncio.create_task(receiver.listen(finish))
        generate_later()
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([listening, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        finish.set()
        await worker.stop()
        await listening


def _open_worker(stack: AsyncExitStack) -> Worker:
    replicate, files, decoders = Replicate(), outputs.files_client(), DecoderPool()
    stack.push_async_callback(replicate.aclose)
    stack.push_async_callback(files.aclose)
    stack.callback(decoders.close)
    price_pages = PricePages()
    stack.push_async_callback(price_pages.aclose)
    storage, importer = Storage.open(settings.storage_url), Importer(files, decoders)
    return Worker(replicate, storage, importer, price_pages=price_pages)


async def _show_signs_of_life(worker: Worker) -> None:
    """Say every few seconds that the worker is alive, and have it drain, or claim jobs again, as an operator wants."""
    presence = workers.Presence(worker.concurrency)
    try:
        while True:
            with suppress(DatabaseAway):  # which others tell of
                worker.draining = await presence.show(len(worker.leases.held))
                if worker.draining:
                    broker.may_read.clear()
                else:
                    broker.may_read.set()
            await asyncio.sleep(worker.timings.heartbeat)
    finally:
        await presence.leave()


async def _sweep(storage: Storage) -> None:
    """Periodically remove what has expired: files, sessions, attempts to sign in, and webhooks that were sent."""

    async def sweep() -> None:
        await sessions.sweep()
        await throttle.sweep()
        await history.sweep()
        await storage.sweep()
        await uploads.sweep(storage)
        await workers.forget()
        await activity.roll_up()
        await failures.forget_dismissals()
        await limits.check()

    await repeat(sweep, lambda: SWEEP_SECONDS, "could not sweep storage", log, at_once=True)


async def _keep_counting(worker: Worker, sender: Sender) -> None:
    """Periodically count what was done, and tell webhooks of what an operator should know."""
    counted = {
        Counted.RESPONSES: worker.replicate.responses,
        Counted.DELIVERIES: sender.outcomes,
        Counted.LEASES_LOST: worker.leases.lost,
    }

    async def count() -> None:
        for what, numbers in counted.items():
            since = dict(numbers)
            await counters.add(what, since)
            numbers.subtract(since)
        await activity.keep_counting()
        await storage_use.measure()
        await alert_events.tell()

    pause = partial(uniform, 0.5 * activity.COUNT_SECONDS, 1.5 * activity.COUNT_SECONDS)
    await repeat(count, pause, "could not count what was done", log)


async def _keep_books() -> None:
    """Periodically release what is held for jobs whose process was killed as they ended, and warn of low budgets."""

    async def look() -> None:
        await holds.release_ended()
        await limits.warn()

    await repeat(look, lambda: uniform(0.5, 1.5) * BOOKS_SECONDS, "could not look through the budgets", log)

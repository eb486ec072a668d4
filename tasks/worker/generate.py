"""The only task: take the best available job and run whatever is left of it, to its end."""

import asyncio
import logging
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from tasks.db.tables import Job, Output, Stage
from tasks.errors import DatabaseAway, Failure, reason
from tasks.files import outputs
from tasks.files.outputs import Importer
from tasks.files.storage import Storage
from tasks.jobs import leases, lifecycle
from tasks.jobs.leases import Lease
from tasks.messaging.broker import GENERATE, broker, generate_later
from tasks.models import registry
from tasks.predictions import create, follow
from tasks.predictions.create import Provider
from tasks.predictions.polling import Poller
from tasks.predictions.store import store as store_files
from tasks.replicate import circuit
from tasks.replicate.client import Prediction, Replicate
from tasks.settings import settings
from tasks.worker import dispatch
from tasks.worker.retries import give_up, is_overdue, output_gone

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """The resources that a worker needs to run jobs, opened once per process."""

    provider: Provider
    importer: Importer
    poller: Poller

    @property
    def replicate(self) -> Replicate:
        """The client of Replicate."""
        return self.provider.replicate

    @property
    def storage(self) -> Storage:
        """The storage of files."""
        return self.provider.storage


tools: Tools | None = None

_under_way: set[asyncio.Task[None]] = set()


@broker.task(task_name=GENERATE)
async def generate() -> None:
    """Continue a job that its worker left, or claim the best waiting job, if any, and run it."""
    this = asyncio.current_task()
    if tools is None or this is None:  # the worker stops: pass the hint to others
        return generate_later()
    if this not in _under_way and len(_under_way) >= settings.worker_concurrency:
        return (
            None  # tasks/worker/rescuer.py started some while Redis was away; it sends another hint when there is room
        )
    _under_way.add(this)
    try:
        job = await lifecycle.take_over(settings.lease_seconds)
        if job is None and not tools.storage.ours:  # no place for a result, and its mark may reveal a restored backup
            return None
        job = job or await dispatch.next_job(tools.replicate.rate_limit)
        if job is not None:
            await _hold_and_carry(job, tools)
        elif probe := await _probe(tools):
            await _hold_and_carry(probe, tools, probing=True)
    except asyncio.CancelledError:  # the worker stops
        log.debug("a hint is left to the next worker")
    except DatabaseAway as away:
        log.warning("could not claim a job: %s", away)
    finally:
        _under_way.discard(this)


def start(most: int) -> int:
    """Start up to `most` runs of the task without hints, no more than there is room for. Returns how many."""
    room = settings.worker_concurrency - len(_under_way)
    carriers = [asyncio.create_task(generate()) for _ in range(min(most, room))]
    for carrier in carriers:
        _under_way.add(carrier)
        carrier.add_done_callback(_under_way.discard)
    return len(carriers)


async def stop() -> None:
    """Stop running all jobs, and release them so that another worker continues them immediately."""
    global tools
    tools = None
    held: set[UUID] = set()
    while tasks := list(_under_way):
        held.update(leases.held())
        for task in tasks:
            if task not in create.parting:
                task.cancel()
        await asyncio.wait(tasks, timeout=0.5)  # then cancel again: Python 3.11 may lose a cancellation
    await lifecycle.release(held)


async def carry(lease: Lease, tools: Tools, probing: bool = False) -> None:
    """Run a claimed job until it is completed, has failed, or is back in the queue.

    probing: whether the job is a probe of a halted queue, which resumes as soon as the prediction is created.
    """
    job, prediction = lease.job, None
    try:
        if job.attempt is None and lease.cancel_requested:
            await lifecycle.end_canceled(job)
            return
        if job.attempt is None and is_overdue(job):
            raise lifecycle.too_late()
        prediction = await create.prediction_of(lease, tools.provider, probing)
        if probing:
            await circuit.close()
        prediction = await follow.to_the_end(lease, prediction, tools.poller)
        if prediction.status in ("canceled", "aborted") and lease.cancel_requested:
            await lifecycle.end_canceled(job, prediction)
            return
        if prediction.status in ("canceled", "aborted") and is_overdue(job):
            raise lifecycle.too_late()
        if prediction.status != "succeeded":
            raise reason(prediction.status, prediction.error)
        await lifecycle.report(job, Stage.DOWNLOADING, None)
        kept = await lease.unless_called_off(_brought_in(lease, prediction, tools))
        await lifecycle.complete(job, kept, prediction.predict_time)
    except Failure as failure:
        await give_up(lease, failure, prediction)
    except DatabaseAway:
        raise
    except Exception:
        log.exception("job %s: internal error", job.id)
        await give_up(lease, Failure("internal_error", "Darkroom had an internal error.", passing=True), prediction)


async def _brought_in(lease: Lease, prediction: Prediction, tools: Tools) -> list[Output]:
    """Store the outputs of a successful prediction in our storage, and return them. Raises Failure, and Lost."""
    if prediction.data_removed:
        raise output_gone()
    job = lease.job
    model = await registry.find(job.model, tools.replicate)
    sources = outputs.find(prediction.output, model.output_schema if model else None)
    store = partial(store_files, lease, tools.storage)
    return [await tools.importer.keep(job.id, position, source, store) for position, source in enumerate(sources)]


async def _hold_and_carry(job: Job, tools: Tools, probing: bool = False) -> None:
    try:
        async with leases.hold(job) as lease:
            await carry(lease, tools, probing)
    except asyncio.CancelledError:  # the worker stops, or another worker has the job: the job has not failed
        log.info("job %s: left to the next worker", job.id)
    except DatabaseAway as away:  # the lease expires, and the next worker continues the prediction
        log.warning("job %s: %s", job.id, away)


async def _probe(tools: Tools) -> Job | None:
    try:
        return await dispatch.probe(tools.provider.breaker)
    except Failure as failure:
        log.warning("The queue stays halted: %s", failure.message)
        return None

"""The one task: take the best job there is and carry it to its end, whatever is left of the way."""

import asyncio
import logging
from dataclasses import dataclass
from uuid import UUID

import httpx

from tasks import follow, gate, halts, jobs, leases, models, outputs, submission
from tasks.backoff import retry_delay
from tasks.broker import GENERATE, broker, generate_later
from tasks.database import now
from tasks.failures import DatabaseAway, Failure, reason
from tasks.leases import Lease
from tasks.refusals import AccountRefused, Throttled
from tasks.replicate import Prediction, Replicate
from tasks.settings import settings
from tasks.storage import Storage
from tasks.tables import Job, Stage

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """What a worker needs to carry jobs: opened once a process."""

    replicate: Replicate
    files: httpx.AsyncClient
    storage: Storage


MENDING = 6  # as many failures to reckon the wait with, where the operator has to mend something: up to 64 s

tools: Tools | None = None

_under_way: set[asyncio.Task[None]] = set()


@broker.task(task_name=GENERATE)
async def generate() -> None:
    """Go on with a job that was left, else claim the best that waits, if there is one; and carry it."""
    this = asyncio.current_task()
    if tools is None or this is None:  # the worker stops: the hint is for others
        return generate_later()
    if this not in _under_way and len(_under_way) >= settings.worker_concurrency:
        return None  # the look has started some while Redis was away, and gives another hint when there is room
    _under_way.add(this)
    try:
        job = await jobs.take_over(settings.lease_seconds) or await gate.next_job()
        if job is not None:
            await _hold_and_carry(job, tools)
        elif probe := await _probe(tools):
            await _hold_and_carry(probe, tools, probing=True)
    except asyncio.CancelledError:  # the worker stops
        log.debug("a hint is left to the next worker")
    except DatabaseAway as away:
        log.warning("nothing is claimed: %s", away)
    finally:
        _under_way.discard(this)


def start(most: int) -> int:
    """Take and carry as many jobs at once, but no more than there is room for, without hints. Answers how many."""
    room = settings.worker_concurrency - len(_under_way)
    carriers = [asyncio.create_task(generate()) for _ in range(min(most, room))]
    for carrier in carriers:
        _under_way.add(carrier)
        carrier.add_done_callback(_under_way.discard)
    return len(carriers)


async def stop() -> None:
    """Stop carrying every job, and let another worker go on with them at once."""
    global tools
    tools = None
    held: set[UUID] = set()
    while tasks := list(_under_way):
        held.update(leases.held())
        for task in tasks:
            if task not in submission.parting:
                task.cancel()
        await asyncio.wait(tasks, timeout=0.5)  # and asked again: on Python 3.11 a cancellation may be lost
    await jobs.release(held)


async def carry(lease: Lease, tools: Tools, probing: bool = False) -> None:
    """Carry a claimed job to completion, to failure, or back to the queue.

    probing: it was sent to see whether the queue may go on, which it may as soon as its prediction is created.
    """
    job, prediction = lease.job, None
    try:
        if job.attempt is None and lease.cancel_requested:
            await jobs.end_canceled(job)
            return
        if job.attempt is None and _overdue(job):
            raise jobs.too_late()
        prediction = await submission.prediction_of(lease, tools.replicate, tools.storage)
        if probing:
            await halts.lift()
        prediction = await follow.to_the_end(lease, prediction, tools.replicate)
        if prediction.status in ("canceled", "aborted") and lease.cancel_requested:
            await jobs.end_canceled(job, prediction)
            return
        if prediction.status in ("canceled", "aborted") and _overdue(job):
            raise jobs.too_late()
        if prediction.status != "succeeded":
            raise reason(prediction.status, prediction.error)
        await jobs.report(job, Stage.DOWNLOADING, None)
        model = await models.find(job.model, tools.replicate)
        sources = outputs.find(prediction.output, model.output_schema if model else None)
        kept = [
            await outputs.keep(job.id, position, source, client=tools.files, storage=tools.storage)
            for position, source in enumerate(sources)
        ]
        await jobs.complete(job, kept, prediction.predict_time)
    except Failure as failure:
        await _give_up(lease, failure, prediction)
    except DatabaseAway:
        raise
    except Exception:
        log.exception("job %s: an error of ours", job.id)
        await _give_up(lease, Failure("internal_error", "Darkroom had an internal error.", passing=True), prediction)


async def _hold_and_carry(job: Job, tools: Tools, probing: bool = False) -> None:
    try:
        async with leases.hold(job) as lease:
            await carry(lease, tools, probing)
    except asyncio.CancelledError:  # the worker stops, or another has the job: no failure of the job
        log.info("job %s: left to the next worker", job.id)
    except DatabaseAway as away:  # the lease runs out, and whoever takes the job over goes on with its prediction
        log.warning("job %s: %s", job.id, away)


async def _probe(tools: Tools) -> Job | None:
    try:
        return await gate.probe(tools.replicate)
    except Failure as failure:
        log.warning("The queue stays halted: %s", failure.message)
        return None


async def _give_up(lease: Lease, failure: Failure, prediction: Prediction | None) -> None:
    """Try again later where that may help and a try is left, else end the job.

    Where a prediction may still come of the attempt, or has come and only its outputs could not be fetched or stored,
    the later try goes on with it: only a settled attempt is followed by another.
    """
    job = lease.job
    log.warning("job %s: %s", job.id, failure)
    if isinstance(failure, AccountRefused):
        await halts.halt(failure)
    if not await _settle(lease, failure, prediction):
        last_try = job.retry_count + 1 >= settings.max_attempts
        wait = retry_delay(job.retry_count + 1, failure.retry_after) if counts(failure) else retry_delay(MENDING)
        await jobs.resume_later(job, failure, wait, counts=counts(failure) and not last_try)


async def _settle(lease: Lease, failure: Failure, prediction: Prediction | None) -> Job | None:
    """End the attempt, if it has to end. None: it goes on later, or another worker has the job."""
    job = lease.job
    if lease.cancel_requested:
        return await jobs.end_canceled(job, prediction)
    if failure.settled and isinstance(failure, AccountRefused | Throttled):
        return await jobs.put_back(job, failure)
    if not failure.passing and not isinstance(failure, AccountRefused):
        return await jobs.fail(job, failure, prediction)
    if _overdue(job):
        return await jobs.fail(job, jobs.too_late(), prediction)
    if counts(failure) and job.retry_count + 1 >= settings.max_attempts:
        return await jobs.fail(job, failure, prediction)
    if counts(failure) and failure.settled:
        wait = retry_delay(job.retry_count + 1, failure.retry_after)
        return await jobs.postpone(job, failure, wait, prediction)
    return None


def counts(failure: Failure) -> bool:
    """Whether a failure is one of the job's MAX_ATTEMPTS: not what the operator has to mend, however long it takes."""
    return failure.code != "storage_unavailable" and not isinstance(failure, AccountRefused)


def _overdue(job: Job) -> bool:
    return job.deadline_at is not None and job.deadline_at <= now()

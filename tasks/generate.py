"""The one task: take the best job there is and carry it to its end, whatever is left of the way."""

import asyncio
import logging
from dataclasses import dataclass

import httpx

from tasks import follow, gate, halts, jobs, leases, models, outputs, submission
from tasks.backoff import retry_delay
from tasks.broker import GENERATE, broker, generate_later
from tasks.database import now
from tasks.failures import DatabaseAway, Failure, reason
from tasks.leases import Lease
from tasks.models import Model
from tasks.replicate import AccountRefused, Prediction, Replicate, Throttled
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


tools: Tools | None = None

_under_way: set[asyncio.Task[None]] = set()


@broker.task(task_name=GENERATE)
async def generate() -> None:
    """Go on with a job that was left, else claim the best that waits, if there is one; and carry it."""
    this = asyncio.current_task()
    if tools is None or this is None:  # the worker stops: the hint is for others
        return generate_later()
    _under_way.add(this)
    try:
        job = await jobs.take_over(settings.lease_seconds) or await gate.next_job()
        if job is not None:
            await _hold_and_carry(job, tools)
        elif probe := await _probe(tools):
            await _hold_and_carry(probe, tools, probing=True)
    finally:
        _under_way.discard(this)


async def stop() -> None:
    """Stop carrying every job, and let another worker go on with them at once."""
    global tools
    tools = None
    held, tasks = leases.held(), list(_under_way)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if held:
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
            raise jobs.TOO_LATE
        model = await _model(job.model, tools)
        prediction = await submission.prediction_of(job, model, tools.replicate)
        if probing:
            await halts.lift()
        prediction = await follow.to_the_end(lease, prediction, tools.replicate)
        if prediction.status in ("canceled", "aborted") and lease.cancel_requested:
            await jobs.end_canceled(job)
            return
        if prediction.status != "succeeded":
            raise jobs.TOO_LATE if _overdue(job) else reason(prediction.status, prediction.error)
        await jobs.report(job, Stage.DOWNLOADING, None)
        sources = outputs.find(prediction.output, model.output_schema)
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
    job, predict_time = lease.job, prediction.predict_time if prediction else None
    log.warning("job %s: %s", job.id, failure)
    if isinstance(failure, AccountRefused):
        await halts.halt(failure)
    if lease.cancel_requested:
        await jobs.end_canceled(job)
    elif failure.settled and isinstance(failure, AccountRefused | Throttled):
        await jobs.put_back(job, failure)
    elif not failure.passing and not isinstance(failure, AccountRefused):
        await jobs.fail(job, failure, predict_time)
    elif _overdue(job):
        await jobs.fail(job, jobs.TOO_LATE, predict_time)
    elif not counts(failure):
        await jobs.resume_later(job, failure, retry_delay(job.retry_count + 3), counts=False)
    elif job.retry_count + 1 >= settings.max_attempts:
        await jobs.fail(job, failure, predict_time)
    elif failure.settled:
        await jobs.postpone(job, failure, retry_delay(job.retry_count + 1, failure.retry_after), predict_time)
    else:
        await jobs.resume_later(job, failure, retry_delay(job.retry_count + 1, failure.retry_after))


def counts(failure: Failure) -> bool:
    """Whether a failure is one of the job's MAX_ATTEMPTS: not what the operator has to mend, however long it takes."""
    return failure.code != "storage_unavailable" and not isinstance(failure, AccountRefused)


def _overdue(job: Job) -> bool:
    return job.deadline_at is not None and job.deadline_at <= now()


async def _model(name: str, tools: Tools) -> Model:
    model = await models.find(name, tools.replicate)
    if model is None:
        raise Failure("unknown_model", f"Replicate has no model {name} any more.")
    return model

"""The one task: take the best waiting job and carry it to its end, whatever is left of the way."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

import httpx

from tasks import jobs, leases, models, outputs, submission
from tasks.backoff import polling_intervals, retry_delay
from tasks.broker import GENERATE, broker
from tasks.database import now
from tasks.failures import Failure, reason
from tasks.leases import Lease
from tasks.models import Model
from tasks.progress import progress
from tasks.replicate import NotFound, Prediction, Replicate
from tasks.settings import settings
from tasks.storage import Storage
from tasks.tables import Stage

log = logging.getLogger(__name__)

GRACE = 120  # seconds after Replicate's own deadline until we stop asking


@dataclass(frozen=True, slots=True)
class Tools:
    """What a worker needs to carry jobs: opened once a process."""

    replicate: Replicate
    files: httpx.AsyncClient
    storage: Storage


tools: Tools | None = None


@broker.task(task_name=GENERATE)
async def generate() -> None:
    """Claim the best due job, if there is one, and carry it."""
    job = await jobs.claim(settings.lease_seconds)
    if job is not None:
        assert tools is not None, "the worker opens them before it listens"
        try:
            async with leases.hold(job) as lease:
                await carry(lease, tools)
        except asyncio.CancelledError:  # the worker stops, or another has the job: no failure of the job
            log.info("job %s: left to the next worker", job.id)


async def carry(lease: Lease, tools: Tools) -> None:
    """Carry a claimed job to completion, to failure, or back to the queue."""
    job, prediction = lease.job, None
    try:
        if lease.cancel_requested.is_set() and await jobs.open_attempt(job) is None:
            await jobs.end_canceled(job)
            return
        model = await _model(job.model, tools)
        prediction = await _follow(lease, await submission.prediction_of(job, model, tools.replicate), tools)
        if prediction.status in ("canceled", "aborted") and lease.cancel_requested.is_set():
            await jobs.end_canceled(job)
            return
        if prediction.status != "succeeded":
            raise reason(prediction.status, prediction.error)
        await jobs.report(job, Stage.DOWNLOADING, None)
        sources = outputs.find(prediction.output, model.output_schema)
        kept = [
            await outputs.keep(job.id, position, source, client=tools.files, storage=tools.storage)
            for position, source in enumerate(sources)
        ]
        await jobs.complete(job, kept, prediction.predict_time)
    except Failure as failure:
        await _give_up(lease, failure, prediction)
    except Exception:
        log.exception("job %s: an error of ours", job.id)
        await _give_up(lease, Failure("internal_error", "Darkroom had an internal error.", passing=True), prediction)


async def _give_up(lease: Lease, failure: Failure, prediction: Prediction | None) -> None:
    """Try again later where that may help and a try is left, else end the job.

    Where a prediction may still come of the attempt, or has come and only its outputs could not be fetched or stored,
    the later try goes on with it: only a settled attempt is followed by another.
    """
    job = lease.job
    log.warning("job %s: %s", job.id, failure)
    if lease.cancel_requested.is_set():
        await jobs.end_canceled(job)
    elif failure.passing and job.retry_count + 1 < settings.max_attempts:
        due_at = now() + timedelta(seconds=retry_delay(job.retry_count + 1, failure.retry_after))
        if failure.settled:
            await jobs.postpone(job, failure, due_at, prediction.predict_time if prediction else None)
        else:
            await jobs.resume_later(job, failure, due_at)
    else:
        await jobs.fail(job, failure, prediction.predict_time if prediction else None)


async def _model(name: str, tools: Tools) -> Model:
    model = await models.find(name, tools.replicate)
    if model is None:
        raise Failure("unknown_model", f"Replicate has no model {name} any more.")
    return model


async def _follow(lease: Lease, prediction: Prediction, tools: Tools) -> Prediction:
    """Look at a prediction until it ends, passing on how far it is. Raises Failure when Replicate has lost it."""
    deadline = asyncio.get_running_loop().time() + settings.prediction_timeout + GRACE
    told: tuple[Stage, float | None] | None = None
    asked_to_cancel = False
    for interval in polling_intervals():
        if lease.cancel_requested.is_set() and not asked_to_cancel:
            asked_to_cancel = await _called_off(prediction.id, tools)
        try:
            prediction = await tools.replicate.get(prediction.id)
        except NotFound as gone:
            raise Failure("prediction_lost", "Replicate has lost this prediction.") from gone
        except Failure as failure:  # the prediction goes on without us, so nothing is lost but time
            log.info("prediction %s: %s", prediction.id, failure)
        if prediction.ended:
            return prediction
        if asyncio.get_running_loop().time() > deadline:
            raise Failure("provider_timeout", "API timeout while calling Replicate.")
        state = (
            Stage.PROCESSING if prediction.status == "processing" else Stage.STARTING,
            progress(prediction.logs),
        )
        if state != told:
            await jobs.report(lease.job, *state)
            told = state
        await _wait(lease, interval, asked_to_cancel)
    raise AssertionError("polling never ends by itself")


async def _called_off(prediction_id: str, tools: Tools) -> bool:
    try:
        await tools.replicate.cancel(prediction_id)
    except Failure as failure:
        log.info("prediction %s: not canceled yet: %s", prediction_id, failure)
        return False
    return True


async def _wait(lease: Lease, seconds: float, asked_to_cancel: bool) -> None:
    """Wait, but no longer than until somebody wants the job called off."""
    if asked_to_cancel:
        await asyncio.sleep(seconds)
        return
    try:
        async with asyncio.timeout(seconds):
            await lease.cancel_requested.wait()
    except TimeoutError:
        return

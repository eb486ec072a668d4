"""Gets a job's one prediction: one that an earlier worker began, one whose answer was lost, or a new one."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, TypeVar
from uuid import UUID

from structlog.contextvars import bind_contextvars

from tasks.backoff import Timings
from tasks.db.database import now
from tasks.db.tables import Attempt, Job
from tasks.errors import DatabaseAway, Failure
from tasks.files import input_files
from tasks.files.storage import Storage
from tasks.jobs import attempts
from tasks.jobs.leases import Lease, Lost
from tasks.models import registry
from tasks.models.registry import Model
from tasks.predictions import orphans, webhooks
from tasks.replicate.circuit import Breaker
from tasks.replicate.client import UNSEEN, Prediction, Replicate
from tasks.replicate.errors import (
    AccountRefused,
    Forbidden,
    InvalidInput,
    OutcomeDoubtful,
    OutcomeUnknown,
    Refused,
    Throttled,
)
from tasks.settings import settings
from tasks.tracing import spans

log = logging.getLogger(__name__)

ANSWER_LOST = Failure(attempts.SUBMISSION_UNKNOWN, "Replicate's answer was lost.")
SHUTDOWN_TIMEOUT = 5.0  # seconds that a stopping worker waits for the answer to a request already sent
SAVE_TIMEOUT = 20.0  # seconds of retries to save an answer while the database is away: as long as its restart takes
SAVE_RETRY_SECONDS = 0.5  # seconds
MIN_DEADLINE_SECONDS = 5  # seconds: the shortest deadline that Replicate accepts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Provider:
    """What creates predictions: Replicate, its circuit breaker, the storage of input files, and the timings."""

    replicate: Replicate
    breaker: Breaker
    storage: Storage
    timings: Timings


async def prediction_of(lease: Lease, provider: Provider, probing: bool = False) -> Prediction:
    """Return the prediction of a claimed job, with its id saved.

    probing: whether the job is sent to test if the queue may go on. Raises Failure, whose `settled` says whether
    another prediction may be created, and Lost when another worker has the job.
    """
    attempt = await attempts.under_way(lease.job)
    if attempt is None:
        with spans.span("create"):
            return await _create(lease, provider, probing)
    lease.span.link(attempt.traceparent)
    lease.span.note({"darkroom.attempt": attempt.number})
    _bind(attempt.id)
    if attempt.prediction_id is not None:
        return Prediction(attempt.prediction_id, UNSEEN)
    if attempt.error_code is None:  # its worker died before it recorded an answer
        await _note(lease.job, attempt, ANSWER_LOST)
    elif attempt.error_code not in (
        attempts.SUBMISSION_UNKNOWN,
        attempts.SUBMISSION_DOUBTFUL,
    ):  # recorded when its request was refused
        raise Refused(attempt.error_code, attempt.error or "", passing=True, settled=True)
    return await _lost(lease, attempt, attempt.error_code == attempts.SUBMISSION_DOUBTFUL, provider)


def _bind(attempt: UUID) -> None:
    """Add an attempt to what the log says from now on."""
    bind_contextvars(attempt_id=str(attempt))


async def _create(lease: Lease, provider: Provider, probing: bool) -> Prediction:
    job, replicate = lease.job, provider.replicate
    with _before_it_is_asked_for():
        model = await registry.find(job.model, replicate)
        if model is None:
            raise _unknown(job.model)
        arguments = model.arguments(job.prompt, json.loads(job.parameters))
        sent = await input_files.sent(model, arguments, provider.storage, replicate)
    try:
        async with provider.breaker.create(job.id, probing):
            return await _to_its_end(lease, _sent(lease, model, arguments, sent, replicate))
    except InvalidInput as refused:
        raise await _looked_up_anew(refused, model, replicate) from refused
    except Forbidden as refused:
        raise await _forbidden(refused, replicate) from refused
    except Refused as refused:
        refused.settled = True
        if isinstance(refused, Throttled):
            await replicate.rate_limit.slow_down(refused.retry_after, refused.per_minute, refused.burst)
        raise
    except OutcomeUnknown as unknown:
        attempt = await attempts.under_way(job)
        if attempt is None:
            raise
        return await _lost(lease, attempt, isinstance(unknown, OutcomeDoubtful), provider)


async def _to_its_end(lease: Lease, sending: Coroutine[Any, Any, T]) -> T:
    """Await `sending`. If the worker stops meanwhile, still wait SHUTDOWN_TIMEOUT seconds for the request's answer."""
    task = asyncio.create_task(sending)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        lease.awaits_answer = True
        try:
            await asyncio.wait([task], timeout=SHUTDOWN_TIMEOUT)
        finally:
            lease.awaits_answer = False
            task.cancel()
        raise
    finally:
        if lease.job.attempt is not None:  # begun in the task, which has a context of its own
            _bind(lease.job.attempt)


@contextmanager
def _before_it_is_asked_for() -> Iterator[None]:
    """Mark a Failure as settled and free if it is raised while the block runs: no prediction can come of it."""
    try:
        yield
    except Failure as failure:
        failure.settled = failure.free = True
        raise


async def _sent(
    lease: Lease, model: Model, arguments: Mapping[str, Any], sent: Mapping[str, Any], replicate: Replicate
) -> Prediction:
    """Record the attempt, create its prediction and save its id, with nothing in between that may be interrupted.

    arguments: the input as it is recorded, with our own addresses of files. sent: the input as Replicate takes it.
    """
    job = lease.job
    attempt = await attempts.begin(job, model.reference, arguments)
    if attempt is None:
        if await lease.call_off_where_asked():
            raise Failure("canceled", "Canceled.", settled=True)
        raise Lost
    _bind(attempt.id)
    lease.span.note({"darkroom.attempt": attempt.number})
    try:
        webhook, events = webhooks.address_of(attempt), webhooks.events_for(lease.beside)
        prediction = await replicate.create(
            model.reference, sent, _time_left(job), webhook, events, attempt.traceparent
        )
        if not await _written(partial(attempts.record_prediction, job, attempt, prediction.id)):
            raise Lost
    except Failure as answered:  # recorded, so that it is not lost whatever happens to this worker
        await _note(job, attempt, _noted(answered))
        raise
    return prediction


def _noted(failure: Failure) -> Failure:
    """Return the failure to record for a failed request for a prediction."""
    if isinstance(failure, OutcomeDoubtful):
        return Failure(attempts.SUBMISSION_DOUBTFUL, failure.message)
    return ANSWER_LOST if isinstance(failure, OutcomeUnknown) else failure


async def _note(job: Job, attempt: Attempt, failure: Failure) -> None:
    if not await _written(partial(attempts.note, job, attempt, failure)):
        raise Lost


async def _written(write: Callable[[], Coroutine[Any, Any, bool]]) -> bool:
    """Save what Replicate answered, which is known only here. Retries while the database is away."""
    clock = asyncio.get_running_loop().time
    until = clock() + SAVE_TIMEOUT
    while True:
        try:
            return await write()
        except DatabaseAway:
            if clock() + SAVE_RETRY_SECONDS > until:
                raise
            await asyncio.sleep(SAVE_RETRY_SECONDS)


def _time_left(job: Job) -> int:
    """Return after how many seconds Replicate gives up: an orphan ends by itself, and nothing runs past the deadline.

    Rounded up, so that the job's deadline has passed when Replicate gives up, and is reported as the job's failure.
    """
    left = (job.deadline_at - now()).total_seconds() if job.deadline_at else settings.prediction_timeout
    return max(MIN_DEADLINE_SECONDS, min(settings.prediction_timeout, ceil(left)))


async def _lost(lease: Lease, attempt: Attempt, doubtful: bool, provider: Provider) -> Prediction:
    """Return the prediction of a request whose outcome is unknown, if it is found.

    doubtful: whether Replicate's own application had an error, so that it most likely did nothing. Then another
    prediction may be created once Replicate has listed none for long. Otherwise the job fails, because its prediction
    may have been paid for.
    """
    prediction = await orphans.find(lease, attempt, provider.replicate, provider.timings)
    if prediction is not None:
        return prediction
    if doubtful:
        raise Failure("provider_error", "Replicate had an internal error.", passing=True, settled=True)
    raise Failure(
        attempts.SUBMISSION_UNKNOWN,
        "Replicate never confirmed or listed this prediction. It may have been paid for, so it is not sent again.",
    )


async def _forbidden(refused: Forbidden, replicate: Replicate) -> Failure:
    """Return what a 403 means: a failure of this job only, unless the account is refused as a whole."""
    try:
        await replicate.account()
    except AccountRefused as account:
        account.settled = True
        return account
    except Failure as failure:
        log.info("cannot tell whether the account is refused: %s", failure)
    return Refused(refused.code, refused.message, settled=True)


async def _looked_up_anew(refused: InvalidInput, model: Model, replicate: Replicate) -> Failure:
    """Refresh a model whose input Replicate refused although we had checked it, and return the failure.

    The failure may pass if the model has changed: another try is worth it then.
    """
    refused.settled = True
    try:
        fresh = await registry.refresh(model.name, replicate)
    except Failure as failure:
        return Failure(failure.code, failure.message, failure.passing, failure.retry_after, settled=True)
    if fresh is None:
        return _unknown(model.name)
    if fresh.reference == model.reference and fresh.schemas == model.schemas:
        return refused
    return Failure(refused.code, refused.message, passing=True, retry_after=0, settled=True)


def _unknown(model: str) -> Failure:
    return Failure("unknown_model", f"Replicate no longer has the model {model}.", settled=True)

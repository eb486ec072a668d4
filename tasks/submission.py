"""A job's prediction, created once: the one an earlier worker began, one whose answer was lost, or a new one."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, TypeVar

from tasks import attempts, inputs, leases, limits, models, orphans, webhooks
from tasks.circuit import Circuit
from tasks.database import now
from tasks.failures import DatabaseAway, Failure
from tasks.leases import Lease, Lost
from tasks.models import Model
from tasks.refusals import (
    AccountRefused,
    Forbidden,
    InvalidInput,
    OutcomeDoubtful,
    OutcomeUnknown,
    Refused,
    Throttled,
)
from tasks.replicate import UNSEEN, Prediction, Replicate
from tasks.settings import settings
from tasks.storage import Storage
from tasks.tables import Attempt, Job

log = logging.getLogger(__name__)

UNANSWERED = Failure(attempts.UNKNOWN, "Replicate's answer was lost.")
PARTING = 5.0  # seconds that a worker which stops waits for the answer to a request that is out
KEPT_IN_MIND = 20.0  # seconds that an answer is kept for a database that is away: as long as one takes to start again
BETWEEN_TRIES = 0.5  # seconds
SHORTEST = 5  # seconds: the least that Replicate takes as a deadline

T = TypeVar("T")

parting: set[asyncio.Task[Any] | None] = set()
"""Those who were cancelled, and wait for the answer to a request that is out."""


@dataclass(frozen=True, slots=True)
class Provider:
    """What predictions are created with: Replicate, the circuit breaker before it, and the files that are its input."""

    replicate: Replicate
    circuit: Circuit
    storage: Storage


async def prediction_of(lease: Lease, provider: Provider, probing: bool = False) -> Prediction:
    """The prediction of a claimed job, its id saved.

    probing: it is sent to see whether the queue may go on. Raises Failure, which says in `settled` whether another may
    be created, and Lost where another worker has the job.
    """
    attempt = await attempts.under_way(lease.job)
    if attempt is None:
        return await _create(lease, provider, probing)
    if attempt.prediction_id is not None:
        return Prediction(attempt.prediction_id, UNSEEN)
    if attempt.error_code is None:  # its worker died with the request
        await _note(lease.job, attempt, UNANSWERED)
    elif attempt.error_code not in (attempts.UNKNOWN, attempts.DOUBTFUL):  # noted when its request was refused
        raise Refused(attempt.error_code, attempt.error or "", passing=True, settled=True)
    return await _lost(lease, attempt, attempt.error_code == attempts.DOUBTFUL, provider.replicate)


async def _create(lease: Lease, provider: Provider, probing: bool) -> Prediction:
    job, replicate = lease.job, provider.replicate
    with _before_it_is_asked_for():
        model = await models.find(job.model, replicate)
        if model is None:
            raise _unknown(job.model)
        arguments = model.arguments(job.prompt, json.loads(job.parameters))
        sent = await inputs.sent(model, arguments, provider.storage, replicate)
    try:
        async with provider.circuit.create(job.id, probing):
            return await _to_its_end(_sent(lease, model, arguments, sent, replicate))
    except InvalidInput as refused:
        raise await _looked_up_anew(refused, model, replicate) from refused
    except Forbidden as refused:
        raise await _forbidden(refused, replicate) from refused
    except Refused as refused:
        refused.settled = True
        if isinstance(refused, Throttled):
            await limits.slow_down(refused.retry_after, refused.per_minute, refused.burst)
        raise
    except OutcomeUnknown as unknown:
        attempt = await attempts.under_way(job)
        if attempt is None:
            raise
        return await _lost(lease, attempt, isinstance(unknown, OutcomeDoubtful), replicate)


async def _to_its_end(sending: Coroutine[Any, Any, T]) -> T:
    """Do it to its end, also when the worker stops meanwhile: a request that is out has its answer waited for."""
    task, carrier = asyncio.create_task(sending), asyncio.current_task()
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        parting.add(carrier)
        try:
            await asyncio.wait([task], timeout=PARTING)
        finally:
            parting.discard(carrier)
            task.cancel()
        raise


@contextmanager
def _before_it_is_asked_for() -> Iterator[None]:
    """What fails here is settled, and free: no prediction can come of it."""
    try:
        yield
    except Failure as failure:
        failure.settled = failure.free = True
        raise


async def _sent(
    lease: Lease, model: Model, arguments: Mapping[str, Any], sent: Mapping[str, Any], replicate: Replicate
) -> Prediction:
    """Write down the attempt, create its prediction, save its id: with nothing between them that may be interrupted.

    arguments: its input, with our own addresses of files, as it is written down. sent: as Replicate takes it.
    """
    job = lease.job
    attempt = await attempts.begin(job, model.reference, arguments)
    if attempt is None:
        if await leases.call_off_where_asked(lease):
            raise Failure("canceled", "Canceled.", settled=True)
        raise Lost
    try:
        prediction = await replicate.create(model.reference, sent, _time_left(job), webhooks.address_of(attempt))
        if not await _written(partial(attempts.record_prediction, job, attempt, prediction.id)):
            raise Lost
    except Failure as answered:  # noted, so that it stays known whatever happens to this worker
        await _note(job, attempt, _noted(answered))
        raise
    return prediction


def _noted(failure: Failure) -> Failure:
    """What is written down of an answer to a request for a prediction."""
    if isinstance(failure, OutcomeDoubtful):
        return Failure(attempts.DOUBTFUL, failure.message)
    return UNANSWERED if isinstance(failure, OutcomeUnknown) else failure


async def _note(job: Job, attempt: Attempt, failure: Failure) -> None:
    if not await _written(partial(attempts.note, job, attempt, failure)):
        raise Lost


async def _written(write: Callable[[], Coroutine[Any, Any, bool]]) -> bool:
    """Write what Replicate answered, which nobody else knows: tried again while the database is away."""
    clock = asyncio.get_running_loop().time
    until = clock() + KEPT_IN_MIND
    while True:
        try:
            return await write()
        except DatabaseAway:
            if clock() + BETWEEN_TRIES > until:
                raise
            await asyncio.sleep(BETWEEN_TRIES)


def _time_left(job: Job) -> int:
    """Seconds after which Replicate is to give up: an orphan ends by itself, and nothing runs past the deadline.

    Rounded up, so that the job's deadline has passed when Replicate keeps it, and is what the job is said to fail of.
    """
    left = (job.deadline_at - now()).total_seconds() if job.deadline_at else settings.prediction_timeout
    return max(SHORTEST, min(settings.prediction_timeout, ceil(left)))


async def _lost(lease: Lease, attempt: Attempt, doubtful: bool, replicate: Replicate) -> Prediction:
    """The prediction of a request whose outcome is unknown, when it is found.

    doubtful: Replicate's own application had an error, so that it most likely did nothing. Where it has listed nothing
    for long, another may be made then; else the job fails, for it may have been paid for.
    """
    prediction = await orphans.find(lease, attempt, replicate)
    if prediction is not None:
        return prediction
    if doubtful:
        raise Failure("provider_error", "Replicate had an internal error.", passing=True, settled=True)
    raise Failure(
        attempts.UNKNOWN,
        "Replicate never confirmed this prediction, nor lists it. It may have been paid for, so it is not sent again.",
    )


async def _forbidden(refused: Forbidden, replicate: Replicate) -> Failure:
    """What a 403 means: it is the job's, unless the account is refused as a whole."""
    try:
        await replicate.account()
    except AccountRefused as account:
        account.settled = True
        return account
    except Failure as failure:
        log.info("not known whether the account is refused: %s", failure)
    return Refused(refused.code, refused.message, settled=True)


async def _looked_up_anew(refused: InvalidInput, model: Model, replicate: Replicate) -> Failure:
    """Replicate refused what we had checked, so what we know of the model is old: worth another try if it is."""
    refused.settled = True
    try:
        fresh = await models.refresh(model.name, replicate)
    except Failure as failure:
        return Failure(failure.code, failure.message, failure.passing, failure.retry_after, settled=True)
    if fresh is None:
        return _unknown(model.name)
    if fresh.reference == model.reference and fresh.schemas == model.schemas:
        return refused
    return Failure(refused.code, refused.message, passing=True, retry_after=0, settled=True)


def _unknown(model: str) -> Failure:
    return Failure("unknown_model", f"Replicate has no model {model} any more.", settled=True)

"""A job's prediction, created once: the one an earlier worker began, one whose answer was lost, or a new one."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from math import ceil
from typing import Any, TypeVar

from tasks import attempts, inputs, leases, limits, models
from tasks.database import now
from tasks.failures import DatabaseAway, Failure
from tasks.leases import Lease, Lost
from tasks.models import Model
from tasks.refusals import InvalidInput, OutcomeDoubtful, OutcomeUnknown, Refused, Throttled
from tasks.replicate import UNSEEN, Prediction, Replicate
from tasks.settings import settings
from tasks.storage import Storage
from tasks.tables import Attempt, Job

log = logging.getLogger(__name__)

SEARCHES = (2.0, 5.0, 10.0, 20.0)  # seconds to wait before each search for a prediction whose answer was lost
CLOCKS_DIFFER = timedelta(minutes=1)
PARTING = 5.0  # seconds that a worker which stops waits for the answer to a request that is out
KEPT_IN_MIND = 20.0  # seconds that an answer is kept for a database that is away: as long as one takes to start again
BETWEEN_TRIES = 0.5  # seconds
SHORTEST = 5  # seconds: the least that Replicate takes as a deadline

T = TypeVar("T")

parting: set[asyncio.Task[Any] | None] = set()
"""Those who were cancelled, and wait for the answer to a request that is out."""


async def prediction_of(lease: Lease, replicate: Replicate, storage: Storage) -> Prediction:
    """The prediction of a claimed job, its id saved.

    Raises Failure, which says in `settled` whether another may be created, and Lost where another worker has the job.
    """
    job = lease.job
    attempt = await attempts.under_way(job)
    if attempt is None:
        return await _create(lease, replicate, storage)
    if attempt.prediction_id is not None:
        return Prediction(attempt.prediction_id, UNSEEN)
    if attempt.error_code:  # noted when its request was refused, or met an internal error
        noted = Failure(attempt.error_code, attempt.error or "")
        return await _doubtful(job, attempt, noted, replicate)
    return await _orphan(lease, attempt, replicate)


def webhook_of(attempt: Attempt) -> str | None:
    """The address at which Replicate tells how the prediction of an attempt goes."""
    return f"{settings.webhooks}?attempt={attempt.id}" if settings.webhooks else None


async def _create(lease: Lease, replicate: Replicate, storage: Storage) -> Prediction:
    job = lease.job
    model = await models.find(job.model, replicate)
    if model is None:
        raise _unknown(job.model)
    arguments = model.arguments(job.prompt, json.loads(job.parameters))
    try:
        with _before_it_is_asked_for():
            sent = await inputs.sent(model, arguments, storage, replicate)
        return await _to_its_end(_sent(lease, model, arguments, sent, replicate))
    except InvalidInput as refused:
        raise await _looked_up_anew(refused, model, replicate) from refused
    except Refused as refused:
        refused.settled = True
        if isinstance(refused, Throttled):
            await limits.slow_down(refused.retry_after, refused.per_minute, refused.burst)
        raise
    except OutcomeUnknown as unknown:
        attempt = await attempts.under_way(job)
        if attempt is None:
            raise
        if isinstance(unknown, OutcomeDoubtful):
            return await _doubtful(job, attempt, unknown, replicate)
        return await _orphan(lease, attempt, replicate)


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
    """What fails here is settled: no prediction can come of it."""
    try:
        yield
    except Failure as failure:
        failure.settled = True
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
        prediction = await replicate.create(model.reference, sent, _time_left(job), webhook_of(attempt))
    except (Refused, OutcomeDoubtful) as answered:  # noted, so that it stays known whatever happens to this worker
        if not await _written(partial(attempts.note, job, attempt, answered)):
            raise Lost from answered
        raise
    if not await _written(partial(attempts.record_prediction, job, attempt, prediction.id)):
        raise Lost
    return prediction


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


async def _doubtful(job: Job, attempt: Attempt, failure: Failure, replicate: Replicate) -> Prediction:
    """The prediction that there almost surely is not. Where none is listed, another may be made."""
    prediction = await _search(job, attempt, replicate)
    if prediction is not None:
        return prediction
    raise Failure(failure.code, failure.message, True, failure.retry_after, settled=True)


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


async def _orphan(lease: Lease, attempt: Attempt, replicate: Replicate) -> Prediction:
    """The prediction of an attempt whose answer was lost. It may have been paid for: none is made in its place."""
    job = lease.job
    looked: Failure | None = None
    for wait in SEARCHES:
        await lease.wait(wait)  # a webhook may tell of it earlier
        try:
            prediction, looked = await _search(job, attempt, replicate), None
        except Failure as failure:
            looked = failure
            log.info("job %s: the search for its prediction failed: %s", job.id, failure)
            continue
        if prediction is not None:
            log.info("job %s: found its prediction %s again", job.id, prediction.id)
            return prediction
    if looked is not None:  # not found, but not for certain: it is looked for again later
        raise Failure(looked.code, looked.message, passing=True)
    raise Failure(
        "submission_unknown",
        "Replicate never confirmed this prediction, nor lists it. It may have been paid for, so it is not sent again.",
    )


async def _search(job: Job, attempt: Attempt, replicate: Replicate) -> Prediction | None:
    """The prediction of an attempt that does not know it: told by a webhook meanwhile, or listed, and adopted.

    Raises Failure, and Lost.
    """
    now_known = await attempts.under_way(job)
    if now_known is not None and now_known.prediction_id is not None:
        return Prediction(now_known.prediction_id, UNSEEN)
    arguments: Mapping[str, Any] = json.loads(attempt.input)
    model = attempt.version.partition(":")[0]
    since, webhook = attempt.created_at - CLOCKS_DIFFER, webhook_of(attempt)
    found = await replicate.find(model, arguments, since, webhook, inputs.names_of_ours(arguments))
    for candidate in found:
        now_known = await attempts.adopt(job, attempt, candidate.id)
        if now_known is None:
            raise Lost
        if now_known.prediction_id is not None:
            return Prediction(now_known.prediction_id, UNSEEN)
    return None

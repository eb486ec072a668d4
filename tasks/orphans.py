"""Predictions whose answer was lost: looked for, adopted by their attempt, or called off when they turn up too late.

Replicate knows no idempotency key. So a request whose outcome is unknown is never repeated on a guess: a webhook may
name its prediction, and Replicate lists it.
"""

import asyncio
import json
import logging
from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import uniform

from tasks import attempts, inputs, webhooks
from tasks.database import TAKEN, now
from tasks.failures import DatabaseAway, Failure
from tasks.leases import Lease, Lost
from tasks.refusals import NotFound
from tasks.replicate import UNSEEN, Prediction, Replicate
from tasks.tables import Attempt, Job

log = logging.getLogger(__name__)

WAITS = (2.0, 5.0, 10.0, 20.0)  # seconds before each look into the list, as long as a worker waits
SEARCHED_FOR = timedelta(minutes=2)  # from the request on: until then Replicate may list it late
LATER_SECONDS = 30.0  # until the next look, after those
CLOCKS_DIFFER = timedelta(minutes=1)
CREATED_WITHIN = timedelta(minutes=3)  # of the request, by Replicate's clock
WATCHED_FOR = timedelta(hours=1)  # then Replicate forgets the input
INTERVAL = 20.0  # seconds between two looks for what turns up too late


async def find(lease: Lease, attempt: Attempt, replicate: Replicate) -> Prediction | None:
    """Return the prediction of an attempt whose answer was lost, or None when Replicate has listed none for long.

    Raises Failure, which may pass, when it has to be looked for again later, and Lost when another worker has the job.
    """
    job = lease.job
    age = now() - attempt.created_at
    looked: Failure | None = None
    for wait in WAITS if age < timedelta(seconds=sum(WAITS)) else (0.0,):
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
        if job.deadline_at is not None and job.deadline_at <= now():
            break
    if looked is not None:
        raise Failure(looked.code, looked.message, passing=True)
    left = (SEARCHED_FOR - (now() - attempt.created_at)).total_seconds()
    if left > 0:
        told = "Replicate did not answer clearly. Its list is searched for the prediction."
        raise Failure("provider_error", told, passing=True, retry_after=min(left, LATER_SECONDS))
    return None


async def keep_calling_off(replicate: Replicate) -> None:
    """Call off, for ever, what turns up of attempts that were given up."""
    while True:
        await asyncio.sleep(uniform(0.5, 1.5) * INTERVAL)
        try:
            await call_off_late(replicate)
        except DatabaseAway as away:
            log.info("no look for predictions that turn up late: %s", away)
        except Exception:
            log.exception("the look for predictions that turn up late failed; trying again")


async def call_off_late(replicate: Replicate) -> int:
    """Call off the predictions of attempts that ended without knowing theirs. Return how many there were."""
    recent = Attempt.created_at > now() - WATCHED_FOR
    found = 0
    for attempt in await Attempt.objects().where(attempts.GIVEN_UP & recent).order_by(Attempt.created_at):
        try:
            prediction_id = attempt.prediction_id or await _late(attempt, replicate)
            if prediction_id is not None:
                found += await _called_off(attempt, prediction_id, replicate)
        except Failure as failure:  # of this one: the others are looked at all the same
            log.info("attempt %s: no look for a prediction that turns up late: %s", attempt.id, failure)
    return found


async def _search(job: Job, attempt: Attempt, replicate: Replicate) -> Prediction | None:
    """The prediction of an attempt that does not know it: told by a webhook meanwhile, or listed, and adopted.

    Raises Failure, and Lost.
    """
    now_known = await attempts.under_way(job)
    if now_known is not None and now_known.prediction_id is not None:
        return Prediction(now_known.prediction_id, UNSEEN)
    for candidate in await _listed(attempt, replicate):
        now_known = await attempts.adopt(job, attempt, candidate.id)
        if now_known is None:
            raise Lost
        if now_known.prediction_id is not None:
            return Prediction(now_known.prediction_id, UNSEEN)
    return None


async def _listed(attempt: Attempt, replicate: Replicate) -> Sequence[Prediction]:
    """The predictions in Replicate's list that may be the attempt's, the likeliest first. Raises Failure.

    Those which echo its webhook are its own. Else those of its model with exactly its input, which holds a seed of ours
    where the model takes one: so it tells them apart.
    """
    predictions = await replicate.listed(attempt.created_at - CLOCKS_DIFFER, attempt.created_at + CREATED_WITHIN)
    webhook = webhooks.address_of(attempt)
    own = [prediction for prediction in predictions if webhook and prediction.webhook == webhook]
    alike = own or list(_alike(attempt, predictions))
    if alike and not own and await attempts.twin_in_flight(attempt, _files(attempt)):
        told = "Another request just like this one is under way: whose prediction is listed will be known soon."
        raise Failure("provider_error", told, passing=True)
    return alike


def _alike(attempt: Attempt, predictions: Sequence[Prediction]) -> Iterator[Prediction]:
    files, model = _files(attempt), attempt.version.partition(":")[0].lower()
    wanted = attempts.without(files, json.loads(attempt.input))
    for prediction in predictions:
        told = (prediction.model or "").lower()
        # Official models ran under internal names before.
        of_model = not told or told == model or told.partition("/")[0].startswith("replicate")
        has_input = prediction.input is not None and attempts.without(files, prediction.input) == wanted
        if of_model and has_input and prediction.webhook is None:
            yield prediction


def _files(attempt: Attempt) -> set[str]:
    """The inputs that hold files of ours: of these, Replicate tells other addresses than we keep."""
    return set(inputs.names_of_ours(json.loads(attempt.input)))


async def _late(attempt: Attempt, replicate: Replicate) -> str | None:
    """The prediction that turned up of an attempt that was given up: from now on its own."""
    for candidate in await _listed(attempt, replicate):
        try:
            await Attempt.update({Attempt.prediction_id: candidate.id}).where(Attempt.id == attempt.id)
        except TAKEN:
            continue
        return candidate.id
    return None


async def _called_off(attempt: Attempt, prediction_id: str, replicate: Replicate) -> bool:
    try:
        prediction = await replicate.get(prediction_id)
        if not prediction.ended:
            await replicate.cancel(prediction_id)
    except NotFound:  # not yet, or not any more
        return False
    log.warning("prediction %s turned up after its attempt had been given up, and was called off", prediction_id)
    told = "Its prediction turned up after it had been given up, and was called off."
    await Attempt.update({Attempt.error_code: "found_late", Attempt.error: told}).where(Attempt.id == attempt.id)
    return True

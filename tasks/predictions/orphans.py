"""Find predictions whose response was lost: adopt them for their attempts, or cancel those that turn up too late.

Replicate has no idempotency keys. So a request whose outcome is unknown is never repeated on a guess: a webhook may
name its prediction, and Replicate lists it.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial
from random import uniform

from structlog.contextvars import bound_contextvars

from tasks.background import repeat
from tasks.backoff import Timings
from tasks.db.database import UNIQUE_VIOLATIONS, now
from tasks.db.tables import Attempt, Condition, Job
from tasks.errors import Failure
from tasks.files import input_files
from tasks.jobs import attempts, ledger
from tasks.jobs.leases import Lease, Lost
from tasks.models.names import bare
from tasks.predictions import webhooks
from tasks.replicate.client import UNSEEN, Prediction, Replicate
from tasks.replicate.errors import NotFound

log = logging.getLogger(__name__)

CLOCK_TOLERANCE = timedelta(minutes=1)
CREATION_WINDOW = timedelta(minutes=3)  # of the request, by Replicate's clock
WATCH_WINDOW = timedelta(hours=1)  # then Replicate deletes the input


async def find(lease: Lease, attempt: Attempt, replicate: Replicate, timings: Timings) -> Prediction | None:
    """Return the prediction of an attempt whose response was lost, or None when Replicate lists none for long enough.

    Raises Failure, which may pass, when the search must be repeated later. Raises Lost when another worker has the job.
    """
    job = lease.job
    age = (now() - attempt.created_at).total_seconds()
    looked: Failure | None = None
    for wait in timings.search_delays if age < sum(timings.search_delays) else (0.0,):
        await lease.wait(wait)  # a webhook may report it earlier
        try:
            prediction, looked = await _search(job, attempt, replicate), None
        except Failure as failure:
            looked = failure
            log.info("job %s: could not search for its prediction: %s", job.id, failure)
            continue
        if prediction is not None:
            log.info("job %s: found its prediction %s", job.id, prediction.id)
            return prediction
        if job.deadline_at is not None and job.deadline_at <= now():
            break
    if looked is not None:
        raise Failure(looked.code, looked.message, passing=True)
    left = timings.search_window - (now() - attempt.created_at).total_seconds()
    if left > 0:
        message = "Replicate's answer was unclear. Searching its list for the prediction."
        raise Failure("provider_error", message, passing=True, retry_after=min(left, timings.late_search))
    return None


async def keep_calling_off(replicate: Replicate, every: float) -> None:
    """Cancel, forever, the predictions that turn up for attempts that were given up. every: seconds between looks."""
    look = partial(call_off_late, replicate)
    await repeat(look, lambda: uniform(0.5, 1.5) * every, "could not check for late predictions", log)


async def call_off_late(replicate: Replicate) -> int:
    """Cancel the predictions of attempts that ended without knowing theirs. Returns how many were found."""
    recent = Attempt.created_at > now() - WATCH_WINDOW
    found = 0
    for attempt in await Attempt.objects().where(attempts.GIVEN_UP & recent).order_by(Attempt.created_at):
        with _bound(attempt):
            try:
                prediction_id = attempt.prediction_id or await _late(attempt, replicate)
                if prediction_id is not None:
                    found += await _called_off(attempt, prediction_id, replicate)
            except Failure as failure:  # concerns this attempt only: the others are still checked
                log.info("attempt %s: could not check for a late prediction: %s", attempt.id, failure)
    await _settle(replicate, recent)
    return found


async def _settle(replicate: Replicate, recent: Condition) -> None:
    """Enter what predictions cost that turned up late, once they have ended."""
    for attempt in await Attempt.objects().where(attempts.UNSETTLED & recent).order_by(Attempt.created_at):
        with _bound(attempt):
            try:
                prediction = await replicate.get(attempt.prediction_id)
            except Failure as failure:
                log.info("attempt %s: could not see what its late prediction cost: %s", attempt.id, failure)
                continue
            if prediction.ended:
                await ledger.settle_late(attempt, prediction)


def _bound(attempt: Attempt) -> AbstractContextManager[None]:
    """Return what adds an attempt and its job to what the log says while a block runs."""
    return bound_contextvars(job_id=str(attempt.job), attempt_id=str(attempt.id))


async def _search(job: Job, attempt: Attempt, replicate: Replicate) -> Prediction | None:
    """Return the attempt's prediction: the one that a webhook reported meanwhile, or one from the list, now adopted.

    Returns None when there is neither. Raises Failure, and Lost when another worker has the job.
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
    """Return the predictions in Replicate's list that may be the attempt's, the likeliest first. Raises Failure.

    Predictions that echo the attempt's webhook are its own. If there are none, predictions of its model with exactly
    its input are returned: the input holds a seed of ours if the model takes one, which tells predictions apart.
    """
    predictions = await replicate.listed(attempt.created_at - CLOCK_TOLERANCE, attempt.created_at + CREATION_WINDOW)
    webhook = webhooks.address_of(attempt)
    own = [prediction for prediction in predictions if webhook and prediction.webhook == webhook]
    alike = own or list(_alike(attempt, predictions))
    if alike and not own and await attempts.twin_in_flight(attempt, _files(attempt)):
        message = "An identical request is under way. Waiting to see whose prediction is listed."
        raise Failure("provider_error", message, passing=True)
    return alike


def _alike(attempt: Attempt, predictions: Sequence[Prediction]) -> Iterator[Prediction]:
    files, model = _files(attempt), bare(attempt.version).lower()
    wanted = attempts.without(files, json.loads(attempt.input))
    for prediction in predictions:
        listed = (prediction.model or "").lower()
        # Replicate used to run official models under internal names.
        of_model = not listed or listed == model or listed.partition("/")[0].startswith("replicate")
        has_input = prediction.input is not None and attempts.without(files, prediction.input) == wanted
        if of_model and has_input and prediction.webhook is None:
            yield prediction


def _files(attempt: Attempt) -> set[str]:
    """Return the names of the inputs that hold our files: Replicate reports other addresses for them than we store."""
    return set(input_files.names_of_ours(json.loads(attempt.input)))


async def _late(attempt: Attempt, replicate: Replicate) -> str | None:
    """Find the prediction of an attempt that was given up, and save its id. Returns None when none is listed."""
    for candidate in await _listed(attempt, replicate):
        try:
            await Attempt.update({Attempt.prediction_id: candidate.id}).where(Attempt.id == attempt.id)
        except UNIQUE_VIOLATIONS:
            continue
        return candidate.id
    return None


async def _called_off(attempt: Attempt, prediction_id: str, replicate: Replicate) -> bool:
    try:
        prediction = await replicate.get(prediction_id)
        if not prediction.ended:
            await replicate.cancel(prediction_id)
    except NotFound:  # it does not exist yet, or no longer exists
        return False
    log.warning("prediction %s appeared after its attempt had ended, and was canceled", prediction_id)
    message = "Its prediction appeared after the attempt had ended, and was canceled."
    await Attempt.update({Attempt.error_code: "found_late", Attempt.error: message}).where(Attempt.id == attempt.id)
    return True

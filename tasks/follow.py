"""A prediction under way, followed to its end: looked at from time to time, and whenever a webhook brings news."""

import asyncio
import logging
from collections.abc import Iterator
from itertools import repeat

from tasks import jobs
from tasks.backoff import SAFETY, polling_intervals
from tasks.database import now
from tasks.failures import DatabaseAway, Failure
from tasks.leases import Lease
from tasks.progress import progress
from tasks.refusals import NotFound
from tasks.replicate import ENDED, UNSEEN, Prediction, Replicate
from tasks.settings import settings
from tasks.tables import Stage

log = logging.getLogger(__name__)

GRACE = 120  # seconds after Replicate's own deadline until we stop asking
HURRIED = 1.0  # seconds between looks at a prediction that is being called off

State = tuple[Stage, float | None]


async def to_the_end(lease: Lease, prediction: Prediction, replicate: Replicate) -> Prediction:
    """Follow a prediction until it has ended, passing on how far it is; call it off when asked to, or at the deadline.

    Webhooks are hints: that it has ended counts when Replicate's API says so. Raises Failure when that has lost it.
    """
    clock = asyncio.get_running_loop().time
    give_up_at = clock() + settings.prediction_timeout + GRACE
    deadline = clock() + (lease.job.deadline_at - now()).total_seconds() if lease.job.deadline_at else give_up_at
    intervals: Iterator[float] = repeat(SAFETY) if settings.webhooks else polling_intervals()
    interval = 0.0 if prediction.status == UNSEEN else next(intervals)
    told = await _tell(lease, (_stage(prediction.status), None), None) if prediction.status != UNSEEN else None
    called_off = False

    def over() -> bool:
        return lease.cancel_requested or clock() >= deadline

    while not prediction.ended:
        was_over = over()
        if was_over and not called_off:
            called_off = await _called_off(prediction.id, replicate)
        news = await lease.wait(min(interval, HURRIED if was_over else deadline - clock()))
        if news is not None and news.status in ENDED:
            intervals = polling_intervals()  # where the API does not say so yet, or does not answer, it soon will
        elif news is not None and not was_over:
            told = await _tell(lease, (_stage(news.status), news.progress), told)
            continue
        if was_over or not over():  # it is called off first, then looked at
            if clock() > give_up_at:
                raise Failure("provider_timeout", "API timeout while calling Replicate.", passing=True)
            prediction = await _looked_at(prediction, replicate)
            told = await _tell(lease, (_stage(prediction.status), progress(prediction.logs)), told)
            interval = next(intervals)
    return prediction


async def _called_off(prediction_id: str, replicate: Replicate) -> bool:
    try:
        await replicate.cancel(prediction_id)
    except Failure as failure:
        log.info("prediction %s: not canceled yet: %s", prediction_id, failure)
        return False
    return True


async def _looked_at(prediction: Prediction, replicate: Replicate) -> Prediction:
    """What Replicate says of it now; what we knew, where Replicate does not answer: it goes on without us."""
    try:
        return await replicate.get(prediction.id)
    except NotFound as gone:
        raise Failure("prediction_lost", "Replicate has lost this prediction.") from gone
    except Failure as failure:
        log.info("prediction %s: %s", prediction.id, failure)
        return prediction


def _stage(status: str) -> Stage:
    return Stage.PROCESSING if status == "processing" else Stage.STARTING


async def _tell(lease: Lease, state: State, told: State | None) -> State | None:
    """Write down how far it is, where that is new. What cannot be written now is written with the next news."""
    if state == told:
        return told
    try:
        await jobs.report(lease.job, *state)
    except DatabaseAway as away:
        log.warning("job %s: %s", lease.job.id, away)
        return told
    return state

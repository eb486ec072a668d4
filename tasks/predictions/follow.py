"""Follow a prediction to its end: poll it from time to time, and react to the news that webhooks bring."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from itertools import repeat
from random import uniform

from tasks.backoff import Timings, polling_intervals
from tasks.db.database import now
from tasks.db.tables import Stage
from tasks.errors import DatabaseAway, Failure
from tasks.jobs import lifecycle
from tasks.jobs.leases import Lease
from tasks.predictions.polling import Poller
from tasks.predictions.progress import progress
from tasks.replicate.client import ENDED, UNSEEN, Prediction, Replicate
from tasks.replicate.errors import NotFound, Throttled
from tasks.settings import settings

log = logging.getLogger(__name__)

CANCEL_POLL_SECONDS = 1.0  # seconds between polls of a prediction that is being canceled

State = tuple[Stage, float | None]


async def to_the_end(lease: Lease, prediction: Prediction, poller: Poller, timings: Timings) -> Prediction:
    """Follow a prediction until it has ended, and report its progress. Cancels it on request, or at the deadline.

    Webhooks are hints: a prediction has ended only when Replicate's API says so. Raises Failure when Replicate has lost
    the prediction.
    """
    clock = asyncio.get_running_loop().time
    give_up_at = clock() + settings.prediction_timeout + timings.grace
    deadline = clock() + (lease.job.deadline_at - now()).total_seconds() if lease.job.deadline_at else give_up_at
    looks = _Looks(prediction, poller, clock, timings)
    reported = await _report(lease, _state(prediction), None)
    called_off = False

    def over() -> bool:
        return lease.cancel_requested or clock() >= deadline

    while not looks.prediction.ended:
        was_over = over()
        if was_over and not called_off:
            called_off = await _called_off(prediction.id, poller.replicate)
        news = await lease.wait(min(looks.interval, CANCEL_POLL_SECONDS if was_over else deadline - clock()))
        has_ended = news is not None and news.status in ENDED
        if has_ended:
            looks.hurry()  # if the API does not say so yet, or does not answer, it soon will
        elif news is not None and not was_over:
            reported = await _report(lease, (_stage(news.status), news.progress), reported)
            continue
        if was_over or not over():  # when it is over, cancel first, then poll
            if clock() > give_up_at:
                raise Failure("provider_timeout", "API timeout while calling Replicate.", passing=True)
            reported = await _report(lease, _state(await looks.look(at_once=has_ended)), reported)
    return looks.prediction


class _Looks:
    """The polls of one prediction. interval: seconds until the next poll."""

    def __init__(self, prediction: Prediction, poller: Poller, clock: Callable[[], float], timings: Timings) -> None:
        self.prediction = prediction
        self._poller, self._clock, self._timings = poller, clock, timings
        self._calm = settings.webhooks is not None  # webhooks report the progress
        self._intervals: Iterator[float] = repeat(timings.webhook_poll) if self._calm else polling_intervals()
        self.interval = 0.0 if prediction.status == UNSEEN else next(self._intervals)
        self._missing_since: float | None = None

    def hurry(self) -> None:
        """Poll soon, and keep polling at short intervals from now on."""
        self._calm, self._intervals = False, polling_intervals()

    async def look(self, at_once: bool) -> Prediction:
        """Return what Replicate reports now, or the last known state when Replicate does not answer.

        The prediction continues without us. Raises Failure when Replicate has not known it for a minute.
        """
        wait = 0.0
        try:
            seen = await self._poller.look(self.prediction.id, at_once)
            seen.logs = seen.logs or self.prediction.logs  # a list of many predictions may omit the logs
            self.prediction, self._missing_since = seen, None
        except NotFound:
            await self._missing()
        except Failure as failure:
            log.info("prediction %s: %s", self.prediction.id, failure)
            wait = (failure.retry_after or 0.0) * uniform(1.0, 1.5)  # jitter, so that not all poll at once
            if self._calm and not isinstance(failure, Throttled):
                self.hurry()
        self.interval = max(next(self._intervals), wait)
        return self.prediction

    async def _missing(self) -> None:
        """Note that Replicate does not know the prediction. Raises Failure after a minute of this.

        One such answer does not prove that it is lost: a replica may be behind, or a gateway may be wrong.
        """
        self._missing_since = self._missing_since or self._clock()
        log.warning("prediction %s: not found at Replicate", self.prediction.id)
        if self._calm:
            self.hurry()
        if self._clock() - self._missing_since >= self._timings.missing:
            await _called_off(self.prediction.id, self._poller.replicate)
            message = "Replicate no longer knows this prediction. It may have run, and been paid for."
            raise Failure("prediction_lost", message)


async def _called_off(prediction_id: str, replicate: Replicate) -> bool:
    try:
        await replicate.cancel(prediction_id)
    except Failure as failure:
        log.info("prediction %s: not canceled yet: %s", prediction_id, failure)
        return False
    return True


def _state(prediction: Prediction) -> State | None:
    """Return how far a prediction is, or None when it is not known yet, or has ended."""
    if prediction.status == UNSEEN or prediction.ended:
        return None
    return _stage(prediction.status), progress(prediction.logs)


def _stage(status: str) -> Stage:
    return Stage.PROCESSING if status == "processing" else Stage.STARTING


async def _report(lease: Lease, state: State | None, reported: State | None) -> State | None:
    """Save the state if it is new; return the state saved last. What fails to save is saved with the next news."""
    if state is None or state == reported:
        return reported
    try:
        await lifecycle.report(lease.job, *state)
    except DatabaseAway as away:
        log.warning("job %s: %s", lease.job.id, away)
        return reported
    return state

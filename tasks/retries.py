"""What becomes of a job after a failure: another attempt, another try at the same one, or its end."""

import logging
from datetime import timedelta

from tasks import attempts, halts, jobs
from tasks.backoff import retry_delay
from tasks.database import now
from tasks.failures import Failure
from tasks.leases import Lease
from tasks.refusals import AccountRefused, Throttled
from tasks.replicate import Prediction
from tasks.settings import settings
from tasks.tables import Attempt, Job

log = logging.getLogger(__name__)

OUTPUTS_KEPT_FOR = timedelta(hours=1)  # by Replicate, from a prediction's end on (its docs, data retention)
LONGEST_SHIFT = 6  # failures that the wait grows with, where what failed is to come back: up to 64 s
FREE_SHIFT = 2  # up to 4 s
REFUSED_SECONDS = 60.0  # until a job is sent again that the account was refused for: others go first
LONGEST_REFUSED_SECONDS = 300.0


async def give_up(lease: Lease, failure: Failure, prediction: Prediction | None) -> None:
    """Try again later where that may help and a try is left, else end the job.

    Where a prediction may still come of the attempt, or has come and only its outputs could not be fetched or stored,
    the later try goes on with it: only a settled attempt is followed by another.
    """
    job = lease.job
    log.warning("job %s: %s", job.id, failure)
    if isinstance(failure, AccountRefused):
        await halts.halt(failure, job.id)
    attempt = await attempts.under_way(job)
    failure = _without_hope(failure, job, attempt, prediction) or failure
    if not await _end(lease, failure, attempt, prediction):
        await _go_on_later(job, failure, attempt)


def is_overdue(job: Job) -> bool:
    """Return whether the time that a job was given has passed."""
    return job.deadline_at is not None and job.deadline_at <= now()


def output_gone() -> Failure:
    """Return the failure of a job whose result Replicate made, and has deleted."""
    return Failure("output_gone", "Replicate no longer has the result: it keeps results for an hour.")


async def _end(lease: Lease, failure: Failure, attempt: Attempt | None, prediction: Prediction | None) -> Job | None:
    """End the attempt, if it has to end. None: it goes on later, or another worker has the job."""
    job = lease.job
    settled = failure.settled or attempt is None
    has_ended = prediction is not None and prediction.ended
    if lease.cancel_requested and (settled or has_ended or not failure.passing or is_overdue(job)):
        return await jobs.end_canceled(job, prediction)
    if settled and isinstance(failure, AccountRefused):
        return await jobs.put_back(job, failure, await _until_sent_again(job, failure))
    if not failure.passing and not isinstance(failure, AccountRefused):
        return await jobs.fail(job, failure, prediction)
    if is_overdue(job):
        return await jobs.fail(job, jobs.too_late(), prediction)
    if settled and failure.free:
        # Creates wait for the halt, and for the limit that a 429 to one has lowered, without being told again.
        is_paced = failure.code == halts.AWAY or (isinstance(failure, Throttled) and attempt is not None)
        return await jobs.put_back(job, failure, 0.0 if is_paced else retry_delay(FREE_SHIFT, failure.retry_after))
    if _counts(settled, failure) and job.retry_count + 1 >= settings.max_attempts:
        return await jobs.fail(job, failure, prediction)
    if settled:
        return await jobs.postpone(job, failure, retry_delay(job.retry_count + 1, failure.retry_after), prediction)
    return None


async def _go_on_later(job: Job, failure: Failure, attempt: Attempt | None) -> None:
    failures = min(1 + attempt.failures, LONGEST_SHIFT) if attempt is not None else 1
    wait = retry_delay(failures, failure.retry_after)
    await jobs.resume_later(job, failure, wait, counts=_counts(False, failure))


def _counts(settled: bool, failure: Failure) -> bool:
    """Whether a failure is one of the job's MAX_ATTEMPTS: a prediction that failed, or an error of ours.

    Not that Replicate, its files or our storage were away: the job has its time for that.
    """
    return failure.code == "internal_error" or (settled and not failure.free)


def _without_hope(failure: Failure, job: Job, attempt: Attempt | None, prediction: Prediction | None) -> Failure | None:
    """What a failure to bring in the outputs means, where trying again has no use any more."""
    if attempt is None or prediction is None or prediction.status != "succeeded" or not failure.passing:
        return None
    if failure.code == "output_unreadable":  # damaged on the way, or by the model
        again = job.error_code == failure.code and attempt.failures + 1 >= settings.max_attempts
        return Failure(failure.code, failure.message) if again else None
    if prediction.completed_at is not None and now() - prediction.completed_at > OUTPUTS_KEPT_FOR:
        gone = failure.code.startswith(("download_", "output_"))
        return output_gone() if gone else None
    return None


async def _until_sent_again(job: Job, failure: Failure) -> float:
    """Seconds until a job is sent again that the account was refused for: the longer, the more often it was."""
    again = (Attempt.job == job.id) & (Attempt.error_code == failure.code)
    times = await Attempt.count().where(again)
    return float(min(REFUSED_SECONDS * max(1, times), LONGEST_REFUSED_SECONDS))

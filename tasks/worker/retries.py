"""Decides what follows the failure of a job: another attempt, another try at the same attempt, or the job's end."""

import logging

from tasks.backoff import Timings
from tasks.db.database import now
from tasks.db.tables import Attempt, Job
from tasks.errors import Failure
from tasks.jobs import attempts, lifecycle
from tasks.jobs.leases import Lease
from tasks.replicate import circuit
from tasks.replicate.client import Prediction
from tasks.replicate.errors import AccountRefused, Throttled
from tasks.settings import settings

log = logging.getLogger(__name__)

LONGEST_SHIFT = 6  # failures that the wait grows with, where the cause should pass: up to 64 s
FREE_SHIFT = 2  # up to 4 s
LONGEST_REFUSED_SECONDS = 300.0


async def give_up(lease: Lease, failure: Failure, prediction: Prediction | None, timings: Timings) -> None:
    """Try again later when that may help and a try is left. Otherwise end the job.

    When the attempt may still produce a prediction, or has produced one and only its outputs could not be fetched or
    stored, the later try continues the same attempt. Only a settled attempt is followed by another.
    """
    job = lease.job
    log.warning("job %s: %s", job.id, failure)
    log.debug("job %s: %s (%s)", job.id, failure.message, failure.details)
    if isinstance(failure, AccountRefused):
        await circuit.trip(failure, job.id, timings)
    attempt = await attempts.under_way(job)
    failure = _without_hope(failure, job, attempt, prediction, timings) or failure
    if not await _end(lease, failure, attempt, prediction, timings):
        await _go_on_later(job, failure, attempt, timings)


def is_overdue(job: Job) -> bool:
    """Return whether the deadline of a job has passed."""
    return job.deadline_at is not None and job.deadline_at <= now()


def output_gone() -> Failure:
    """Return the failure of a job whose result Replicate made but has deleted."""
    return Failure("output_gone", "Replicate no longer has the result: it keeps results for an hour.")


async def _end(
    lease: Lease, failure: Failure, attempt: Attempt | None, prediction: Prediction | None, timings: Timings
) -> Job | None:
    """End the attempt if it must end. Returns None when it continues later, or when another worker has the job."""
    job = lease.job
    settled = failure.settled or attempt is None
    has_ended = prediction is not None and prediction.ended
    if lease.cancel_requested and (settled or has_ended or not failure.passing or is_overdue(job)):
        return await lifecycle.end_canceled(job, prediction)
    if settled and isinstance(failure, AccountRefused):
        return await lifecycle.unclaim(job, failure, await _until_sent_again(job, failure, timings))
    if not failure.passing and not isinstance(failure, AccountRefused):
        return await lifecycle.fail(job, failure, prediction)
    if is_overdue(job):
        return await lifecycle.fail(job, lifecycle.too_late(), prediction)
    if settled and failure.free:
        # Creates already wait for the halt, and for the rate limit that a 429 to a create has lowered.
        is_paced = failure.code == circuit.AWAY or (isinstance(failure, Throttled) and attempt is not None)
        wait = 0.0 if is_paced else timings.retry_delay(FREE_SHIFT, failure.retry_after)
        return await lifecycle.unclaim(job, failure, wait)
    if _counts(settled, failure) and job.retry_count + 1 >= settings.max_attempts:
        return await lifecycle.fail(job, failure, prediction)
    if settled:
        wait = timings.retry_delay(job.retry_count + 1, failure.retry_after)
        return await lifecycle.postpone(job, failure, wait, prediction)
    return None


async def _go_on_later(job: Job, failure: Failure, attempt: Attempt | None, timings: Timings) -> None:
    failures = min(1 + attempt.failures, LONGEST_SHIFT) if attempt is not None else 1
    wait = timings.retry_delay(failures, failure.retry_after)
    await lifecycle.resume_later(job, failure, wait, counts=_counts(False, failure))


def _counts(settled: bool, failure: Failure) -> bool:
    """Return whether a failure counts toward the job's MAX_ATTEMPTS: a failed prediction, or an error of ours.

    An outage of Replicate, its files or our storage does not count: only the job's deadline limits those retries.
    """
    return failure.code == "internal_error" or (settled and not failure.free)


def _without_hope(
    failure: Failure, job: Job, attempt: Attempt | None, prediction: Prediction | None, timings: Timings
) -> Failure | None:
    """Return the final failure when the outputs could not be brought in and a retry is useless, else None."""
    if attempt is None or prediction is None or prediction.status != "succeeded" or not failure.passing:
        return None
    if failure.code == "output_unreadable":  # damaged in transit, or by the model
        again = job.error_code == failure.code and attempt.failures + 1 >= settings.max_attempts
        return Failure(failure.code, failure.message) if again else None
    completed = prediction.completed_at
    if completed is not None and (now() - completed).total_seconds() > timings.outputs_kept:
        gone = failure.code.startswith(("download_", "output_"))
        return output_gone() if gone else None
    return None


async def _until_sent_again(job: Job, failure: Failure, timings: Timings) -> float:
    """Return the seconds until a job is sent again after the account was refused. They grow with each refusal."""
    again = (Attempt.job == job.id) & (Attempt.error_code == failure.code)
    times = await Attempt.count().where(again)
    return float(min(timings.refused_delay * max(1, times), LONGEST_REFUSED_SECONDS))

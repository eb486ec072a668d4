"""The attempts at a job: stored before the request that may cost money, fenced by the lease like all worker writes.

An attempt is under way from before its prediction is requested until it has certainly ended, with or without a result.
During this time its job refers to it, and no other attempt begins.
"""

import json
import logging
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.db import ids
from tasks.db.database import DB, UNIQUE_VIOLATIONS, now
from tasks.db.dialect import LOCK_ROWS
from tasks.db.steps import step
from tasks.db.tables import Attempt, Condition, Job
from tasks.errors import Failure
from tasks.replicate.errors import OutcomeUnknown
from tasks.tracing import spans

log = logging.getLogger(__name__)

SUBMISSION_UNKNOWN = "submission_unknown"
"""The error code of an attempt whose request was sent and whose prediction is not known."""
SUBMISSION_DOUBTFUL = "submission_doubtful"
"""The error code of such an attempt when Replicate answered with an error of its own application."""
INSERT_ATTEMPT = (
    "INSERT INTO attempt (id, job, number, created_at, version, input, traceparent)"
    " VALUES ({}, {}, (SELECT count(*) + 1 FROM attempt WHERE job = {}), {}, {}, {}, {}) RETURNING number"
)
UPDATE_FENCED = (
    "UPDATE attempt SET %s FROM (SELECT id FROM job WHERE {}"
    + LOCK_ROWS
    + ") AS held WHERE attempt.job = held.id AND {} RETURNING attempt.id"
)
GIVEN_UP: Condition = WhereRaw("attempt.error_code = 'submission_unknown' AND attempt.finished_at IS NOT NULL")

UNSETTLED: Condition = WhereRaw("attempt.error_code = 'found_late' AND attempt.metrics IS NULL")
"""The attempts whose prediction turned up after they had ended, and is not known to have ended."""


def mine(job: Job) -> Condition:
    """Return a condition that matches the job as long as the lease of this claim holds."""
    return WhereRaw("job.id = {} AND job.status = 'running' AND job.lease_token = {}", job.id, job.lease_token)


async def under_way(job: Job) -> Attempt | None:
    """Return the attempt that an earlier worker began and did not end, or None."""
    return await Attempt.objects().get(Attempt.id == job.attempt) if job.attempt else None


async def begin(job: Job, version: str, arguments: Mapping[str, Any]) -> Attempt | None:
    """Record that a prediction is about to be created: its version and its input, exactly as they will be sent.

    Returns None when the lease is gone, an attempt is under way, or the job is to be canceled.
    """
    attempt = Attempt(
        id=ids.new(), job=job.id, number=1, version=version,
        input=json.dumps(arguments, ensure_ascii=False), created_at=now(), traceparent=spans.traceparent(),
    )  # fmt: skip
    seed = arguments.get("seed") if type(arguments.get("seed")) is int else None
    free = mine(job) & Job.attempt.is_null() & Job.cancel_requested.eq(False)
    begun: dict[Any, Any] = {Job.attempt: attempt.id, Job.seed: seed}
    values = (attempt.id, job.id, job.id, attempt.created_at, version, attempt.input, attempt.traceparent)
    steps = [
        step(Job.update(begun).where(free).returning(Job.id), must=True),
        step(QueryString(INSERT_ATTEMPT, *values)),
    ]
    answers = await DB.run_steps(steps)
    if answers is None:
        return None
    attempt.number = answers[1][0]["number"]
    attempt._exists_in_db = True
    job.attempt, job.seed = attempt.id, seed
    return attempt


async def last_traceparent(job_id: UUID) -> str | None:
    """Return that of a job's last attempt, or None when that was not traced."""
    last = Attempt.select(Attempt.traceparent).where(Attempt.job == job_id).order_by(Attempt.number, ascending=False)
    found = await last.first()
    return found["traceparent"] if found else None


async def record_prediction(job: Job, attempt: Attempt, prediction_id: str) -> bool:
    """Save the id of the prediction that an attempt created, as soon as it is known.

    Returns False when the lease is gone. Raises OutcomeUnknown when another attempt has the id: the caller then
    searches for the attempt's own prediction.
    """
    try:
        return await _mark(job, {"prediction_id": prediction_id}, Attempt.id == attempt.id)
    except UNIQUE_VIOLATIONS as error:
        message = "Replicate returned a prediction that belongs to another attempt."
        raise OutcomeUnknown("provider_error", message, passing=True) from error


async def adopt(job: Job, attempt: Attempt, prediction_id: str) -> Attempt | None:
    """Assign a prediction that was found to the attempt, unless a webhook already named one or another attempt has it.

    Returns the attempt as it is now, or None when the lease is gone.
    """
    free = (Attempt.id == attempt.id) & Attempt.prediction_id.is_null()
    try:
        await _mark(job, _known(prediction_id), free)
    except UNIQUE_VIOLATIONS:
        log.info("prediction %s belongs to another attempt, not to attempt %s", prediction_id, attempt.id)
    return await Attempt.objects().get(Attempt.id == attempt.id) if await Job.exists().where(mine(job)) else None


async def note(job: Job, attempt: Attempt, failure: Failure) -> bool:
    """Record an attempt's failure immediately, before its outcome is known. Returns False when the lease is gone."""
    return await _mark(job, {"error": failure.message, "error_code": failure.code}, Attempt.id == attempt.id)


async def twin_in_flight(attempt: Attempt, besides: Collection[str]) -> bool:
    """Return whether an identical attempt is currently waiting for the answer to its own request.

    As long as one is, a prediction that fits both may belong to the other. besides: inputs that are not compared.
    """
    rows = await Attempt.raw(
        "SELECT attempt.input FROM job JOIN attempt ON attempt.id = job.attempt WHERE job.status = 'running'"
        " AND attempt.version = {} AND attempt.prediction_id IS NULL AND attempt.error_code IS NULL"
        " AND attempt.id <> {}",
        attempt.version, attempt.id,
    )  # fmt: skip
    own = without(besides, json.loads(attempt.input))
    return any(without(besides, json.loads(row["input"])) == own for row in rows)


def without(names: Collection[str], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return an input without the values that have these names."""
    return {name: value for name, value in arguments.items() if name not in names}


async def claim_prediction(attempt_id: UUID, prediction_id: str) -> UUID | None:
    """Save the id of a prediction that names this attempt, if the attempt has none yet. Returns the job's id.

    Returns None when the attempt is no longer under way or has another prediction, or when the prediction belongs to
    another attempt. Webhooks call this, so it needs no lease. An attempt that was given up also gets the id: see
    tasks/predictions/orphans.py.
    """
    under_way = (Attempt.id == attempt_id) & Attempt.finished_at.is_null()
    unknown = Attempt.prediction_id.is_null()
    known = Attempt.select(Attempt.job).where(under_way & (Attempt.prediction_id == prediction_id))
    rows = await known  # first: most webhooks are about a prediction that the worker has recorded
    try:
        if not rows:
            rows = await Attempt.update(_known(prediction_id)).where(under_way & unknown).returning(Attempt.job)
        if not rows:
            given_up = (Attempt.id == attempt_id) & GIVEN_UP
            await Attempt.update({Attempt.prediction_id: prediction_id}).where(given_up & unknown)
            rows = await known  # the worker may have recorded it since
    except UNIQUE_VIOLATIONS:
        return None
    return rows[0]["job"] if rows else None


def _known(prediction_id: str) -> dict[Any, Any]:
    """Return the column values of an attempt whose prediction was found."""
    return {"prediction_id": prediction_id, "error": None, "error_code": None}


async def _mark(job: Job, changes: dict[str, str | None], attempt_is: Condition) -> bool:
    """Change the columns of an attempt, fenced by the lease: the job's row is locked first.

    Returns False when the lease is gone, or when the attempt does not match `attempt_is`.
    """
    columns = ", ".join(f"{column} = {{}}" for column in changes)
    return bool(
        await Attempt.raw(UPDATE_FENCED % columns, *changes.values(), mine(job).querystring, attempt_is.querystring)
    )

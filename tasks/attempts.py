"""The attempts at a job: written before the request that may cost money, fenced by the lease as all a worker writes.

An attempt is under way from before its prediction is asked for until it has certainly ended, with a result or without;
its job knows it for so long, and no other is begun.
"""

import json
import logging
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks.database import DB, TAKEN, now
from tasks.failures import Failure
from tasks.queue import Condition
from tasks.refusals import OutcomeUnknown
from tasks.steps import step
from tasks.tables import Attempt, Job, new_id

log = logging.getLogger(__name__)

UNKNOWN = "submission_unknown"
"""The error code of an attempt whose request was sent, and whose prediction is not known."""
DOUBTFUL = "submission_doubtful"
"""The same where Replicate answered with an error of its own application."""
INSERT = (
    "INSERT INTO attempt (id, job, number, created_at, version, input)"
    " VALUES ({}, {}, (SELECT count(*) + 1 FROM attempt WHERE job = {}), {}, {}, {}) RETURNING number"
)
MARK = (
    "UPDATE attempt SET %s FROM (SELECT id FROM job WHERE {}"
    + (" FOR NO KEY UPDATE" if DB.engine_type == "postgres" else "")
    + ") AS held WHERE attempt.job = held.id AND {} RETURNING attempt.id"
)
GIVEN_UP: Condition = WhereRaw("attempt.error_code = 'submission_unknown' AND attempt.finished_at IS NOT NULL")


def mine(job: Job) -> Condition:
    """The job, as long as the lease of this claim holds."""
    return WhereRaw("job.id = {} AND job.status = 'running' AND job.lease_token = {}", job.id, job.lease_token)


async def under_way(job: Job) -> Attempt | None:
    """The attempt that a worker before us began and did not end."""
    return await Attempt.objects().get(Attempt.id == job.attempt) if job.attempt else None


async def begin(job: Job, version: str, arguments: Mapping[str, Any]) -> Attempt | None:
    """Write down that a prediction is about to be created: its version and its input, exactly as they will be sent.

    None: the lease is gone, an attempt is under way, or somebody wants the job called off.
    """
    attempt = Attempt(
        id=new_id(), job=job.id, number=1, version=version,
        input=json.dumps(arguments, ensure_ascii=False), created_at=now(),
    )  # fmt: skip
    seed = arguments.get("seed") if type(arguments.get("seed")) is int else None
    free = mine(job) & Job.attempt.is_null() & Job.cancel_requested.eq(False)
    begun: dict[Any, Any] = {Job.attempt: attempt.id, Job.seed: seed}
    values = (attempt.id, job.id, job.id, attempt.created_at, version, attempt.input)
    steps = [step(Job.update(begun).where(free).returning(Job.id), must=True), step(QueryString(INSERT, *values))]
    answers = await DB.run_steps(steps)
    if answers is None:
        return None
    attempt.number = answers[1][0]["number"]
    attempt._exists_in_db = True
    job.attempt, job.seed = attempt.id, seed
    return attempt


async def record_prediction(job: Job, attempt: Attempt, prediction_id: str) -> bool:
    """Save the id of the prediction that an attempt created, the moment it is known. False when the lease is gone.

    Raises OutcomeUnknown when another attempt has it: then one of the two is looked for.
    """
    try:
        return await _mark(job, {"prediction_id": prediction_id}, Attempt.id == attempt.id)
    except TAKEN as error:
        told = "Replicate answered with a prediction that belongs to another attempt."
        raise OutcomeUnknown("provider_error", told, passing=True) from error


async def adopt(job: Job, attempt: Attempt, prediction_id: str) -> Attempt | None:
    """Count a prediction that was found as the attempt's own, unless a webhook named its own, or this is another's.

    Answers the attempt as it is now, or None when the lease is gone.
    """
    free = (Attempt.id == attempt.id) & Attempt.prediction_id.is_null()
    try:
        await _mark(job, _known(prediction_id), free)
    except TAKEN:
        log.info("prediction %s is another attempt's, and not of attempt %s", prediction_id, attempt.id)
    return await Attempt.objects().get(Attempt.id == attempt.id) if await Job.exists().where(mine(job)) else None


async def note(job: Job, attempt: Attempt, failure: Failure) -> bool:
    """Write down at once what an attempt met, before it is known what came of it. False when the lease is gone."""
    return await _mark(job, {"error": failure.message, "error_code": failure.code}, Attempt.id == attempt.id)


async def twin_in_flight(attempt: Attempt, besides: Collection[str]) -> bool:
    """Return whether an attempt just like this one waits for the answer to its own request at this moment.

    As long as it does, a prediction that fits both may be the other's. besides: inputs that are not compared.
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
    """Return an input without some of its values."""
    return {name: value for name, value in arguments.items() if name not in names}


async def claim_prediction(attempt_id: UUID, prediction_id: str) -> UUID | None:
    """A prediction says that it belongs to this attempt: save its id where it was not known. Answers the job.

    None: the attempt is not under way any more, or has another prediction, or this one is another attempt's. For
    webhooks, so without a lease. An attempt that was given up learns of its prediction, too: see tasks/orphans.py.
    """
    under_way = (Attempt.id == attempt_id) & Attempt.finished_at.is_null()
    unknown = Attempt.prediction_id.is_null()
    try:
        adopted = await Attempt.update(_known(prediction_id)).where(under_way & unknown).returning(Attempt.job)
        if not adopted:
            given_up = (Attempt.id == attempt_id) & GIVEN_UP
            await Attempt.update({Attempt.prediction_id: prediction_id}).where(given_up & unknown)
    except TAKEN:
        return None
    known = adopted or await Attempt.select(Attempt.job).where(under_way & (Attempt.prediction_id == prediction_id))
    return known[0]["job"] if known else None


def _known(prediction_id: str) -> dict[Any, Any]:
    """What an attempt has whose prediction was found."""
    return {"prediction_id": prediction_id, "error": None, "error_code": None}


async def _mark(job: Job, changes: dict[str, str | None], attempt_is: Condition) -> bool:
    """Write on the attempt, fenced: the job's row is locked first. False when the lease is gone, or it is not so."""
    columns = ", ".join(f"{column} = {{}}" for column in changes)
    return bool(await Attempt.raw(MARK % columns, *changes.values(), mine(job).querystring, attempt_is.querystring))

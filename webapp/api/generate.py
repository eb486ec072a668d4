"""The JSON API: POST /generate and GET /status/{job_id}."""

from math import ceil
from typing import Any

from litestar import Request, Response, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import Scope

from tasks.admission.admission import admit
from tasks.db.database import now
from tasks.db.tables import Status
from tasks.library.cards import Card
from tasks.replicate.client import Replicate
from webapp.http.etag import revalidated_json
from webapp.http.methods import READ
from webapp.http.requests import RETRY_AFTER, accepted, body_of, existing, terms_of
from webapp.schemas import describe, examples
from webapp.schemas.codes import Code
from webapp.schemas.jobs import Job, SubmittedJob
from webapp.schemas.requests import Generate


@post(
    "/generate",
    status_code=202,
    tags=["Jobs"],
    summary="Generate media from a prompt",
    responses=describe.problems(*describe.BODY, *describe.TERMS, Code.INVALID_MODEL, *describe.PROVIDER)
    | {202: describe.answer(SubmittedJob, "The job is queued.", examples.SUBMITTED)},
    opt=describe.takes(Generate, examples.REQUESTS, parameters=[describe.CLIENT]),
)
async def generate(request: Request[Any, Any, Any], replicate: NamedDependency[Replicate]) -> Response[SubmittedJob]:
    """Create a job. It is in the database when this responds. Input that its model does not accept changes nothing."""
    body, unknown = await body_of(request, Generate)
    job = await admit(body.prompt, body.model, body.parameters, replicate, terms_of(body, request), unknown)
    return accepted(job, SubmittedJob.of(job))


@route(
    "/status/{job_id:str}",
    http_method=READ,
    tags=["Jobs"],
    summary="Get a job",
    response_headers=[describe.ETAG, describe.RETRY_AFTER],
    responses=describe.problems(*describe.JOB)
    | {
        200: describe.answer(Job, "The job. Members that do not apply are absent.", examples.JOBS),
    },
    opt=describe.takes(parameters=[describe.JOB_ID]),
)
async def status(scope: Scope, job_id: FromPath[str]) -> Response[Job]:
    """Return the current state of a job."""
    card = await existing(job_id, scope["state"]["actor"])
    unfinished = card.job.status in (Status.QUEUED, Status.RUNNING)
    return revalidated_json(scope, Job.of(card), {"Retry-After": _retry_after(card)} if unfinished else None)


def _retry_after(card: Card) -> str:
    """Return the seconds until polling is worthwhile: until the next attempt, when the job waits for one."""
    if not card.retrying:
        return RETRY_AFTER
    return str(max(1, ceil((card.job.due_at - now()).total_seconds())))

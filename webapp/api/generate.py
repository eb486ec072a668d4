"""The JSON API: POST /generate and GET /status/{job_id}."""

from math import ceil
from typing import Any

from litestar import Request, Response, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import Scope

from tasks.accounts.actors import Permission
from tasks.admission.admission import admit
from tasks.db.database import now
from tasks.db.tables import ENDED
from tasks.library.cards import Card
from tasks.replicate.client import Replicate
from webapp.http import rate_limit
from webapp.http.authentication import actor_of
from webapp.http.etag import revalidated_json
from webapp.http.idempotency import REPLAYED, key_of, said
from webapp.http.methods import READ
from webapp.http.prefer import PREFER_VARIES, applied, seconds_of
from webapp.http.requests import RETRY_AFTER, accepted, body_of, terms_of
from webapp.http.waiters import waited
from webapp.schemas import describe, examples
from webapp.schemas.codes import Code
from webapp.schemas.jobs import Job, SubmittedJob
from webapp.schemas.requests import Generate


@post(
    "/generate",
    status_code=202,
    tags=["Jobs"],
    summary="Generate media from a prompt",
    response_headers=[describe.REPLAYED, describe.PREFERENCE_APPLIED, *describe.RATE_LIMIT],
    responses=describe.problems(*describe.BODY, *describe.TERMS, *describe.ONCE, Code.INVALID_MODEL, *describe.PROVIDER)
    | {
        200: describe.answer(Job, "The job has ended while the request waited, or before it was repeated."),
        202: describe.answer(SubmittedJob, "The job is queued.", examples.SUBMITTED),
    },
    opt=describe.takes(
        Generate, examples.REQUESTS, parameters=[describe.CLIENT, describe.IDEMPOTENCY_KEY, describe.PREFER]
    ),
)
async def generate(
    request: Request[Any, Any, Any], replicate: NamedDependency[Replicate]
) -> Response[SubmittedJob | Job]:
    """Create a job. It is in the database when this responds. Input that its model does not accept changes nothing."""
    body, unknown = await body_of(request, Generate)
    terms = terms_of(body, request, key_of(request, said(body)))
    job, replayed = await admit(body.prompt, body.model, body.parameters, replicate, terms, unknown)
    headers = PREFER_VARIES | (REPLAYED if replayed else {})
    headers |= await rate_limit.told(request)
    actor, seconds = actor_of(request), seconds_of(request.scope)
    may_read = actor.may(Permission.READ)
    if replayed or (seconds and may_read):
        card, waits = await waited(request.app.state.hub.waiters, str(job.id), actor, seconds if may_read else 0)
        headers |= applied(seconds) if waits else {}
        job = card.job
        if job.status in ENDED:
            return Response(Job.of(card) if may_read else SubmittedJob.of(job), status_code=200, headers=headers)
    return accepted(job, SubmittedJob.of(job), headers)


@route(
    "/status/{job_id:str}",
    http_method=READ,
    tags=["Jobs"],
    summary="Get a job",
    response_headers=[describe.ETAG, describe.RETRY_AFTER, describe.PREFERENCE_APPLIED],
    responses=describe.problems(*describe.JOB)
    | {
        200: describe.answer(Job, "The job. Members that do not apply are absent.", examples.JOBS),
        202: describe.answer(Job, "The job has not ended while the request waited."),
    },
    opt=describe.takes(parameters=[describe.JOB_ID, describe.PREFER]),
)
async def status(scope: Scope, job_id: FromPath[str]) -> Response[Job]:
    """Return the current state of a job."""
    actor, seconds = scope["state"]["actor"], seconds_of(scope)
    card, waits = await waited(scope["litestar_app"].state.hub.waiters, job_id, actor, seconds)
    headers = PREFER_VARIES | (applied(seconds) if waits else {})
    if card.job.status in ENDED:
        return revalidated_json(scope, Job.of(card), headers)
    if waits:
        return accepted(card.job, Job.of(card), headers)
    return revalidated_json(scope, Job.of(card), headers | {"Retry-After": _retry_after(card)})


def _retry_after(card: Card) -> str:
    """Return the seconds until polling is worthwhile: until the next attempt, when the job waits for one."""
    if not card.retrying:
        return RETRY_AFTER
    return str(max(1, ceil((card.job.due_at - now()).total_seconds())))

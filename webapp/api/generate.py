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
from webapp.http.clients import client_of
from webapp.http.etag import revalidated_json
from webapp.http.methods import READ
from webapp.http.requests import RETRY_AFTER, accepted, body_of, existing, parameters_of, terms_of
from webapp.render.views import job_json

MEMBERS = ("prompt", "parameters", "model", "priority", "finish_within", "made_from")


@post("/generate", status_code=202)
async def generate(request: Request[Any, Any, Any], replicate: NamedDependency[Replicate]) -> Response[dict[str, Any]]:
    """Create a job that makes media from a prompt. The job is in the database when this responds."""
    client, body = client_of(request), await body_of(request, MEMBERS)
    job = await admit(body.get("prompt"), body.get("model"), parameters_of(body), replicate, terms_of(body, client))
    return accepted(job, {"job_id": str(job.id), "status": job.status})


@route("/status/{job_id:str}", http_method=READ)
async def status(scope: Scope, job_id: FromPath[str]) -> Response[bytes]:
    """Return the current state of a job."""
    card = await existing(job_id)
    unfinished = card.job.status in (Status.QUEUED, Status.RUNNING)
    return revalidated_json(scope, job_json(card), {"Retry-After": _retry_after(card)} if unfinished else None)


def _retry_after(card: Card) -> str:
    """Return the seconds until polling is worthwhile: until the next attempt, when the job waits for one."""
    if not card.retrying:
        return RETRY_AFTER
    return str(max(1, ceil((card.job.due_at - now()).total_seconds())))

"""The JSON API: POST /generate and GET /status/{job_id}."""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any
from uuid import UUID

from litestar import Request, Response, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from tasks import library, strict_json
from tasks.admission import Rejected, admit
from tasks.database import now
from tasks.library import Card
from tasks.replicate import Replicate
from tasks.schemas import Fault
from tasks.strict_json import Malformed
from tasks.tables import Job, Status
from tasks.terms import Terms
from webapp.errors import Problem, not_found
from webapp.methods import READ
from webapp.views import job_json
from webapp.visitors import client_of

MEMBERS = ("prompt", "parameters", "model", "priority", "finish_within", "made_from")
POLLING = "1"  # seconds until a program should ask again


@post("/generate", status_code=202)
async def generate(request: Request[Any, Any, Any], replicate: NamedDependency[Replicate]) -> Response[dict[str, Any]]:
    """Have a prompt made into media. The job is in the database when this answers."""
    client, body = client_of(request), await body_of(request, MEMBERS)
    job = await admit(body.get("prompt"), body.get("model"), parameters_of(body), replicate, terms_of(body, client))
    return accepted(job, {"job_id": str(job.id), "status": job.status})


@route("/status/{job_id:str}", http_method=READ)
async def status(job_id: FromPath[str]) -> Response[dict[str, Any]]:
    """How a job is doing."""
    card = await existing(job_id)
    headers = {"Cache-Control": "no-store"}
    if card.job.status in (Status.QUEUED, Status.RUNNING):
        headers["Retry-After"] = _retry_after(card)
    return Response(job_json(card), headers=headers)


def accepted(job: Job, shape: dict[str, Any]) -> Response[dict[str, Any]]:
    """What is asked of this job will be done: 202, with where to ask how it is doing, and when."""
    return Response(shape, status_code=202, headers={"Location": f"/status/{job.id}", "Retry-After": POLLING})


async def existing(job_id: str) -> Card:
    """The job with this id. Raises Problem: 404 where there never was one, 410 where it was deleted."""
    try:
        card = await library.card(UUID(job_id))
    except ValueError:
        card = None
    if card is None:
        raise not_found("job_not_found", "There is no such job.")
    if card.deleted:
        raise Problem(410, "job_deleted", "This job was deleted.")
    return card


async def body_of(request: Request[Any, Any, Any], members: Sequence[str]) -> dict[str, object]:
    """The JSON object that a program sent. Raises Problem where it is none, Rejected where it has other members."""
    body = await json_object(request)
    if unknown := [name for name in body if name not in members]:
        faults = [
            Fault(f"/{name}", f"There is no member {name!r}. There are {', '.join(members)}.") for name in unknown
        ]
        raise Rejected("invalid_request", faults)
    return body


async def json_object(request: Request[Any, Any, Any]) -> dict[str, object]:
    """The JSON object that a program sent. Raises Problem or Rejected where it sent anything else."""
    media_type, _ = request.content_type
    if media_type != "application/json":
        raise Problem(415, "unsupported_media_type", "The body must be JSON, sent with Content-Type: application/json.")
    try:
        body = strict_json.decode(await request.body())
    except Malformed as malformed:
        raise Problem(400, "malformed_json", f"The body is no valid JSON: {malformed}.") from malformed
    if not isinstance(body, dict):
        raise Rejected("invalid_request", [Fault("", "The body must be a JSON object.")])
    return body


def parameters_of(body: Mapping[str, object]) -> object:
    """The parameters in a body: themselves, where a string holds them. Raises Rejected."""
    parameters = body.get("parameters")
    if not isinstance(parameters, str):
        return parameters
    try:
        return strict_json.decode(parameters)
    except Malformed as malformed:
        fault = Fault("/parameters", f"The parameters are no valid JSON: {malformed}.")
        raise Rejected("invalid_parameters", [fault]) from malformed


def terms_of(body: Mapping[str, object], client: str) -> Terms:
    """What else a body asks for."""
    return Terms(client, body.get("priority"), body.get("finish_within"), body.get("made_from"))


def _retry_after(card: Card) -> str:
    """Seconds until a look is worth it: until the next attempt, where one waits for that."""
    if not card.retrying:
        return POLLING
    return str(max(1, ceil((card.job.due_at - now()).total_seconds())))

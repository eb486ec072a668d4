"""What handlers share: reading the body of a request, finding the job or the model it names, and accepting it."""

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from litestar import Request, Response

from tasks.accounts.actors import Actor
from tasks.admission.admission import is_model_name
from tasks.admission.options import Options
from tasks.db.tables import Job
from tasks.errors import Fault, Rejected, pointer
from tasks.jobs.idempotency import Key
from tasks.jobs.insert import Owner
from tasks.library import cards
from tasks.library.cards import Card
from tasks.models import registry, strict_json
from tasks.models.registry import Model
from tasks.models.strict_json import Malformed
from tasks.replicate.client import Replicate
from webapp.http.authentication import actor_of
from webapp.http.clients import client_of
from webapp.http.errors import Problem
from webapp.schemas.codes import Code
from webapp.schemas.requests import Generate, GenerateBatch, Sent

Shape = TypeVar("Shape")
SentShape = TypeVar("SentShape", bound=Sent)

RETRY_AFTER = "1"  # seconds after which a program should poll again


def accepted(job: Job, shape: Shape, more: Mapping[str, str] | None = None) -> Response[Shape]:
    """Return a 202 response: the request will be carried out. Headers say where to poll the job's status, and when."""
    headers = {"Location": f"/status/{job.id}", "Retry-After": RETRY_AFTER, **(more or {})}
    return Response(shape, status_code=202, headers=headers)


async def existing(job_id: str, actor: Actor) -> Card:
    """Return the job with this id. Raises Problem: 404 when it never existed, 410 when it was deleted.

    A job that the actor may not see does not exist for it.
    """
    try:
        card = await cards.by_id(UUID(job_id))
    except ValueError:
        card = None
    if card is None or actor.sees_only not in (None, card.job.owner):
        raise Problem(Code.JOB_NOT_FOUND, "There is no such job.")
    if card.deleted:
        raise Problem(Code.JOB_DELETED, "This job was deleted.")
    return card


async def existing_model(name: str, replicate: Replicate) -> Model:
    """Return the model on Replicate with this name. Raises Problem when there is none, and Failure."""
    found = await model_named(name, replicate)
    if found is None:
        raise Problem(Code.MODEL_NOT_FOUND, "Replicate knows no such model.")
    return found


async def model_named(name: str, replicate: Replicate) -> Model | None:
    """Return the same, or None when there is none, or when this is no name of a model. Raises Failure."""
    return await registry.look_up(name, replicate) if is_model_name(name) else None


async def body_of(request: Request[Any, Any, Any], shape: type[SentShape]) -> tuple[SentShape, list[Fault]]:
    """Return the JSON object that a program sent, and a fault for each of its members that the shape does not have.

    Raises Problem or Rejected when it sent anything else.
    """
    body = await json_object(request)
    members = shape.__struct_fields__
    message = f"The members are {', '.join(members)}."
    unknown = [Fault(pointer(name), f"There is no member {name!r}. {message}") for name in body if name not in members]
    return shape.of({name: value for name, value in body.items() if name in members}), unknown


async def json_object(request: Request[Any, Any, Any]) -> dict[str, object]:
    """Return the JSON object that a program sent. Raises Problem or Rejected when it sent anything else."""
    media_type, _ = request.content_type
    if media_type != "application/json":
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, "The body must be JSON, sent with Content-Type: application/json.")
    try:
        body = strict_json.decode(await request.body())
    except Malformed as malformed:
        raise Problem(Code.MALFORMED_JSON, f"The body is not valid JSON: {malformed}.") from malformed
    if not isinstance(body, dict):
        raise Rejected("invalid_request", [Fault("", "The body must be a JSON object.")])
    return body


def terms_of(body: Generate | GenerateBatch, request: Request[Any, Any, Any], key: Key | None = None) -> Options:
    """Return the terms that a body requests, besides what to make, and for whom. Raises Problem: see client_of().

    key: the request's idempotency key.
    """
    sent = ("priority", "finish_within", "made_from", "metadata", "webhook")
    return terms_for(request, key, **{name: getattr(body, name) for name in sent})


def terms_for(request: Request[Any, Any, Any], key: Key | None = None, origin: str = "", **terms: object) -> Options:
    """Return the terms of a request's jobs.

    origin: the door that it came in by. terms: as they were sent; see Options.
    """
    actor, client = actor_of(request), client_of(request)
    return Options(client, Owner(actor.person, actor.key), actor.models, actor.sees_only, key, origin, **terms)

"""Replicate's API: programs that know Replicate make jobs here when their base URL is /replicate on this site."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, Router, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from tasks.accounts.actors import Permission
from tasks.accounts.signed_addresses import sign_for
from tasks.db.tables import ENDED
from tasks.errors import Rejected
from tasks.files.decoder_pool import DecoderPool
from tasks.files.storage import Storage
from tasks.library.cards import Card
from tasks.library.prediction_shape import ROOT, Prediction, shaped
from tasks.models import registry
from tasks.outbox.events import REPLICATE
from tasks.replicate.client import Replicate
from tasks.webhooks import signing
from webapp.doors import replicate_files
from webapp.doors import replicate_shapes as shapes
from webapp.doors.replicate_input import wanted
from webapp.doors.replicate_pages import Span
from webapp.doors.replicate_problems import of_input
from webapp.doors.replicate_shapes import Account, Page, Secret, Version
from webapp.http import rate_limit
from webapp.http.authentication import actor_of
from webapp.http.cancellation import canceled
from webapp.http.clients import site_of
from webapp.http.errors import Problem
from webapp.http.etag import NO_STORE
from webapp.http.idempotency import REPLAYED
from webapp.http.methods import READ
from webapp.http.prefer import applied, seconds_of
from webapp.http.requests import existing, existing_model
from webapp.http.submission import submitted
from webapp.http.waiters import waited
from webapp.schemas.codes import Code

AnyRequest = Request[Any, Any, Any]

CANCEL_SECONDS = 5.0  # that a worker has to cancel a prediction before the response says that it still runs


@post("/predictions", status_code=201)
async def create(
    request: AnyRequest,
    replicate: NamedDependency[Replicate],
    storage: NamedDependency[Storage],
    decoders: NamedDependency[DecoderPool],
) -> Response[Prediction]:
    """Submit a job for the version that the body names."""
    return await _created(request, None, replicate, storage, decoders)


@post("/models/{owner:str}/{name:str}/predictions", status_code=201)
async def create_of_model(
    request: AnyRequest,
    owner: FromPath[str],
    name: FromPath[str],
    replicate: NamedDependency[Replicate],
    storage: NamedDependency[Storage],
    decoders: NamedDependency[DecoderPool],
) -> Response[Prediction]:
    """Submit a job for a model, which need not be an official one."""
    model = await existing_model(f"{owner}/{name}", replicate)
    return await _created(request, model.name, replicate, storage, decoders)


@route("/predictions", http_method=READ)
async def predictions(request: AnyRequest, storage: NamedDependency[Storage]) -> Response[Page[Prediction]]:
    """Return a page of the jobs that the requester may see, newest first."""
    found, older, newer = await Span.of(request.query_params).page(actor_of(request))
    return Response(Page(await _shown(found, request, storage), _address(request, older), _address(request, newer)))


@route("/predictions/{job_id:str}", http_method=READ)
async def prediction(
    request: AnyRequest, job_id: FromPath[str], storage: NamedDependency[Storage]
) -> Response[Prediction]:
    """Return a job."""
    [shown] = await _shown([await existing(job_id, actor_of(request))], request, storage)
    return Response(shown)


@post("/predictions/{job_id:str}/cancel", status_code=200)
async def cancel(request: AnyRequest, job_id: FromPath[str], storage: NamedDependency[Storage]) -> Response[Prediction]:
    """Cancel a job, and return it as it is then. One that has ended stays as it is."""
    actor = actor_of(request)
    await canceled(job_id, actor)
    card, _ = await waited(request.app.state.hub.waiters, job_id, actor, CANCEL_SECONDS)
    [shown] = await _shown([card], request, storage)
    return Response(shown)


@route("/models", http_method=READ)
async def models() -> Response[Page[shapes.Model]]:
    """Return the models to choose from here, on one page."""
    known = [model for model in await registry.known() if ":" not in model.name]  # not those of a certain version
    return Response(Page([shapes.Model.of(model) for model in known]))


@route("/models/{owner:str}/{name:str}", http_method=READ)
async def model(
    owner: FromPath[str], name: FromPath[str], replicate: NamedDependency[Replicate]
) -> Response[shapes.Model]:
    """Return a model on Replicate."""
    return Response(shapes.Model.of(await existing_model(f"{owner}/{name}", replicate)))


@route("/models/{owner:str}/{name:str}/versions", http_method=READ)
async def versions(
    owner: FromPath[str], name: FromPath[str], replicate: NamedDependency[Replicate]
) -> Response[Page[Version]]:
    """Return the latest version of a model, on a page. Official models have none to choose, as at Replicate."""
    found = await existing_model(f"{owner}/{name}", replicate)
    if found.official:
        raise _no_model()
    latest = Version.of(found)
    return Response(Page([latest] if latest else []))


@route("/models/{owner:str}/{name:str}/versions/{version:str}", http_method=READ)
async def version(
    owner: FromPath[str], name: FromPath[str], version: FromPath[str], replicate: NamedDependency[Replicate]
) -> Response[Version]:
    """Return a version of a model."""
    found = await existing_model(f"{owner}/{name}", replicate)
    if found.version != version:
        found = await existing_model(f"{owner}/{name}:{version}", replicate)
    shape = Version.of(found)
    if shape is None:
        raise _no_model()
    return Response(shape)


@route("/account", http_method=READ)
async def account(request: AnyRequest) -> Response[Account]:
    """Return who asks."""
    name = actor_of(request).name
    return Response(Account(name, name))


@route("/webhooks/default/secret", http_method=READ)
async def webhook_secret(request: AnyRequest) -> Response[Secret]:
    """Return the secret that signs what is told of the requester's jobs, as GET /webhooks/secret does."""
    return Response(Secret(await signing.secret_of_jobs(actor_of(request).person)), headers=NO_STORE)


async def _created(
    request: AnyRequest, model: str | None, replicate: Replicate, storage: Storage, decoders: DecoderPool
) -> Response[Prediction]:
    """Submit a job, and return it, with its result if the request waits for it. model: None if the body names it."""
    job = await wanted(request, model, replicate, storage, decoders)
    may_read = actor_of(request).may(Permission.READ)
    seconds = seconds_of(request.scope) if may_read else 0
    try:
        card, replayed = await submitted(
            request, replicate, REPLICATE, job.prompt, job.model, job.parameters, seconds, **job.terms
        )
    except Rejected as rejected:
        raise of_input(rejected, job.prompt_name) from rejected
    [shown] = await _shown([card if may_read else replace(card, outputs=[])], request, storage)
    if card.job.status not in ENDED:
        shown.status = "starting"  # all clients take "processing" in this response for the end
    headers = {"Location": shown.urls["get"]} | (applied(seconds) if seconds else {}) | (REPLAYED if replayed else {})
    return Response(shown, headers=headers | await rate_limit.told(request))


def _no_model() -> Problem:
    return Problem(Code.MODEL_NOT_FOUND, "Replicate knows no such model.")


async def _shown(found: Sequence[Card], request: AnyRequest, storage: Storage) -> list[Prediction]:
    return await shaped(found, site_of(request), storage, await sign_for(actor_of(request).person))


def _address(request: AnyRequest, cursor: str | None) -> str | None:
    """Return the address of another page of the same list, or None for none."""
    if cursor is None:
        return None
    return f"{site_of(request)}{request.url.path}?{urlencode({**request.query_params, 'cursor': cursor})}"


ROUTES = [
    create, create_of_model, predictions, prediction, cancel, models, model, versions, version, account, webhook_secret,
    *replicate_files.ROUTES,
]  # fmt: skip
ROUTERS = [Router(ROOT, route_handlers=ROUTES), Router(f"{ROOT}/v1", route_handlers=ROUTES)]
"""Some clients put /v1 before each path; others have it in their base URL, or not at all."""

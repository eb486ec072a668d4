"""OpenAI's images API under /v1: programs that speak it submit jobs, and get the images when these have ended."""

import asyncio
import re
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from litestar import Request, Response, post, route
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ASGIApp, ExceptionHandlersMap, Scope

from tasks.admission import batches
from tasks.admission.admission import known_model, model_faults, prompt_faults
from tasks.admission.matrix import quoted
from tasks.errors import DatabaseAway, Failure, Rejected, reject
from tasks.files import uploads
from tasks.files.decoder_pool import DecoderPool
from tasks.files.storage import Storage
from tasks.files.uploads import Unfit
from tasks.library.cards import Card
from tasks.models import registry
from tasks.models.registry import Model
from tasks.replicate.client import Replicate
from tasks.settings import settings
from webapp.composer.controls import PREFIX
from webapp.composer.form import typed_parameters
from webapp.composer.uploads import MAX_BODY, TOO_LARGE, Received, pieces, sender_of
from webapp.doors import openai_answers, openai_parameters
from webapp.doors.openai_answers import NOT_AGAIN
from webapp.doors.openai_parameters import MEMBERS, Body, refuse
from webapp.http import rate_limit
from webapp.http.authentication import actor_of
from webapp.http.disconnects import while_connected
from webapp.http.errors import Problem, answer, from_failure, from_rejected
from webapp.http.etag import revalidated_json
from webapp.http.event_stream import streamed
from webapp.http.idempotency import REPLAYED, key_of
from webapp.http.methods import READ
from webapp.http.prefer import seconds_of
from webapp.http.requests import existing, existing_model, json_object, terms_for
from webapp.http.submission import submitted
from webapp.http.waiters import waited
from webapp.schemas.codes import Code

AnyRequest = Request[Any, Any, Any]

ORIGIN = "openai"
PATH = "/v1/"
MAX_WAIT = 570  # seconds; after 600, the official client sends its request again
MAX_STREAM = 86400  # seconds that a stream waits
CLIENT_GONE = 499  # the status that nobody gets: nginx's for a client that went away
MAX_FILES = 16
OPENAI_MODEL = re.compile(r"(gpt-image|chatgpt-image|dall-e)[A-Za-z0-9._-]*")
IMAGE = re.compile(r"image(\[\d*\])?")


def _refused(request: AnyRequest, rejected: Rejected) -> Response[Any]:
    """Return 400, as OpenAI does, where our own API returns 422."""
    problem = from_rejected(rejected)
    problem.other_status = 400 if problem.status == 422 else problem.status
    return answer(request, problem)


def _away(request: AnyRequest, _: DatabaseAway) -> Response[Any]:
    detail = "The database is not responding. The job may be there: look before you send the request again."
    return answer(request, Problem(Code.DATABASE_UNAVAILABLE, detail, headers=NOT_AGAIN))


ERRORS: ExceptionHandlersMap = {Rejected: _refused, DatabaseAway: _away}


@post("/v1/images/generations", status_code=200, exception_handlers=ERRORS)
async def generations(
    request: AnyRequest, replicate: NamedDependency[Replicate], storage: NamedDependency[Storage]
) -> ASGIApp:
    """Make images from a prompt."""
    body = await json_object(request)
    model = await _model(body, replicate)
    parameters = openai_parameters.parameters(model, body)
    return await _made(request, body, model, parameters, "image_generation", replicate, storage)


@post("/v1/images/edits", status_code=200, exception_handlers=ERRORS, request_max_body_size=MAX_BODY, opt=TOO_LARGE)
async def edits(
    request: AnyRequest, replicate: NamedDependency[Replicate], storage: NamedDependency[Storage],
    decoders: NamedDependency[DecoderPool],
) -> ASGIApp:  # fmt: skip
    """Make images from a prompt and images, which are stored like other uploads."""
    if request.content_type[0] != "multipart/form-data":
        raise Problem(Code.UNSUPPORTED_MEDIA_TYPE, "Send the images as multipart/form-data.")
    fields = list((await request.form()).items())
    body = {name: _typed(name, value) for name, value in fields if isinstance(value, str)}
    model = await _model(body, replicate)
    own = {PREFIX + name: [str(value)] for name, value in body.items() if name not in MEMBERS}
    parameters = openai_parameters.parameters(model, body | typed_parameters(own, model))
    async with Received(storage, sender_of(request)) as sent:
        files = [(name, value) for name, value in fields if isinstance(value, UploadFile)]
        parameters |= await _files(files, model, sent, decoders)
        return await _made(request, body, model, parameters, "image_edit", replicate, storage)


@route("/v1/models", http_method=READ)
async def models(scope: Scope) -> Response[dict[str, Any]]:
    """Return the models to choose from."""
    return revalidated_json(scope, {"object": "list", "data": [_shape(model) for model in await registry.known()]})


@route("/v1/models/{owner:str}/{name:str}", http_method=READ)
async def model(
    scope: Scope, owner: FromPath[str], name: FromPath[str], replicate: NamedDependency[Replicate]
) -> Response[dict[str, Any]]:
    """Return a model on Replicate."""
    return revalidated_json(scope, _shape(await existing_model(f"{owner}/{name}", replicate)))


def _shape(model: Model) -> dict[str, Any]:
    """Return the shape of a model. When it was created is not known."""
    return {"id": model.name, "object": "model", "created": 0, "owned_by": model.name.partition("/")[0]}


async def _model(body: Body, replicate: Replicate) -> Model:
    """Return the model that a request names, the default one for OpenAI's own. Raises Rejected and Failure."""
    name = body.get("model") or settings.default_model
    if isinstance(name, str) and OPENAI_MODEL.fullmatch(name):
        name = settings.default_model
    reject(model_faults(name, "/model"))
    return await known_model(name, replicate)


def _typed(name: str, text: str) -> object:
    """Return the value of a form's field that is a number in JSON."""
    is_number = name in ("n", "output_compression") and re.fullmatch("[0-9]{1,3}", text)
    return int(text) if is_number else text


async def _files(
    files: Sequence[tuple[str, UploadFile]], model: Model, sent: Received, decoders: DecoderPool
) -> dict[str, Any]:
    """Store the files of a form. Returns the parameters that name them. Raises Rejected, Problem and Failure."""
    images = [file for name, file in files if IMAGE.fullmatch(name)]
    masks = [file for name, file in files if name == "mask"]
    if other := [name for name, _ in files if name != "mask" and not IMAGE.fullmatch(name)]:
        raise refuse(other[0], f"There is no file {other[0]!r}: send image, image[] or mask.")
    if not 1 <= len(images) <= MAX_FILES or len(masks) > 1:
        raise refuse("image", f"Send 1 to {MAX_FILES} images, and at most one mask.")
    name, is_list = openai_parameters.image_input(model, len(images))
    named = {openai_parameters.mask_input(model): masks[0]} if masks else {}
    addresses = [await _address(file, "image", sent, decoders) for file in images]
    masked = {parameter: await _address(file, "mask", sent, decoders) for parameter, file in named.items()}
    return {name: addresses if is_list else addresses[0], **masked}


async def _address(file: UploadFile, name: str, sent: Received, decoders: DecoderPool) -> str:
    try:
        kept, is_new = await uploads.keep(pieces(file), sent.storage, decoders, sender=sent.sender)
    except Unfit as unfit:
        raise refuse(name, unfit.message) from unfit
    if is_new:
        sent.new.append(kept.key)
    return f"/media/{kept.key}"


async def _made(
    request: AnyRequest, body: Body, model: Model, parameters: dict[str, Any], what: str, replicate: Replicate,
    storage: Storage,
) -> ASGIApp:  # fmt: skip
    """Submit the jobs of a request, and return the response with their images, or the one that streams them."""
    as_url, streams = openai_parameters.as_url(body), openai_parameters.streams(body)
    cards, replayed = await _submitted(request, body, model, parameters, replicate)
    headers = openai_answers.headers(cards) | (REPLAYED if replayed else {}) | await rate_limit.told(request)
    if streams:
        return await streamed(_events(request, body, cards, what, storage), headers)
    try:
        ended = await while_connected(request, _ended(request, cards, seconds_of(request.scope) or MAX_WAIT))
        response = await _response(request, ended, as_url, storage)
    except asyncio.CancelledError:  # the server stops; without an answer, the program would send its request again
        response = await _response(request, cards, as_url, storage)
    except Failure as failed:
        problem = from_failure(failed)
        response = Response(openai_answers.error(problem), status_code=problem.status, headers=NOT_AGAIN)
    response.headers |= headers
    return response.to_asgi_response(app=None, request=request)


async def _response(
    request: AnyRequest, cards: Sequence[Card] | None, as_url: bool, storage: Storage
) -> Response[dict[str, Any] | None]:
    """Return the response with the images of jobs; None for those that nobody waits for any more. Raises Failure."""
    if cards is None:
        return Response(None, status_code=CLIENT_GONE)
    if failure := openai_answers.failure(cards):
        return Response(failure[1], status_code=failure[0], headers=NOT_AGAIN)
    outputs = openai_answers.outputs(cards)
    images = [await openai_answers.image(request, output, as_url, storage) for output in outputs]
    facts = openai_answers.facts(outputs[0]) if outputs else {}
    return Response({"created": openai_answers.seconds_now(), "data": images, **facts})


async def _submitted(
    request: AnyRequest, body: Body, model: Model, parameters: dict[str, Any], replicate: Replicate
) -> tuple[list[Card], bool]:
    """Submit one job for all images, or else a batch with one for each. Returns them, and whether they were there."""
    prompt, count = body.get("prompt"), openai_parameters.number(body)
    numbered = openai_parameters.numbered(model, count)
    if numbered is not None:
        card, replayed = await submitted(request, replicate, ORIGIN, prompt, model.name, parameters | numbered)
        return [card], replayed
    reject(prompt_faults(prompt))
    said = {"prompt": prompt, "model": model.name, "parameters": parameters, "n": count}
    terms = terms_for(request, key_of(request, said), ORIGIN)
    _, jobs, replayed = await batches.submit(quoted(str(prompt)), [model.name], count, parameters, replicate, terms)
    return [await existing(str(job.id), actor_of(request)) for job in jobs], replayed


async def _ended(request: AnyRequest, cards: Sequence[Card], seconds: float) -> list[Card]:
    """Wait until all jobs have ended, for at most some seconds. Returns them as they are then. Raises Problem."""
    waiters, actor, loop = request.app.state.hub.waiters, actor_of(request), asyncio.get_running_loop()
    until = loop.time() + seconds
    return [(await waited(waiters, str(card.job.id), actor, max(0, until - loop.time())))[0] for card in cards]


async def _events(
    request: AnyRequest, body: Body, cards: Sequence[Card], what: str, storage: Storage
) -> AsyncGenerator[bytes, None]:
    """Yield each image as soon as its job has ended, or an error if there is none."""
    yield b": waiting\n\n"
    as_url, ended = openai_parameters.as_url(body), list[Card]()
    asked = {name: body.get(name) or "auto" for name in ("background", "quality")}
    try:
        for card in cards:
            ended += await _ended(request, [card], MAX_STREAM)
            for output in openai_answers.outputs(ended[-1:]):
                image = await openai_answers.image(request, output, as_url, storage)
                shown = {**image, "created_at": openai_answers.seconds_now(), **asked, **openai_answers.facts(output)}
                yield openai_answers.event(f"{what}.completed", shown)
        if failure := openai_answers.failure(ended):
            yield openai_answers.event("error", failure[1])
    except Problem as problem:
        yield openai_answers.event("error", openai_answers.error(problem))
    except Failure as failed:
        yield openai_answers.event("error", openai_answers.error(from_failure(failed)))


ROUTES = [generations, edits, models, model]

"""Requests for predictions, as Replicate's clients send them, read as requests for jobs."""

import re
from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request

from tasks.admission.admission import is_model_name, known_model
from tasks.errors import Fault, Rejected, pointer
from tasks.files import uploads
from tasks.files.decoder_pool import DecoderPool
from tasks.files.download import DATA_URL
from tasks.files.input_files import takes_file
from tasks.files.storage import Storage
from tasks.files.uploads import Unfit
from tasks.models import registry
from tasks.replicate.client import Replicate
from webapp.composer.uploads import sender_of
from webapp.doors.replicate_shapes import without_origin
from webapp.http.clients import site_of
from webapp.http.requests import body_of
from webapp.schemas.requests import Sent

AnyRequest = Request[Any, Any, Any]

DURATION = re.compile(r"([0-9]{1,9})|(?=[0-9])(?:([0-9]{1,9})h)?(?:([0-9]{1,9})m)?(?:([0-9]{1,9})s)?")
NO_VERSION = "The specified version does not exist (or perhaps you don't have permission to use it?)"
NOT_MET = "No prediction here has used a model with this version yet. Send it as owner/name:version."
COMPLETED = "completed"
EVENTS = ("start", "output", "logs", COMPLETED)
"""The events that a webhook can be told of at Replicate. Here, only the last one comes."""
NO_EVENTS = f"webhook_events_filter must be a list of some of {', '.join(EVENTS)}."


class Creation(Sent):
    """A request for a prediction of the model in the address. stream: makes no difference, as at Replicate."""

    input: object = None
    webhook: object = None
    webhook_events_filter: object = None
    stream: object = None


class VersionedCreation(Creation):
    """A request for a prediction of the version that it names."""

    version: object = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job as it is requested.

    prompt_name: the model's name for the prompt. terms: as those of POST /generate. There is no webhook among them when
    it wants to be told of nothing that is told here.
    """

    model: str
    prompt_name: str
    prompt: object
    parameters: dict[str, Any]
    terms: dict[str, Any]


async def wanted(
    request: AnyRequest, model: str | None, replicate: Replicate, storage: Storage, decoders: DecoderPool
) -> Wanted:
    """Return the job that a request for a prediction is for. Files inside it are kept as uploads.

    model: owner/name from the address; None where the body names the version. Raises Problem, Rejected and Failure.
    """
    body, unknown = await body_of(request, VersionedCreation if model is None else Creation)
    seconds, faults = _cancel_after(request.headers.get("Cancel-After"))
    if not isinstance(body.input, dict):
        faults.append(Fault("/input", "input must be an object."))
    webhook, more = _webhook(body)
    if unknown or faults or more:
        raise Rejected("invalid_request", [*unknown, *faults, *more])
    assert isinstance(body.input, dict)
    name = await _model_of(body.version) if isinstance(body, VersionedCreation) else model or ""
    found = await known_model(name, replicate, "/version")
    if found.prompt_name is None:
        raise Rejected("invalid_request", [Fault("/input", f"{name} does not accept a text prompt.")])
    properties = found.input_schema["properties"]
    origins = (site_of(request), str(request.base_url).rstrip("/"))
    parameters: dict[str, Any] = {}
    for field, value in body.input.items():
        parameters[field] = value
        if takes_file(properties.get(field, {})):
            ours = without_origin(value, origins)
            parameters[field] = await _unpacked(ours, pointer("input", field), storage, decoders, sender_of(request))
    prompt = parameters.pop(found.prompt_name, None)
    return Wanted(name, found.prompt_name, prompt, parameters, {"finish_within": seconds, **webhook})


async def _model_of(version: object) -> str:
    """Return the model that a version names: owner/name, owner/name:id, or the id alone. Raises Rejected."""
    if isinstance(version, str) and is_model_name(version):
        return version
    alone = isinstance(version, str) and re.fullmatch(r"[0-9a-f]{64}", version)
    known = await registry.with_version(alone[0]) if alone else None
    if known is None:
        raise Rejected("unknown_model", [Fault("/version", NOT_MET if alone else NO_VERSION)])
    return known


def _cancel_after(text: str | None) -> tuple[int | None, list[Fault]]:
    """Return the seconds that a Cancel-After header gives: 30, 90s, 5m or 1h30m45s; and what is wrong with it."""
    if text is None:
        return None, []
    found = DURATION.fullmatch(text)
    if found is None:
        return None, [Fault("/Cancel-After", "Cancel-After must be a duration such as 90s, 5m or 1h30m.")]
    bare, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return bare + hours * 3600 + minutes * 60 + seconds, []


def _webhook(body: Creation) -> tuple[dict[str, object], list[Fault]]:
    """Return the webhook as a term of the job, if it is told how that ends; and what is wrong with its filter."""
    events = body.webhook_events_filter or list(EVENTS)
    if not isinstance(events, list) or not all(event in EVENTS for event in events):
        return {}, [Fault("/webhook_events_filter", NO_EVENTS)]
    return ({} if body.webhook is None or COMPLETED not in events else {"webhook": body.webhook}), []


async def _unpacked(value: Any, place: str, storage: Storage, decoders: DecoderPool, sender: UUID | None) -> Any:
    """Return an input with our addresses in place of data: URLs. Raises Rejected when one is not accepted."""
    if isinstance(value, list):
        return [await _unpacked(item, place, storage, decoders, sender) for item in value]
    match = DATA_URL.match(value) if isinstance(value, str) else None
    if match is None or not match[3]:
        return value

    async def content() -> AsyncIterator[bytes]:
        yield b64decode(value[match.end() :], validate=True)

    try:
        kept, _ = await uploads.keep(content(), storage, decoders, sender=sender)
    except Unfit as unfit:
        raise Rejected("invalid_parameters", [Fault(place, unfit.message)]) from unfit
    except ValueError:
        raise Rejected("invalid_parameters", [Fault(place, "The data: URL is not valid base64.")]) from None
    return f"/media/{kept.key}"

"""The checks that every request passes before its job is accepted, regardless of the sender."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.admission.options import DEFAULTS, Options, allow
from tasks.db.tables import Job
from tasks.errors import Fault, Rejected, pointer, reject
from tasks.files import input_files
from tasks.jobs import backlog, lifecycle
from tasks.models import registry, strict_json
from tasks.models.registry import MAX_PROMPT_LENGTH, Model
from tasks.models.strict_json import LEAST, MOST, Malformed, is_text
from tasks.replicate.client import Replicate
from tasks.settings import MODEL_NAME, settings

MAX_PARAMETERS = 32 * 1024  # characters of JSON: pages and lists hold the parameters of hundreds of jobs
MAX_MODEL_NAME = 200  # characters, including 65 for a version


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that passed every check. name: of the model, as it was requested."""

    prompt: str
    name: str
    model: Model
    parameters: Mapping[str, Any]


async def admit(
    prompt: object,
    model: object,
    parameters: object,
    replicate: Replicate,
    terms: Options = DEFAULTS,
    unknown: Sequence[Fault] = (),
) -> Job:
    """Check a request and submit it as a job. Raises QueueFull, and what checked() raises."""
    request = await checked(prompt, model, parameters, replicate, terms, unknown)
    client = await backlog.client_in_line(terms.client)
    await backlog.make_room({client: 1}, [request.name])
    await registry.keep(request.model)
    return await lifecycle.submit(
        request.prompt,
        request.name,
        request.parameters,
        client,
        terms.urgency,
        terms.seconds,
        terms.source,
        terms.owner,
        terms.address,
    )


async def checked(
    prompt: object,
    model: object,
    parameters: object,
    replicate: Replicate,
    terms: Options = DEFAULTS,
    unknown: Sequence[Fault] = (),
) -> Checked:
    """Check a request. model, parameters: None for the default.

    parameters: as for given_parameters(). unknown: faults of members that do not exist, to be told with the others.
    Raises Rejected, and Failure when Replicate has to be asked about the model and does not answer.
    """
    given, faults = given_parameters(parameters)
    reject([*prompt_faults(prompt), *_model_faults(model), *faults, *await terms.faults()], unknown)
    assert isinstance(prompt, str)
    name = model if isinstance(model, str) else settings.default_model
    allow(terms.models, [name])
    known = await known_model(name, replicate)
    reject(await input_files.faults(known, prompt, given, terms.sees_only))
    return Checked(prompt, name, known, given)


async def known_model(name: str, replicate: Replicate, place: str = "/model") -> Model:
    """Return the model with this name. Raises Rejected when none exists, and Failure when Replicate does not answer."""
    known = await registry.look_up(name, replicate)
    if known is None:
        raise Rejected("unknown_model", [Fault(place, f"Replicate has no model {name}.")])
    return known


def is_model_name(text: str) -> bool:
    """Return whether a text has the form owner/name or owner/name:version."""
    return len(text) <= MAX_MODEL_NAME and re.fullmatch(MODEL_NAME, text) is not None


def prompt_faults(prompt: object) -> list[Fault]:
    """Return the faults of a prompt that do not depend on the model."""
    if prompt is None:
        return [Fault("/prompt", "A prompt is required.")]
    if not isinstance(prompt, str):
        return [Fault("/prompt", "The prompt must be a string.")]
    if not prompt.strip():
        return [Fault("/prompt", "The prompt is empty. Describe what to make.")]
    if too_long := length_faults(prompt):
        return too_long
    return [Fault("/prompt", "The prompt contains an invalid character.")] if not is_text(prompt) else []


def length_faults(prompt: str) -> list[Fault]:
    """Return the faults of a prompt's length. Call this before anything else is done with the prompt."""
    if len(prompt) <= MAX_PROMPT_LENGTH:
        return []
    return [Fault("/prompt", f"The prompt has {len(prompt):,} characters; the maximum is {MAX_PROMPT_LENGTH:,}.")]


def _model_faults(model: object) -> list[Fault]:
    return [] if model is None else model_faults(model, "/model")


def model_faults(model: object, place: str) -> list[Fault]:
    """Return the faults of a model's name. place: the pointer to it in the request."""
    if isinstance(model, str) and is_model_name(model):
        return []
    return [Fault(place, "The model must be owner/name or owner/name:version.")]


def given_parameters(parameters: object) -> tuple[Mapping[str, Any], list[Fault]]:
    """Return the parameters by name, and their faults that do not depend on the model.

    parameters: an object, a string that contains one as JSON, or None for no parameters.
    """
    if isinstance(parameters, str):
        try:
            parameters = strict_json.decode(parameters)
        except Malformed as malformed:
            return {}, [Fault("/parameters", f"The parameters are not valid JSON: {malformed}.")]
    if parameters is None:
        return {}, []
    if not isinstance(parameters, Mapping):
        return {}, [Fault("/parameters", "The parameters must be a JSON object, or a string that contains one.")]
    return parameters, _parameters_faults(parameters)


def _parameters_faults(parameters: Mapping[str, Any]) -> list[Fault]:
    if (length := len(json.dumps(parameters, ensure_ascii=False))) > MAX_PARAMETERS:
        allowed = f"the maximum is {MAX_PARAMETERS:,}. Upload files with POST /uploads and send their URLs."
        return [Fault("/parameters", f"The parameters have {length:,} characters as JSON; {allowed}")]
    return [
        Fault(pointer("parameters", name if is_text(name) else ""), fault)
        for name, value in parameters.items()
        if (fault := _fault_of(name) or _fault_of(value))
    ]


def _fault_of(value: object) -> str | None:
    """Return why a JSON value, or a value inside it, cannot be stored, as a sentence. Returns None when it can."""
    if isinstance(value, str):
        return None if is_text(value) else "It contains an invalid character."
    if type(value) is int:
        return None if LEAST <= value <= MOST else "It contains a number that does not fit in 64 bits."
    inside = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else []
    return next(filter(None, map(_fault_of, inside)), None)

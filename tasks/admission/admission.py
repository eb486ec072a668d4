"""The checks that every request passes before its job is accepted, regardless of the sender."""

import json
import re
from collections.abc import Mapping

from tasks.admission.options import DEFAULTS, Options
from tasks.db.tables import Job
from tasks.errors import Fault, Rejected, reject
from tasks.files import input_files
from tasks.jobs import backlog, lifecycle
from tasks.models import registry
from tasks.models.registry import MAX_PROMPT_LENGTH, Model
from tasks.models.strict_json import LEAST, MOST, is_text
from tasks.replicate.client import Replicate
from tasks.settings import MODEL_NAME, settings

MAX_PARAMETERS = 32 * 1024  # characters of JSON: pages and lists hold the parameters of hundreds of jobs
MAX_MODEL_NAME = 200  # characters, including 65 for a version


async def admit(
    prompt: object, model: object, parameters: object, replicate: Replicate, terms: Options = DEFAULTS
) -> Job:
    """Check a request and submit it as a job. model, parameters: None for the default.

    Raises Rejected, QueueFull, and Failure when Replicate has to be asked about the model and does not answer.
    """
    reject([*prompt_faults(prompt), *_model_faults(model), *parameters_faults(parameters), *await terms.faults()])
    assert isinstance(prompt, str)
    name = model if isinstance(model, str) else settings.default_model
    given = parameters if isinstance(parameters, Mapping) else {}
    known = await known_model(name, replicate)
    reject(await input_files.faults(known, prompt, given))
    client = await backlog.client_in_line(terms.client)
    await backlog.make_room({client: 1}, [name])
    await registry.keep(known)
    return await lifecycle.submit(prompt, name, given, client, terms.urgency, terms.seconds, terms.source)


async def known_model(name: str, replicate: Replicate, pointer: str = "/model") -> Model:
    """Return the model with this name. Raises Rejected when none exists, and Failure when Replicate does not answer."""
    known = await registry.look_up(name, replicate)
    if known is None:
        raise Rejected("unknown_model", [Fault(pointer, f"Replicate has no model {name}.")])
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


def model_faults(model: object, pointer: str) -> list[Fault]:
    """Return the faults of a model's name. pointer: its place in the request."""
    if isinstance(model, str) and is_model_name(model):
        return []
    return [Fault(pointer, "The model must be owner/name or owner/name:version.")]


def parameters_faults(parameters: object) -> list[Fault]:
    """Return the faults of the parameters that do not depend on the model."""
    if parameters is None:
        return []
    if not isinstance(parameters, Mapping):
        return [Fault("/parameters", "The parameters must be a JSON object, or a string that contains one.")]
    if (length := len(json.dumps(parameters, ensure_ascii=False))) > MAX_PARAMETERS:
        allowed = f"the maximum is {MAX_PARAMETERS:,}. Upload files with POST /uploads and send their URLs."
        return [Fault("/parameters", f"The parameters have {length:,} characters as JSON; {allowed}")]
    return [
        Fault(f"/parameters/{name if is_text(name) else ''}", fault)
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

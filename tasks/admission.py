"""What is checked before a job is accepted, whoever sends it."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tasks import inputs, jobs, models
from tasks.models import MAX_PROMPT, Model
from tasks.replicate import Replicate
from tasks.schemas import Fault
from tasks.settings import MODEL_NAME, settings
from tasks.tables import Job, Priority

PRIORITIES = {priority.name.lower(): priority for priority in Priority}
SHORTEST, LONGEST = 5, 30 * 86400  # seconds that a job may be given


class Rejected(Exception):  # the domain's word: a request is rejected
    """A request for a job that cannot be one.

    code: stable, for programs. faults: everything wrong with it, each at its place.
    """

    def __init__(self, code: str, faults: list[Fault]) -> None:
        super().__init__(code)
        self.code = code
        self.faults = faults


async def admit(
    prompt: object,
    model: object,
    parameters: object,
    replicate: Replicate,
    *,
    client: str = "",
    priority: object = None,
    finish_within: object = None,
    made_from: object = None,
) -> Job:
    """Check a request and make it a job. model, parameters, priority, finish_within, made_from: None for the default.

    client: who asks. priority: one of PRIORITIES. finish_within: whole seconds, SHORTEST to LONGEST. made_from: the id
    of a job. Raises Rejected, and Failure where Replicate had to be asked about the model and did not answer.
    """
    reject(
        [
            *prompt_faults(prompt), *_model_faults(model), *terms_faults(parameters, priority, finish_within),
            *await made_from_faults(made_from),
        ]
    )  # fmt: skip
    assert isinstance(prompt, str)
    name = model if isinstance(model, str) else settings.default_model
    given, urgency, seconds = terms(parameters, priority, finish_within)
    known = await known_model(name, replicate)
    reject(await inputs.faults(known, prompt, given))
    return await jobs.submit(
        prompt, name, given, client=client, priority=urgency, finish_within=seconds, made_from=job_id_of(made_from)
    )


def reject(faults: list[Fault]) -> None:
    """Nothing where there are no faults. Raises Rejected.

    Its code is invalid_prompt, invalid_model, ... where all faults are in one place, else invalid_request.
    """
    places = {fault.pointer.split("/")[1] for fault in faults}
    if faults:
        raise Rejected(f"invalid_{places.pop()}" if len(places) == 1 else "invalid_request", faults)


async def known_model(name: str, replicate: Replicate, pointer: str = "/model") -> Model:
    """The model with this name. Raises Rejected where there is none, and Failure where Replicate does not answer."""
    known = await models.find(name, replicate)
    if known is None:
        raise Rejected("unknown_model", [Fault(pointer, f"Replicate has no model {name}.")])
    return known


def terms(
    parameters: object, priority: object, finish_within: object
) -> tuple[Mapping[str, Any], Priority, int | None]:
    """What has no `terms_faults`, as jobs take it."""
    return (
        parameters if isinstance(parameters, Mapping) else {},
        PRIORITIES[priority] if isinstance(priority, str) else Priority.NORMAL,
        finish_within if isinstance(finish_within, int) else None,
    )


def is_model_name(text: str) -> bool:
    """Whether it has the form owner/name or owner/name:version."""
    return re.fullmatch(MODEL_NAME, text) is not None


def prompt_faults(prompt: object) -> list[Fault]:
    """What is wrong with a prompt, whatever the model."""
    if prompt is None:
        return [Fault("/prompt", "A prompt is required.")]
    if not isinstance(prompt, str):
        return [Fault("/prompt", "The prompt must be a string.")]
    if not prompt.strip():
        return [Fault("/prompt", "The prompt is empty. Say in words what is to be made.")]
    if len(prompt) > MAX_PROMPT:
        return [Fault("/prompt", f"The prompt has {len(prompt):,} characters; {MAX_PROMPT:,} are allowed.")]
    return [Fault("/prompt", "The prompt has a character that is not text.")] if not _is_text(prompt) else []


def _model_faults(model: object) -> list[Fault]:
    return [] if model is None else model_faults(model, "/model")


def model_faults(model: object, pointer: str) -> list[Fault]:
    """What is wrong with the name of a model, which stands there."""
    if isinstance(model, str) and is_model_name(model):
        return []
    return [Fault(pointer, "The model must be named as owner/name or owner/name:version.")]


def terms_faults(parameters: object, priority: object, finish_within: object) -> list[Fault]:
    """What is wrong with the rest of a request, whatever the model."""
    return [*_parameters_faults(parameters), *_priority_faults(priority), *_finish_within_faults(finish_within)]


def _parameters_faults(parameters: object) -> list[Fault]:
    if parameters is None:
        return []
    if not isinstance(parameters, Mapping):
        return [Fault("/parameters", "The parameters must be a JSON object, or a string that holds one.")]
    return [
        Fault(f"/parameters/{name if _is_text(name) else ''}", "It has a character that is not text.")
        for name, value in parameters.items()
        if not (_is_text(name) and _is_text(value))
    ]


def _priority_faults(priority: object) -> list[Fault]:
    if priority is None or (isinstance(priority, str) and priority in PRIORITIES):
        return []
    return [Fault("/priority", f"The priority must be one of {', '.join(PRIORITIES)}.")]


def _finish_within_faults(seconds: object) -> list[Fault]:
    if seconds is None or (type(seconds) is int and SHORTEST <= seconds <= LONGEST):  # to Python, true is a number
        return []
    message = f"finish_within must be a whole number of seconds, from {SHORTEST} to {LONGEST:,}."
    return [Fault("/finish_within", message)]


async def made_from_faults(made_from: object) -> list[Fault]:
    """What is wrong with the job that something is said to be made from."""
    if made_from is None:
        return []
    job_id = job_id_of(made_from)
    there = (Job.id == job_id) & Job.deleted_at.is_null()
    if job_id is not None and await Job.exists().where(there):
        return []
    return [Fault("/made_from", "made_from must be the id of a job that is there.")]


def job_id_of(value: object) -> UUID | None:
    """The id that stands there, or None where it is none."""
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _is_text(value: object) -> bool:
    """Whether every string in a JSON value can be stored: no NUL, no half of a surrogate pair."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, Mapping):
        return all(_is_text(name) and _is_text(item) for name, item in value.items())
    return all(_is_text(item) for item in value) if isinstance(value, list) else True

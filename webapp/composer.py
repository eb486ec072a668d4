"""The form that a prompt is written in: real controls made from a model's schema, and what was typed read back."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks import models
from tasks.matrix import quoted
from tasks.models import Model
from tasks.schemas import Fault, Schema
from webapp.matrix import MatrixFields, matrix_fields

PREFIX = "p."  # of the names of the parameters' form fields
MAIN = (
    "aspect_ratio",
    "width",
    "height",
    "image_input",
    "first_frame_image",
    "duration",
    "resolution",
    "num_outputs",
    "seed",
)
"""The parameters people use most, shown at once; the others are folded away."""


@dataclass(frozen=True, slots=True)
class Control:
    """One parameter as a form control. kind: choice, integer, number, switch, text, url or urls."""

    name: str
    label: str
    kind: str
    value: str
    default: str
    choices: list[str]
    minimum: float | None
    maximum: float | None
    step: str
    help: str
    main: bool
    required: bool
    fault: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A model to choose."""

    name: str
    title: str
    kind: str
    description: str


@dataclass(frozen=True, slots=True)
class FormFault:
    """A fault, and the form field it belongs to, if any."""

    sentence: str
    control: str | None


@dataclass(frozen=True, slots=True)
class Composer:
    """The form, filled in."""

    prompt: str
    model: str
    models: list[Choice]
    controls: list[Control]
    matrix: MatrixFields
    faults: list[FormFault] = field(default_factory=list)


async def compose(form: Mapping[str, Sequence[str]], model: Model | None, faults: Sequence[Fault] = ()) -> Composer:
    """The form for a model (None: one that is not known yet), with what was typed and what is wrong with it."""
    shown = [FormFault(fault.message, _control_name(fault.pointer)) for fault in faults]
    by_control = {fault.control: fault.sentence for fault in reversed(shown)}
    choices = [Choice(known.name, _title(known.name), known.kind, known.description) for known in await models.known()]
    controls = list(_controls(model, form, by_control)) if model else []
    name = model.name if model else _last(form, "model") or _last(form, "other_model")
    return Composer(_last(form, "prompt"), name, choices, controls, matrix_fields(form, name), shown)


def chosen_model(form: Mapping[str, Sequence[str]], default: str) -> str:
    """The name of the model that was chosen or typed in."""
    if "model" not in form:
        return default
    return _last(form, "model") or _last(form, "other_model").strip()


def typed_parameters(form: Mapping[str, Sequence[str]], model: Model) -> dict[str, Any]:
    """The parameters in the form, as the types the model's schema asks for.

    What cannot be read stays text, for its fault.
    """
    properties = model.input_schema["properties"]
    parameters = {}
    for name in form:
        if name.startswith(PREFIX) and (text := _last(form, name).strip()):
            parameters[name.removeprefix(PREFIX)] = _typed(text, properties.get(name.removeprefix(PREFIX), {}))
    return parameters


def as_query(prompt: str, model: str, parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The query string that fills the form with these. A prompt that would be read as a matrix is written as text."""
    return [("prompt", quoted(prompt)), *settings_query(model, parameters)]


def settings_query(model: str, parameters: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same, without a prompt."""
    return [("model", model), *((f"{PREFIX}{name}", _text(value)) for name, value in parameters.items())]


def _controls(model: Model, form: Mapping[str, Sequence[str]], faults: Mapping[str | None, str]) -> Iterator[Control]:
    required = model.input_schema.get("required", [])
    for name, schema in model.input_schema["properties"].items():
        if name == model.prompt_name:
            continue
        field_name = PREFIX + name
        yield Control(
            name=field_name,
            label=name.removeprefix("num_").replace("_", " ").capitalize(),
            kind=_kind(schema),
            value=_last(form, field_name),
            default=_text(schema.get("default")),
            choices=[str(choice) for choice in schema.get("enum", []) if choice is not None],
            minimum=schema.get("minimum"),
            maximum=schema.get("maximum"),
            step="1" if "integer" in _types(schema) else "any",
            help=schema.get("description", ""),
            main=name in MAIN or name in required,
            required=name in required,
            fault=faults.get(field_name),
        )


def _kind(schema: Schema) -> str:
    types = _types(schema)
    if "enum" in schema:
        return "choice"
    if "array" in types:
        return "urls"
    for kind, name in (("integer", "integer"), ("number", "number"), ("boolean", "switch")):
        if kind in types:
            return name
    return "url" if schema.get("format") == "uri" else "text"


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", "string")
    return types if isinstance(types, list) else [types]


def _typed(text: str, schema: Schema) -> Any:
    types = _types(schema)
    if "array" in types:
        return text.split()
    for choice in schema.get("enum", []):
        if str(choice) == text:
            return choice
    if {"integer", "number", "boolean", "object"} & set(types):
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _text(value: object) -> str:
    """A value as a form field shows it."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(_text(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)


def _last(form: Mapping[str, Sequence[str]], name: str) -> str:
    """A field's value; the last one, where a switch sends its hidden "false" before its "true"."""
    values = form.get(name) or [""]
    return values[-1]


def _control_name(pointer: str) -> str | None:
    member, _, rest = pointer.removeprefix("/").partition("/")
    if member == "parameters":
        return PREFIX + rest.partition("/")[0] if rest else None
    return member or None


def _title(name: str) -> str:
    return name.partition(":")[0].rpartition("/")[2]

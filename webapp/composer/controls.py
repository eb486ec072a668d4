"""A model's parameters as form controls: the kind of each, and everything that its template needs."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tasks.files import input_files
from tasks.models.registry import Model
from tasks.models.schemas import Schema
from webapp.render.media_links import preview

PREFIX = "p."  # of the names of the parameters' form fields
MAIN_PARAMETERS = (
    "aspect_ratio",
    "width",
    "height",
    "image",
    "image_input",
    "input_image",
    "input_images",
    "start_image",
    "first_frame_image",
    "duration",
    "resolution",
    "num_outputs",
    "seed",
)
"""The most used parameters, which are always visible; the others are collapsed."""

RATIO = re.compile(r"([1-9][0-9]{0,3}):([1-9][0-9]{0,3})")
FRAME_SIZE = 20  # the longer side of a drawn frame, in units of its SVG
MAX_FILES = 100  # files that a parameter's field may name
MAX_SLIDER_STEPS = 500  # the most steps of a slider: with more, a finger cannot hit one


@dataclass(frozen=True, slots=True)
class Shape:
    """An aspect ratio as a drawn frame. width, height: 0 when the choice is not a ratio."""

    value: str
    name: str
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Slider:
    """The range, step and value of a slider."""

    minimum: float
    maximum: float
    step: float
    value: float


@dataclass(frozen=True, slots=True)
class File:
    """A file that a parameter names. preview: the address of a small picture of it, if it has one."""

    address: str
    preview: str | None


@dataclass(frozen=True, slots=True)
class Control:
    """One parameter as a form control.

    kind: choice, shape, integer, number, seed, switch, text, file or files. accept: what a file chooser offers.
    """

    name: str
    label: str
    kind: str
    value: str
    default: str
    choices: list[str]
    shapes: list[Shape]
    minimum: float | None
    maximum: float | None
    step: str
    slider: Slider | None
    files: list[File]
    accept: str
    help: str
    main: bool
    required: bool
    fault: str | None


def controls(model: Model, values: Mapping[str, str], faults: Mapping[str | None, str]) -> Iterator[Control]:
    """Yield the filled-in controls of a model. values, faults: by the names of the form's fields."""
    required = model.input_schema.get("required", [])
    for name, schema in model.input_schema["properties"].items():
        if name == model.prompt_name:
            continue
        field = PREFIX + name
        value, default = values.get(field, ""), text(schema.get("default"))
        choices = [str(choice) for choice in schema.get("enum", []) if choice is not None]
        kind = _kind(name, schema, choices)
        yield Control(
            name=field,
            label=name.removeprefix("num_").replace("_", " ").capitalize(),
            kind=kind,
            value=value,
            default=default,
            choices=choices,
            shapes=_shapes(choices) if kind == "shape" else [],
            minimum=schema.get("minimum"),
            maximum=schema.get("maximum"),
            step="1" if "integer" in types(schema) else "any",
            slider=_slider(schema, value or default) if kind in ("integer", "number") else None,
            files=[File(address, preview(address)) for address in _addresses(value)]
            if kind in ("file", "files")
            else [],
            accept=_accepted(name),
            help=schema.get("description", ""),
            main=name in MAIN_PARAMETERS or name in required,
            required=name in required,
            fault=faults.get(field),
        )


def types(schema: Schema) -> list[str]:
    """Return the JSON types that a parameter may have."""
    kinds = schema.get("type", "string")
    return kinds if isinstance(kinds, list) else [kinds]


def text(value: object) -> str:
    """Return a value as a form field shows it."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(text(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)


def shape(choice: str) -> Shape:
    """Return a choice as a drawn frame."""
    match = RATIO.fullmatch(choice)
    if match is None:
        return Shape(choice, choice.replace("_", " ").capitalize(), 0, 0)
    width, height = int(match[1]), int(match[2])
    scale = FRAME_SIZE / max(width, height)
    return Shape(choice, choice, round(width * scale, 1), round(height * scale, 1))


def _kind(name: str, schema: Schema, choices: Sequence[str]) -> str:
    if "enum" in schema:
        return "shape" if sum(RATIO.fullmatch(choice) is not None for choice in choices) > 1 else "choice"
    if input_files.takes_file(schema):
        return "files" if input_files.is_list(schema) else "file"
    kinds = types(schema)
    if "integer" in kinds:
        return "seed" if name == "seed" else "integer"
    return next((kind for kind, type_ in (("number", "number"), ("switch", "boolean")) if type_ in kinds), "text")


def _shapes(choices: Sequence[str]) -> list[Shape]:
    """Return the shapes: those that are not a ratio first, then from the tallest to the widest."""
    return sorted((shape(choice) for choice in choices), key=lambda shape: shape.width / (shape.height or 1))


def _slider(schema: Schema, value: str) -> Slider | None:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None or high is None or low >= high:
        return None
    step = 1 if "integer" in types(schema) else _fine(high - low)
    if (high - low) / step > MAX_SLIDER_STEPS:
        return None
    try:
        return Slider(low, high, step, min(max(float(value), low), high))
    except ValueError:
        return Slider(low, high, step, low)


def _fine(span: float) -> float:
    """Return a step that suits a span: 0.01 up to 2, 0.1 up to 20, 0.5 above."""
    return 0.01 if span <= 2 else 0.1 if span <= 20 else 0.5


def _addresses(value: str) -> list[str]:
    return value.split(maxsplit=MAX_FILES)[:MAX_FILES]


def _accepted(name: str) -> str:
    kinds = [kind for kind in ("audio", "video") if kind in name]
    return f"{kinds[0]}/*" if kinds else "image/*"

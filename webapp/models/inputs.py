"""What a model takes, in words: in short for its card, and each input for its page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tasks.files import input_files
from tasks.models.registry import Model
from tasks.models.schemas import Schema
from tasks.models.usage import COUNTS
from webapp.composer.controls import text, types

FILES = ("mask", "audio", "video")
"""What a file may be instead of a picture, if its parameter is called like this."""
KINDS = {"integer": "a whole number", "number": "a number", "boolean": "yes or no", "string": "text", "array": "a list"}
MAX_CHOICES = 12  # of an input that are listed


@dataclass(frozen=True, slots=True)
class Input:
    """An input of a model. accepts: in words, such as "a whole number, 1 to 4". default: "" when it has none."""

    name: str
    accepts: str
    default: str
    help: str
    required: bool


def in_short(model: Model) -> list[str]:
    """Return what a model takes besides the prompt, as far as people choose models by it: "Picture", "Seed"."""
    properties = model.input_schema["properties"]
    files = dict.fromkeys(_file(name, schema) for name, schema in properties.items() if input_files.takes_file(schema))
    ratio = "aspect_ratio" in properties or {"width", "height"} <= properties.keys()
    most = max((properties[name].get("maximum", 1) for name in COUNTS if name in properties), default=1)
    others = {
        "Aspect ratio": ratio,
        "Duration": "duration" in properties,
        "Seed": "seed" in properties,
        f"Up to {most} at once": most > 1,
    }
    return [*files, *(name for name, takes in others.items() if takes)]


def inputs(model: Model) -> Iterator[Input]:
    """Yield the inputs of a model, in the order that its makers gave them."""
    required = model.input_schema.get("required", [])
    for name, schema in model.input_schema["properties"].items():
        default = text(schema.get("default"))
        yield Input(name, _accepts(name, schema), default, schema.get("description", ""), name in required)


def _file(name: str, schema: Schema) -> str:
    kind = next((word for word in FILES if word in name), "picture").capitalize()
    return f"{kind}s" if kind == "Picture" and input_files.is_list(schema) else kind


def _accepts(name: str, schema: Schema) -> str:
    choices = [str(choice) for choice in schema.get("enum", []) if choice is not None]
    if choices:
        more = len(choices) - MAX_CHOICES
        return ", ".join(choices[:MAX_CHOICES]) + (f" and {more} more" if more > 0 else "")
    if input_files.takes_file(schema):
        kind = _file(name, schema).lower()
        return kind if kind in ("audio", "pictures") else f"a {kind}"
    kind = next((KINDS[kind] for kind in types(schema) if kind in KINDS), "any value")
    return f"{kind}{_range(schema)}"


def _range(schema: Mapping[str, object]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        return ""
    return f", {low} to {high}" if None not in (low, high) else f", up to {high}" if low is None else f", from {low}"

"""What OpenAI's images API asks for, in the words of a model: its own parameters, by its schema."""

import re
from collections.abc import Mapping
from math import log
from typing import Any

from tasks.errors import Fault, Rejected
from tasks.files.input_files import is_list, takes_file
from tasks.models.registry import Model
from tasks.models.schemas import Schema
from webapp.composer.controls import MAIN_PARAMETERS, RATIO

Body = Mapping[str, Any]
"""The members of a request, as JSON has them, or as the fields of a form."""

MAX_IMAGES = 10  # that one request may make
HINTS = (
    "complexity", "input_fidelity", "moderation", "partial_images", "quality", "safety_identifier", "style", "user",
)  # fmt: skip
"""Members that a model may ignore. One whose schema offers the value, for a parameter of this name, gets it."""
MEMBERS = frozenset(
    {
        "background", "model", "n", "output_compression", "output_format", "prompt", "response_format", "size",
        "stream", *HINTS,
    }
)  # fmt: skip
"""OpenAI's members. All others are parameters of the model."""
NUMBERS = ("num_outputs", "number_of_images", "num_images")
"""What models call the number of images."""
NAMES = {
    "aspect_ratio": "size", "height": "size", "models": "model", "output_quality": "output_compression",
    "seeds": "n", "width": "size", **dict.fromkeys(NUMBERS, "n"),
}  # fmt: skip
"""OpenAI's names of what we and the models call otherwise."""
SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")


def refuse(name: str, message: str) -> Rejected:
    """Return the error for a member of a request."""
    return Rejected("invalid_request", [Fault(f"/{name}", message)])


def number(body: Body) -> int:
    """Return how many images are wanted. Raises Rejected."""
    wanted = body.get("n")
    if wanted is None:
        return 1
    if type(wanted) is not int or not 1 <= wanted <= MAX_IMAGES:  # in Python, True is an int
        raise refuse("n", f"n must be a whole number from 1 to {MAX_IMAGES}.")
    return wanted


def as_url(body: Body) -> bool:
    """Return whether the addresses of the images are wanted, rather than the images. Raises Rejected."""
    wanted = body.get("response_format")
    if wanted not in (None, "url", "b64_json"):
        raise refuse("response_format", "response_format must be url or b64_json.")
    return bool(wanted == "url")


def streams(body: Body) -> bool:
    """Return whether the images are wanted as events. Raises Rejected."""
    wanted = body.get("stream")
    if wanted not in (None, False, True, "false", "true"):
        raise refuse("stream", "stream must be true or false.")
    return wanted in (True, "true")


def parameters(model: Model, body: Body) -> dict[str, Any]:
    """Return the parameters that a request means, all but the number of images. Raises Rejected.

    What the model does not accept stays, so that its schema refuses it.
    """
    takes = model.input_schema["properties"]
    own = {name: value for name, value in body.items() if name not in MEMBERS and value is not None}
    return {**_size(takes, body.get("size")), **_file(takes, body), **_hints(takes, body), **own}


def numbered(model: Model, count: int) -> dict[str, int] | None:
    """Return the parameter that makes so many images in one job, or None when it takes as many jobs.

    Raises Rejected when those would be the same: the model takes no seed.
    """
    takes = model.input_schema["properties"]
    name = next((name for name in NUMBERS if count <= takes.get(name, {}).get("maximum", 0)), None)
    if count == 1 or name:
        return {name: count} if name and count > 1 else {}
    if model.largest_seed is None:
        raise refuse("n", f"{model.name} makes one image at a time: n must be 1.")
    return None


def image_input(model: Model, count: int) -> tuple[str, bool]:
    """Return the name of the parameter for the images to edit, and whether it is a list. Raises Rejected."""
    takes = model.input_schema["properties"]
    found = [name for name, schema in takes.items() if takes_file(schema) and _is_image(name)]
    found.sort(key=lambda name: MAIN_PARAMETERS.index(name) if name in MAIN_PARAMETERS else len(MAIN_PARAMETERS))
    fitting = [name for name in found if count == 1 or is_list(takes[name])]
    if not fitting:
        what = "more than one image" if found else "images"
        raise refuse("image", f"{model.name} does not accept {what}.")
    name: str = fitting[0]
    return name, is_list(takes[name])


def mask_input(model: Model) -> str:
    """Return the name of the parameter for the mask. Raises Rejected."""
    takes = model.input_schema["properties"]
    name: str | None = next((name for name, schema in takes.items() if takes_file(schema) and "mask" in name), None)
    if name is None:
        raise refuse("mask", f"{model.name} does not accept a mask.")
    return name


def _is_image(name: str) -> bool:
    return ("image" in name or "img" in name) and "mask" not in name


def _size(takes: Schema, size: object) -> dict[str, Any]:
    """Return the size in pixels if the model takes one, else the nearest of its aspect ratios, else nothing."""
    if size in (None, "", "auto"):
        return {}
    match = SIZE.fullmatch(size) if isinstance(size, str) else None
    if match is None:
        raise refuse("size", "size must be auto, or the width and the height in pixels, such as 1024x1024.")
    width, height = int(match[1]), int(match[2])
    if size in _choices(takes, "size"):
        return {"size": size}
    if "width" in takes and "height" in takes:
        # Many models heed width and height only if another parameter says that the size is not one of its choices.
        custom = {name: "custom" for name in ("aspect_ratio", "size") if "custom" in _choices(takes, name)}
        return {"width": width, "height": height, **custom}
    ratios = {choice: log(int(ratio[1]) / int(ratio[2])) for choice, ratio in _ratios(takes).items()}
    wanted = log(width / height)
    return {"aspect_ratio": min(ratios, key=lambda choice: abs(ratios[choice] - wanted))} if ratios else {}


def _ratios(takes: Schema) -> dict[str, re.Match[str]]:
    found = {str(choice): RATIO.fullmatch(str(choice)) for choice in _choices(takes, "aspect_ratio")}
    return {choice: ratio for choice, ratio in found.items() if ratio}


def _file(takes: Schema, body: Body) -> dict[str, Any]:
    """Return what is said of the file: its format, its quality, and whether its background is transparent."""
    said = {name: body[name] for name in ("background", "output_format", "output_compression") if body.get(name)}
    if said.get("background") == "auto" or (said.get("background") == "opaque" and "background" not in takes):
        del said["background"]
    if said.get("output_format") == "jpeg" and "jpg" in _choices(takes, "output_format"):
        said["output_format"] = "jpg"
    if "output_compression" in said and "output_quality" in takes:
        said["output_quality"] = said.pop("output_compression")
    return said


def _hints(takes: Schema, body: Body) -> dict[str, Any]:
    return {name: body[name] for name in HINTS if body.get(name) in _choices(takes, name)}


def _choices(takes: Schema, name: str) -> list[Any]:
    """Return the values that a parameter can have, none if there is no such parameter or it is not a choice."""
    return [choice for choice in takes.get(name, {}).get("enum", []) if choice is not None]

"""Aspect ratios for models that take a width and a height: the sizes in pixels that suit the model, as drawn frames."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.models.registry import SQUARE, Model
from tasks.models.schemas import Schema
from webapp.composer.controls import PREFIX, Shape, shape, types

RATIOS = ("9:16", "2:3", "3:4", "4:5", "1:1", "5:4", "4:3", "3:2", "16:9")
MULTIPLES = (32, 16, 8)  # pixels: models draw in blocks of one of these, even where their schema does not say so
MAX_LENGTH = 100_000  # pixels
MAX_DEVIATION = 0.08  # of a size from its ratio


@dataclass(frozen=True, slots=True)
class Side:
    """What a model accepts as its width or height, in pixels. choices: empty when any length in the range will do."""

    default: int
    least: float
    most: float
    multiple: int
    choices: tuple[int, ...] = ()

    def nearest(self, length: float) -> int:
        """Return the accepted length that is nearest to this one."""
        if self.choices:
            return min(self.choices, key=lambda choice: abs(choice - length))
        low, high = math.ceil(self.least / self.multiple), math.floor(min(self.most, MAX_LENGTH) / self.multiple)
        return self.multiple * max(min(round(length / self.multiple), high), low)


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes to choose from. value of a shape: its size, such as 1152x896. chosen: the present size, likewise."""

    shapes: tuple[Shape, ...] = ()
    chosen: str = ""


NO_SIZES = Sizes()


def sizes(model: Model, values: Mapping[str, str]) -> Sizes:
    """Return the sizes that suit a model; none when it takes no width and height, or takes an aspect ratio as well.

    values: by the names of the form's fields.
    """
    properties = model.input_schema["properties"]
    across, down = (_side(properties.get(name)) for name in ("width", "height"))
    if across is None or down is None or "aspect_ratio" in properties:
        return NO_SIZES
    best: dict[tuple[int, int], tuple[float, str]] = {}
    for ratio in RATIOS:
        wanted = _quotient(ratio)
        size = _size(wanted, across, down)
        deviation = abs(math.log(size[0] / size[1] / wanted))
        if deviation <= MAX_DEVIATION:
            best[size] = min((deviation, ratio), best.get(size, (math.inf, "")))
    shapes = [replace(shape(ratio), value=f"{size[0]}x{size[1]}") for size, (_, ratio) in best.items()]
    width, height = values.get(f"{PREFIX}width") or across.default, values.get(f"{PREFIX}height") or down.default
    return Sizes(tuple(shapes), f"{width}x{height}")


def with_size(form: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    """Return the form with the size in `size`, if any, as width and height: without scripts, a ratio is a button."""
    width, _, height = (form.get("size") or [""])[-1].partition("x")
    return {**form, f"{PREFIX}width": [width], f"{PREFIX}height": [height]} if height else form


def _side(schema: Schema | None) -> Side | None:
    if schema is None or "integer" not in types(schema):
        return None
    choices = tuple(choice for choice in schema.get("enum", []) if type(choice) is int and choice > 0)
    default = schema.get("default")
    if type(default) is not int or default < 1:
        default = max(1, int(min(max(SQUARE[0], schema.get("minimum", 1)), schema.get("maximum", SQUARE[0]))))
    multiple = int(schema.get("multipleOf", 0)) or next((each for each in MULTIPLES if default % each == 0), 1)
    least, most = float(schema.get("minimum", multiple)), float(schema.get("maximum", math.inf))
    return Side(default, max(least, multiple), most, multiple, choices)


def _quotient(ratio: str) -> float:
    wide, _, high = ratio.partition(":")
    return int(wide) / int(high)


def _size(ratio: float, across: Side, down: Side) -> tuple[int, int]:
    """Return the size of about the default area, or of less, that the model accepts and that is nearest to a ratio."""
    width = math.sqrt(across.default * down.default * ratio)
    height = width / ratio
    fit = min(1, _most(across) / width, _most(down) / height)
    return across.nearest(width * fit), down.nearest(height * fit)


def _most(side: Side) -> float:
    return max(side.choices) if side.choices else side.most

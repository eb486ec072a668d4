"""Replicate's schemas, of both generations, as JSON Schema; and the messages to users when input does not fit."""

from typing import Any

import pytest

from tasks.models.schemas import faults, plain, validator

pytestmark = pytest.mark.once

OLD: dict[str, Any] = {
    "Input": {
        "type": "object",
        "properties": {
            "scheduler": {"allOf": [{"$ref": "#/components/schemas/scheduler"}], "default": "K_EULER", "x-order": 7},
            "prompt": {"type": "string", "x-order": 0},
        },
    },
    "scheduler": {"enum": ["DDIM", "K_EULER"], "type": "string", "description": "An enumeration."},
}
KLING: dict[str, Any] = {
    "Input": {
        "type": "object",
        "required": ["prompt", "start_image"],
        "properties": {
            "mode": {"enum": ["standard", "pro"], "type": "string", "x-order": 3},
            "prompt": {"type": "string"},
            "duration": {"enum": [5, 10], "type": "integer", "x-order": 4},
            "end_image": {"type": "string", "format": "uri", "nullable": True},
            "start_image": {"type": "string", "format": "uri"},
            "quality": {"enum": ["hd", "sd"], "type": "string", "nullable": True},
            "steps": {"type": "integer", "minimum": 1, "maximum": 50},
            "strength": {"type": "number", "maximum": 0.5},
            "images": {"type": "array", "items": {"type": "string", "format": "uri"}},
        },
    }
}


def told(schemas: dict[str, Any], arguments: dict[str, Any]) -> list[tuple[str, str]]:
    schema = plain(schemas, "Input")
    found = faults(validator(schema), schema["properties"], arguments)
    return sorted(("/".join(path), sentence) for path, sentence in found)


def test_an_enum_behind_a_reference_is_drawn_in_with_its_default() -> None:
    scheduler = plain(OLD, "Input")["properties"]["scheduler"]
    assert scheduler["enum"] == ["DDIM", "K_EULER"]
    assert scheduler["default"] == "K_EULER"
    assert told(OLD, {"scheduler": "PNDM"}) == [("scheduler", "scheduler must be one of DDIM, K_EULER.")]
    assert told(OLD, {"scheduler": "DDIM"}) == []


def test_properties_come_in_their_order_those_without_one_last() -> None:
    assert list(plain(KLING, "Input")["properties"])[:3] == ["mode", "duration", "prompt"]
    assert list(plain(OLD, "Input")["properties"]) == ["prompt", "scheduler"]


FITTING = {"prompt": "p", "start_image": "https://example.org/a.png"}


@pytest.mark.parametrize(
    ("change", "path", "sentence"),
    [
        ({"duration": 7}, "duration", "duration must be one of 5, 10."),
        ({"duration": "5"}, "duration", "duration must be one of 5, 10."),
        ({"mode": "fast"}, "mode", "mode must be one of standard, pro."),
        ({"quality": "uhd"}, "quality", "quality must be one of hd, sd, null."),
        ({"steps": 0}, "steps", "steps must be at least 1."),
        ({"steps": 51}, "steps", "steps must be at most 50."),
        ({"steps": "many"}, "steps", "steps must be an integer, not a string."),
        ({"steps": 1.5}, "steps", "steps must be an integer, not a number."),
        ({"steps": True}, "steps", "steps must be an integer, not a boolean."),
        ({"steps": None}, "steps", "steps must be an integer, not null."),
        ({"strength": 0.6}, "strength", "strength must be at most 0.5."),
        ({"end_image": "a.png"}, "end_image", "end_image must be a web address (URL)."),
        ({"images": ["nope"]}, "images/0", "images.0 must be a web address (URL)."),
        ({"images": {}}, "images", "images must be an array, not an object."),
        ({"start_image": None}, "start_image", "start_image must be a string, not null."),
    ],
)
def test_each_fault_is_told_with_what_is_allowed(change: dict[str, Any], path: str, sentence: str) -> None:
    assert (path, sentence) in told(KLING, FITTING | change)


def test_what_the_model_lacks_is_refused_and_what_it_has_is_named() -> None:
    [(name, sentence)] = told(KLING, FITTING | {"widht": 512})
    assert name == "widht"
    assert sentence.startswith("The model has no parameter 'widht'. It has: mode, duration, prompt,")


def test_what_is_missing_is_named() -> None:
    assert told(KLING, {"prompt": "p"}) == [("start_image", "start_image is required.")]


def test_what_may_be_null_may_be_null() -> None:
    assert told(KLING, FITTING | {"end_image": None, "quality": None}) == []


def test_fitting_input_has_no_faults() -> None:
    assert told(KLING, FITTING | {"duration": 10, "images": ["https://example.org/b.png"], "steps": 50}) == []

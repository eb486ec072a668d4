"""OpenAI's members in the words of models, as their schemas have them."""

from typing import Any

import pytest

from tasks.errors import Rejected
from tasks.models.registry import Model
from webapp.doors.openai_parameters import image_input, mask_input, numbered, parameters

FILE = {"type": "string", "format": "uri"}
FILES = {"type": "array", "items": FILE}
PIXELS = {"type": "integer"}


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the database untouched: no test here uses it."""


def a_model(**properties: Any) -> Model:
    return Model("a/model", None, True, "", {"Input": {"properties": {"prompt": {"type": "string"}, **properties}}})


def choice(*values: object) -> dict[str, Any]:
    return {"enum": list(values)}


@pytest.mark.parametrize(
    ("properties", "size", "means"),
    [
        ({"width": PIXELS, "height": PIXELS}, "1536x1024", {"width": 1536, "height": 1024}),
        ({"width": PIXELS, "height": PIXELS}, "auto", {}),
        ({"width": PIXELS, "height": PIXELS}, None, {}),
        ({"width": PIXELS}, "1536x1024", {}),
        (
            {"width": PIXELS, "height": PIXELS, "aspect_ratio": choice("1:1", "custom")},
            "1536x1024",
            {"width": 1536, "height": 1024, "aspect_ratio": "custom"},
        ),
        (
            {"width": PIXELS, "height": PIXELS, "size": choice("2K", "custom"), "aspect_ratio": choice("1:1")},
            "1536x1024",
            {"width": 1536, "height": 1024, "size": "custom"},
        ),
        ({"size": choice("1024x1024", "1536x1024"), "aspect_ratio": choice("1:1")}, "1536x1024", {"size": "1536x1024"}),
        ({"aspect_ratio": choice("1:1", "3:2", "2:3", "match_input_image")}, "1536x1024", {"aspect_ratio": "3:2"}),
        ({"aspect_ratio": choice("1:1", "16:9", "9:16")}, "1024x1792", {"aspect_ratio": "9:16"}),
        ({"aspect_ratio": choice("21:9", "9:21")}, "1100x1000", {"aspect_ratio": "21:9"}),
        ({"aspect_ratio": choice("match_input_image", None)}, "1024x1024", {}),
        ({}, "1024x1024", {}),
    ],
)
def test_a_size_is_told_as_the_model_takes_it(properties: dict[str, Any], size: str | None, means: Any) -> None:
    assert parameters(a_model(**properties), {"prompt": "a fox", "size": size}) == means


@pytest.mark.parametrize(
    "size", ["0x10", "10", "x", "1024 x 1024", "1e3x10", "999999x1", 1024, ["1024x1024"], "\u0661x\u0661"]
)
def test_a_size_that_is_none_is_refused(size: object) -> None:
    with pytest.raises(Rejected) as refusal:
        parameters(a_model(), {"size": size})
    assert [fault.pointer for fault in refusal.value.faults] == ["/size"]


@pytest.mark.parametrize(
    ("properties", "said", "means"),
    [
        ({"output_format": choice("webp", "jpg")}, {"output_format": "jpeg"}, {"output_format": "jpg"}),
        ({"output_format": choice("webp", "jpeg")}, {"output_format": "jpeg"}, {"output_format": "jpeg"}),
        ({"output_format": choice("webp", "jpg")}, {"output_format": "gif"}, {"output_format": "gif"}),  # then refused
        ({"output_quality": PIXELS}, {"output_compression": 80}, {"output_quality": 80}),
        ({"output_compression": PIXELS}, {"output_compression": 80}, {"output_compression": 80}),
        ({}, {"output_compression": 80}, {"output_compression": 80}),
        ({}, {"background": "opaque"}, {}),
        ({}, {"background": "auto"}, {}),
        ({}, {"background": "transparent"}, {"background": "transparent"}),
        ({"background": choice("opaque", "transparent")}, {"background": "opaque"}, {"background": "opaque"}),
        ({"quality": choice("low", "high")}, {"quality": "high", "style": "vivid"}, {"quality": "high"}),
        ({"quality": choice("low", "high")}, {"quality": "hd"}, {}),
        ({"quality": PIXELS, "user": {"type": "string"}}, {"quality": "high", "user": "u1"}, {}),
        ({"seed": PIXELS}, {"seed": 7, "svg": None, "nope": 1, "stream": True, "n": 2}, {"seed": 7, "nope": 1}),
    ],
)
def test_what_else_is_said_is_told_as_the_model_takes_it(properties: dict[str, Any], said: Any, means: Any) -> None:
    assert parameters(a_model(**properties), said) == means


@pytest.mark.parametrize("name", ["num_outputs", "number_of_images", "num_images"])
def test_a_number_of_images_is_told_by_the_models_word_if_it_makes_so_many(name: str) -> None:
    model = a_model(**{name: {"type": "integer", "maximum": 4}, "seed": PIXELS})
    assert numbered(model, 1) == {}
    assert numbered(model, 4) == {name: 4}
    assert numbered(model, 5) is None


@pytest.mark.parametrize(
    ("properties", "count", "found"),
    [
        ({"image": FILE, "mask_image": FILE}, 1, ("image", False)),
        ({"last_frame_image": FILE, "first_frame_image": FILE}, 1, ("first_frame_image", False)),
        ({"image_prompt": FILE}, 1, ("image_prompt", False)),
        ({"image": FILE, "image_input": FILES}, 1, ("image", False)),
        ({"image": FILE, "image_input": FILES}, 2, ("image_input", True)),
        ({"reference_images": FILES}, 1, ("reference_images", True)),
        ({"input_audio": FILE}, 1, None),
        ({"image_style": choice("a")}, 1, None),
        ({"image": FILE}, 2, None),
    ],
)
def test_the_parameter_for_images_is_found_by_the_schema(
    properties: dict[str, Any], count: int, found: tuple[str, bool] | None
) -> None:
    if found:
        assert image_input(a_model(**properties), count) == found
    else:
        with pytest.raises(Rejected):
            image_input(a_model(**properties), count)


def test_the_parameter_for_the_mask_is_found_by_the_schema() -> None:
    assert mask_input(a_model(image=FILE, mask_image=FILE)) == "mask_image"
    with pytest.raises(Rejected):
        mask_input(a_model(image=FILE, mask_blur=PIXELS))

"""Sizes in pixels by their ratio, within what a model accepts."""

from typing import Any

import pytest

from tasks.models.registry import Model, built_in
from webapp.composer.sizes import NO_SIZES, sizes, with_size


def offered(width: dict[str, Any], height: dict[str, Any] | None = None, **more: dict[str, Any]) -> dict[str, str]:
    """Return the sizes for a model with these schemas of its sides, by their ratio."""
    sides = {"width": width, "height": height or width}
    properties = {"prompt": {"type": "string"}, **{name: {"type": "integer"} | side for name, side in sides.items()}}
    model = Model("some/model", None, True, "", {"Input": {"properties": properties | more}})
    return {shape.name: shape.value for shape in sizes(model, {}).shapes}


def test_sizes_have_about_the_default_area() -> None:
    found = offered({"default": 1024})
    assert list(found) == ["9:16", "2:3", "3:4", "4:5", "1:1", "5:4", "4:3", "3:2", "16:9"]
    assert (found["1:1"], found["16:9"], found["4:5"]) == ("1024x1024", "1376x768", "928x1152")


def test_the_default_size_is_offered_and_chosen_until_another_is_set() -> None:
    model = built_in("stability-ai/sdxl")
    assert model is not None
    assert sizes(model, {}).chosen == "1024x1024"
    assert sizes(model, {"p.width": "768"}).chosen == "768x1024"


@pytest.mark.parametrize(
    "side",
    [
        {"default": 1024, "minimum": 256, "maximum": 1024},
        {"default": 768, "minimum": 480, "maximum": 816, "multipleOf": 48},
        {"default": 1000, "minimum": 100, "maximum": 1100},
    ],
)
def test_sizes_stay_within_the_limits_and_multiples(side: dict[str, Any]) -> None:
    found = offered(side)
    assert len(found) > 3
    for ratio, size in found.items():
        width, height = map(int, size.split("x"))
        across, _, down = ratio.partition(":")
        assert max(width, height) <= side["maximum"]
        assert min(width, height) >= side["minimum"]
        assert width % side.get("multipleOf", 8) == height % side.get("multipleOf", 8) == 0
        assert width / height == pytest.approx(int(across) / int(down), rel=0.09)


def test_where_sides_have_few_lengths_each_size_is_offered_as_the_ratio_that_it_is_nearest_to() -> None:
    lengths = {"default": 1024, "enum": [512, 768, 1024]}
    assert offered(lengths) == {"3:4": "768x1024", "1:1": "1024x1024", "4:3": "1024x768"}


@pytest.mark.parametrize(
    "side",
    [
        {"default": 0, "maximum": 0},
        {"default": 4, "maximum": 4, "multipleOf": 8},
        {"enum": [0, -1], "maximum": -5},
        {"default": 1, "minimum": 10**30, "multipleOf": 0.5},
    ],
)
def test_schemas_that_make_no_sense_do_no_harm(side: dict[str, Any]) -> None:
    assert all("0x" not in f"x{size}" for size in offered(side).values())


def test_models_without_both_sides_or_with_a_ratio_of_their_own_have_none() -> None:
    assert offered({"default": 1024}, aspect_ratio={"enum": ["1:1", "16:9"]}) == {}
    assert offered({"type": "string"}) == {}
    only_width = Model("some/model", None, True, "", {"Input": {"properties": {"width": {"type": "integer"}}}})
    assert sizes(only_width, {}) == NO_SIZES


def test_a_pressed_ratio_sets_both_sides_without_scripts() -> None:
    assert with_size({"size": ["928x1152"], "p.width": [""], "prompt": ["fox"]}) == {
        "size": ["928x1152"], "p.width": ["928"], "p.height": ["1152"], "prompt": ["fox"],
    }  # fmt: skip
    assert with_size({"size": ["nonsense"]}) == {"size": ["nonsense"]}

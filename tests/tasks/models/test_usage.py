"""What a prediction is expected to use, from its input and the defaults of its model."""

from typing import Any

import pytest

from tasks.models import registry
from tasks.models.usage import expected

pytestmark = pytest.mark.once


def use(model: str, **arguments: Any) -> dict[str, Any]:
    known = registry.built_in(model)
    assert known is not None
    return expected(arguments, known.input_schema["properties"])


def test_the_number_of_results_is_what_was_requested_or_the_default() -> None:
    assert use("black-forest-labs/flux-schnell")["image_output_count"] == 1
    assert use("black-forest-labs/flux-schnell", num_outputs=4)["image_output_count"] == 4
    assert expected({"n": 3}, {})["image_output_count"] == 3
    assert expected({"n": "3"}, {})["image_output_count"] == 1


def test_a_video_has_the_length_and_the_resolution_that_were_requested() -> None:
    used = use("minimax/hailuo-02", duration=10)
    assert (used["video_output_duration_seconds"], used["resolution_target"]) == (10, "1080p")
    assert expected({"generate_audio": False}, {})["with_audio"] is False


def test_an_input_does_not_say_how_long_it_takes() -> None:
    assert "predict_time" not in expected({"predict_time": 0}, {"predict_time": {"default": 0}, "anything": True})


def test_pictures_have_the_pixels_of_their_size() -> None:
    assert use("stability-ai/sdxl", width=512, num_outputs=2)["image_output_pixel_count"] == 512 * 1024 * 2

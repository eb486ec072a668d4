"""What a prediction is expected to use, as its input says: for an estimate, and for what Replicate did not measure."""

from collections.abc import Mapping
from typing import Any

from tasks.models.tariffs import COMPUTE_SECONDS, RUN, Used

COUNTS = ("num_outputs", "num_images", "number_of_images", "n")
"""The names of the number of results among models' inputs."""
COUNTED = ("image_output_count", "video_output_count", "audio_output_count", "generic_output_count")
SAME = {
    "video_output_duration_seconds": ("duration",),
    "audio_output_duration_seconds": ("duration",),
    "resolution_target": ("resolution", "target_resolution"),
    "with_audio": ("with_audio", "generate_audio"),
}
"""The metrics that are an input under another name: their name, and the inputs that may say it."""


def expected(arguments: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a prediction with this input is expected to use.

    arguments: the input. properties: the model's input schema, whose defaults count where the input says nothing. Also
    has the input itself, because prices may depend on it.
    """
    schemas = {name: schema for name, schema in properties.items() if isinstance(schema, Mapping)}
    given = {name: schema["default"] for name, schema in schemas.items() if "default" in schema}
    given |= arguments
    given.pop(COMPUTE_SECONDS, None)  # only Replicate says how long it took
    count = next((given[name] for name in COUNTS if type(given.get(name)) is int), 1)
    used: dict[str, Any] = {**given, **dict.fromkeys(COUNTED, count), RUN: 1}
    for metric, names in SAME.items():
        said = [given[name] for name in names if given.get(name) is not None]
        if said:
            used[metric] = said[0]
    width, height = given.get("width"), given.get("height")
    if type(width) is int and type(height) is int:
        used["image_output_pixel_count"] = width * height * count
    return used


def measured(metrics: Mapping[str, Any]) -> Used:
    """Return what a prediction used, as Replicate measured it."""
    return {"image_output_count": metrics["image_count"], **metrics} if "image_count" in metrics else metrics

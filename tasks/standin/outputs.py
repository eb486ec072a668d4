"""The outputs of a prediction: the number, kind and size of its files, their URLs, and their bytes."""

from collections.abc import Callable
from typing import Any

import msgspec
from PIL import Image

from tasks.standin import catalogue
from tasks.standin.drawing.film import film
from tasks.standin.drawing.picture import draw, encode, redraw
from tasks.standin.drawing.sound import sound
from tasks.standin.predictions import Record

Fetch = Callable[[str], Image.Image | None]

KINDS = {"minimax/hailuo-02": "video", "meta/musicgen": "audio"}
MEDIA_TYPES = {
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "png": "image/png",
    "mp4": "video/mp4",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
}
MOST_PIXELS = 16_000_000
FILM_SIZE = (640, 360)  # whatever `resolution` is: films only need to be watchable and quick to make


def kind(model: str) -> str:
    """Return the kind of the model's output: image, video or audio."""
    return KINDS.get(model, "image")


def value(record: Record, name: str) -> Any:
    """Return an input as given, else the model's default, else None."""
    return record.input.get(name, catalogue.defaults(catalogue.MODELS[record.model]).get(name))


def count(record: Record) -> int:
    """Return the number of output files."""
    return value(record, "num_outputs") or 1


def metrics(record: Record) -> dict[str, Any]:
    """Return what Replicate measures of an output, for the bill."""
    made = kind(record.model)
    measured: dict[str, Any] = {f"{made}_output_count": count(record)}
    if made == "video":
        measured["resolution_target"] = value(record, "resolution")
    if made != "image":
        measured[f"{made}_output_duration_seconds"] = float(value(record, "duration"))
    return measured


def names(record: Record) -> list[str]:
    """Return the names of the output files: out-0.webp, ..."""
    extension = "mp4" if kind(record.model) == "video" else value(record, "output_format") or "png"
    return [f"out-{index}.{extension}" for index in range(count(record))]


def output(record: Record, origin: str) -> Any:
    """Return the prediction's output: a URL, or a list of URLs when the model's schema says so."""
    if not isinstance(record.output, msgspec.UnsetType):
        return record.output
    urls = [f"{origin}/files-delivery/{record.id}/{name}" for name in names(record)]
    several = catalogue.schemas(catalogue.MODELS[record.model])["Output"]["type"] == "array"
    return urls if several else urls[0]


def refusal(model: str, given: dict[str, Any]) -> str | None:
    """Return the error with which the model fails on this input. Returns None when it accepts the input."""
    if model != "stability-ai/sdxl":
        return None
    width, height = given.get("width", 1024), given.get("height", 1024)
    if width < 8 or height < 8:
        return f"`height` and `width` have to be divisible by 8 but are {height} and {width}."
    if width * height > MOST_PIXELS:
        return "CUDA out of memory. Tried to allocate more than the stand-in has."
    return None


def render(record: Record, name: str, fetch: Fetch) -> bytes:
    """Return the bytes of one file, the same for the same input and seed. fetch: loads a picture named by the input."""
    prompt, seed = str(value(record, "prompt") or ""), record.seed
    index, extension = names(record).index(name), name.rpartition(".")[2]
    if kind(record.model) == "audio":
        channels = 2 if str(value(record, "model_version")).startswith("stereo") else 1
        return sound(prompt, seed, float(value(record, "duration")), extension, channels)
    given = next(filter(None, map(fetch, _pictures(record))), None)
    if kind(record.model) == "video":
        return film(prompt, seed, FILM_SIZE, given)
    size = _size(record, given)
    picture = redraw(given, prompt, seed + index, size) if given else draw(prompt, seed + index, size)
    return encode(picture, extension, int(value(record, "output_quality") or 80))


def _pictures(record: Record) -> list[str]:
    single = [record.input.get(name) for name in ("image", "first_frame_image")]
    return [url for url in [*single, *record.input.get("image_input", [])] if isinstance(url, str)]


def _size(record: Record, given: Image.Image | None) -> tuple[int, int]:
    if record.model == "stability-ai/sdxl":
        return value(record, "width"), value(record, "height")
    wanted = str(value(record, "aspect_ratio") or "1:1")
    if wanted == "match_input_image":
        across, down = given.size if given else (1, 1)
    else:
        across, down = map(int, wanted.split(":"))
    pixels = 1024 * 1024 * float(value(record, "megapixels") or 1)
    return tuple(max(32, int((pixels * part) ** 0.5) // 32 * 32) for part in (across / down, down / across))  # type: ignore[return-value]

"""What a result looks like at a glance: its measures, a small WebP and a tiny placeholder."""

import asyncio
import warnings
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import IO

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image, ImageOps

from tasks.failures import Failure
from tasks.media_types import MediaType

PREVIEW = 512  # pixels of the longer side
PLACEHOLDER = (20, 16, 12, 8)  # pixels of the longer side, tried in turn
PLACEHOLDER_LENGTH = 300  # characters, as it is written into every page
MAX_PIXELS = 89_478_485  # Pillow's own limit, for the frames of films too
POSTER_AT = 0.1  # of a film's length: its first frame is often black
FRAMES_DECODED = 300  # at most, on the way from the key frame to the poster
DEMUXERS = {
    "mp4": "mov", "mov": "mov", "m4a": "mov", "webm": "matroska", "mkv": "matroska", "avi": "avi",
    "wav": "wav", "mp3": "mp3", "flac": "flac", "ogg": "ogg", "aac": "aac",
}  # fmt: skip
"""FFmpeg's reader for each type. Named, not guessed: some of those it would guess open other files and addresses."""

warnings.simplefilter("error", Image.DecompressionBombWarning)
Image.MAX_IMAGE_PIXELS = MAX_PIXELS

_threads = ThreadPoolExecutor(2, thread_name_prefix="preview")  # few: a large picture takes hundreds of megabytes


@dataclass(frozen=True, slots=True)
class Look:
    """Width and height in pixels, duration in seconds, preview as WebP, placeholder as a data: URL. None: has none."""

    width: int | None = None
    height: int | None = None
    duration: float | None = None
    preview: bytes | None = None
    placeholder: str | None = None


async def look(file: IO[bytes], media: MediaType) -> Look:
    """Measure a file and make its previews, in a thread.

    Raises Failure: output_unreadable (may pass: a broken download looks like that), output_too_large (too many pixels).
    """
    return await asyncio.get_running_loop().run_in_executor(_threads, _look, file, media)


def _look(file: IO[bytes], media: MediaType) -> Look:
    file.seek(0)
    with _told_apart(media):
        if media.extension in DEMUXERS:
            return _recording(file, DEMUXERS[media.extension], media.kind)
        if media.kind == "image" and media.extension != "svg":
            return _picture(file)
    return Look()


@contextmanager
def _told_apart(media: MediaType) -> Iterator[None]:
    try:
        yield
    except Failure:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_many_pixels() from error
    except Exception as error:  # bytes from outside make decoders raise anything
        raise Failure(
            "output_unreadable", f"The {media.kind} came damaged and cannot be opened.", passing=True
        ) from error


def _too_many_pixels() -> Failure:
    return Failure("output_too_large", "The result has more pixels than Darkroom opens.")


def _picture(file: IO[bytes]) -> Look:
    with Image.open(file) as image:
        size = image.size
        image.draft("RGB", (2 * PREVIEW, 2 * PREVIEW))  # lets a large JPEG be decoded at a fraction of its size
        upright = ImageOps.exif_transpose(image)
        turned = image.getexif().get(0x0112, 1) >= 5  # these orientations change places of width and height
    width, height = reversed(size) if turned else size
    return Look(width, height, None, *_prints(upright))


def _recording(file: IO[bytes], demuxer: str, kind: str) -> Look:
    with av.open(file, "r", format=demuxer, metadata_errors="replace") as container:
        seconds = container.duration / av.time_base if container.duration else None
        if kind == "audio" or not container.streams.video:
            return Look(duration=seconds)
        image = _poster(container, container.streams.video[0], (seconds or 0) * POSTER_AT)
    return Look(*image.size, seconds, *_prints(image))


def _poster(container: InputContainer, stream: VideoStream, at: float) -> Image.Image:
    if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
        raise _too_many_pixels()
    if at:
        container.seek(int(at * av.time_base))
    poster: VideoFrame | None = None
    for poster in islice(container.decode(stream), FRAMES_DECODED):
        if poster.time is None or poster.time >= at:
            break
    if poster is None:
        raise ValueError("not one frame")
    image: Image.Image = poster.to_image()
    return image


def _prints(image: Image.Image) -> tuple[bytes, str | None]:
    """The preview and the placeholder."""
    if image.mode.startswith("I;16"):
        image = image.point(lambda level: level / 256).convert("L")  # a depth map; convert() alone cuts off, not scales
    mode = "RGBA" if image.has_transparency_data else "RGB"
    profile = image.info.get("icc_profile") if image.mode in ("RGB", "RGBA") else None
    small = image if image.mode == mode else image.convert(mode)
    small.thumbnail((PREVIEW, PREVIEW), Image.Resampling.LANCZOS)
    return _webp(small, 80, profile), _placeholder(small)


def _placeholder(image: Image.Image) -> str | None:
    for side in PLACEHOLDER:
        image.thumbnail((side, side), Image.Resampling.BOX)
        url = f"data:image/webp;base64,{b64encode(_webp(image, 30)).decode()}"
        if len(url) <= PLACEHOLDER_LENGTH:
            return url
    return None


def _webp(image: Image.Image, quality: int, profile: bytes | None = None) -> bytes:
    file = BytesIO()
    image.save(file, "WEBP", quality=quality, method=4, icc_profile=profile)
    return file.getvalue()

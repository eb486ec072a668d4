"""What a result looks like at a glance: its measures, a small WebP and a tiny placeholder.

Files are opened in a process of their own for each, which may die, hang or eat memory instead of the worker.
"""

import asyncio
import logging
import mmap
import resource
import sys
import warnings
from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import msgspec
from PIL import Image, ImageOps

from tasks.failures import Failure
from tasks.media_types import MEDIA_TYPES, MediaType

if TYPE_CHECKING:  # PyAV takes a quarter of a second to load, and most results are pictures
    from av.container import InputContainer
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

PREVIEW = 512  # pixels of the longer side
PLACEHOLDER = (20, 16, 12, 8)  # pixels of the longer side, tried in turn
PLACEHOLDER_LENGTH = 300  # characters, as it is written into every page
MAX_PIXELS = 89_478_485  # Pillow's own limit, for the frames of films too
MAX_PROFILE = 64 * 1024  # bytes of a colour profile that a preview takes over; ordinary ones have 0.5 to 4 KiB
POSTER_AT = 0.1  # of a film's length: its first frame is often black
FRAMES_DECODED = 300  # at most, on the way from the key frame to the poster
LONGEST = 366 * 86400  # seconds; files that claim to last longer lie
MEMORY = 2 * 2**30  # bytes; a picture of the largest size takes 1.5 GiB
WITHIN = 60  # seconds for one file
AT_ONCE = 2  # few: decoders are hungry
FORMATS = {
    "png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "avif": "AVIF", "bmp": "BMP", "tif": "TIFF",
}  # fmt: skip
"""Pillow's reader for each type. Named, not guessed, as FFmpeg's are."""
DEMUXERS = {
    "mp4": "mov", "mov": "mov", "m4a": "mov", "webm": "matroska", "mkv": "matroska", "avi": "avi",
    "wav": "wav", "mp3": "mp3", "flac": "flac", "ogg": "ogg", "aac": "aac",
}  # fmt: skip
"""FFmpeg's reader for each type. Named, not guessed: some of those it would guess open other files and addresses."""
TOO_LARGE = 3  # the process's exit code; any other but 0 means that the file cannot be opened

_turns = asyncio.Semaphore(AT_ONCE)


@dataclass(frozen=True, slots=True)
class Look:
    """Width and height in pixels, duration in seconds, preview as WebP, placeholder as a data: URL. None: has none."""

    width: int | None = None
    height: int | None = None
    duration: float | None = None
    preview: bytes | None = None
    placeholder: str | None = None


async def look(file: IO[bytes], media: MediaType) -> Look:
    """Measure a file and make its previews. The file must be a real one, with all of it written.

    Raises Failure: output_unreadable (may pass: a broken download looks like that), output_too_large (too many pixels,
    or more memory needed than MEMORY).
    """
    if media.extension not in FORMATS and media.extension not in DEMUXERS:
        return Look()
    async with _turns:
        status, answer = await _apart(file, media.extension)
    if status == 0:
        return msgspec.json.decode(answer, type=Look)
    if status == TOO_LARGE:
        raise Failure("output_too_large", "The result has more pixels than Darkroom opens.")
    raise Failure("output_unreadable", f"The {media.kind} came damaged and cannot be opened.", passing=True)


async def _apart(file: IO[bytes], extension: str) -> tuple[int | None, bytes]:
    """Run this module on the file. Answers the exit code (None: it was too slow) and what it wrote."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tasks.previews", extension),
        stdin=file,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
        start_new_session=True,  # Ctrl-C is for the worker
    )
    try:
        async with asyncio.timeout(WITHIN):
            answer, words = await process.communicate()
    except TimeoutError:
        log.info("a file (%s) was not opened within %d s", extension, WITHIN)
        return None, b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    if process.returncode:
        log.info("a file (%s) could not be opened: %s", extension, words.decode(errors="replace").strip()[-500:])
    return process.returncode, answer


def main(extension: str) -> int:
    """Look at the file on standard input, and write what is seen to standard output as JSON. Answers the exit code."""
    _limit_ourselves()
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        # A mapping has a place of its own: the worker goes on reading where it stands.
        with mmap.mmap(sys.stdin.fileno(), 0, access=mmap.ACCESS_READ) as file:
            seen = _recording(file, extension) if extension in DEMUXERS else _picture(file, extension)
        sys.stdout.buffer.write(msgspec.json.encode(seen))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        print(repr(error), file=sys.stderr)
        return TOO_LARGE
    except Exception as error:  # bytes from outside make decoders raise anything
        print(repr(error), file=sys.stderr)
        return 1
    return 0


def _limit_ourselves() -> None:
    limits = {resource.RLIMIT_DATA: MEMORY, resource.RLIMIT_CPU: 4 * WITHIN, resource.RLIMIT_CORE: 0}
    for limit, most in limits.items():
        with suppress(ValueError, OSError):  # a lower one holds already
            resource.setrlimit(limit, (most, most))


def _picture(file: mmap.mmap, extension: str) -> Look:
    with Image.open(file, formats=[FORMATS[extension]]) as image:
        size = image.size
        image.draft("RGB", (2 * PREVIEW, 2 * PREVIEW))  # lets a large JPEG be decoded at a fraction of its size
        image.load()  # a TIFF is turned by Pillow itself
        turned = image.getexif().get(0x0112, 1) >= 5  # these orientations change places of width and height
        prints = _prints(image)
    width, height = reversed(size) if turned else size
    return Look(width, height, None, *prints)


def _recording(file: mmap.mmap, extension: str) -> Look:
    import av

    limits = {"max_pixels": str(MAX_PIXELS)}  # FFmpeg decodes some frames to learn what is in the file
    source = cast(IO[bytes], file)  # it reads and seeks, which is all that is asked of it
    with av.open(source, "r", DEMUXERS[extension], limits, metadata_errors="replace") as container:
        seconds = container.duration / av.time_base if container.duration else None
        seconds = seconds if seconds and 0 < seconds < LONGEST else None
        if MEDIA_TYPES[extension].kind == "audio" or not container.streams.video:  # a song's video is its cover
            return Look(duration=seconds)
        image = _poster(container, container.streams.video[0], (seconds or 0) * POSTER_AT)
    return Look(*image.size, seconds, *_prints(image))


def _poster(container: "InputContainer", stream: "VideoStream", at: float) -> Image.Image:
    if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
        raise Image.DecompressionBombError("a film of enormous frames")
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # frames may grow in the middle of a film
    if at:
        container.seek(int(at * 1_000_000))  # in FFmpeg's own unit of time
    poster = None
    for poster in islice(container.decode(stream), FRAMES_DECODED):
        if poster.time is None or poster.time >= at:
            break
    if poster is None:
        raise ValueError("not one frame")
    image: Image.Image = poster.to_image()
    return image


def _prints(image: Image.Image) -> tuple[bytes, str | None]:
    """The preview and the placeholder. Shrinks the image itself: a copy would take as much memory again."""
    if image.mode.startswith("I;16"):
        image = image.point(lambda level: level / 256).convert("L")  # a depth map; convert() alone cuts off, not scales
    mode = "RGBA" if image.has_transparency_data else "RGB"
    profile = image.info.get("icc_profile", b"") if image.mode in ("RGB", "RGBA") else b""
    small = image if image.mode == mode else image.convert(mode)
    small.thumbnail((PREVIEW, PREVIEW), Image.Resampling.LANCZOS)
    ImageOps.exif_transpose(small, in_place=True)
    return _webp(small, 80, profile if len(profile) <= MAX_PROFILE else b""), _placeholder(small)


def _placeholder(image: Image.Image) -> str | None:
    for side in PLACEHOLDER:
        image.thumbnail((side, side), Image.Resampling.BOX)
        url = f"data:image/webp;base64,{b64encode(_webp(image, 30)).decode()}"
        if len(url) <= PLACEHOLDER_LENGTH:
            return url
    return None


def _webp(image: Image.Image, quality: int, profile: bytes = b"") -> bytes:
    file = BytesIO()
    image.save(file, "WEBP", quality=quality, method=4, icc_profile=profile)
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

"""What a result looks like at a glance: its measures, a small WebP and a tiny placeholder.

Runs in the processes of tasks/openers.py, one file after the other.
"""

import ctypes
import mmap
import os
import resource
import signal
import socket
import sys
import time
import warnings
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from itertools import islice
from typing import IO, TYPE_CHECKING, cast

import msgspec
from PIL import Image, ImageOps

from tasks.media_types import MEDIA_TYPES
from tasks.openers import (
    BROKEN,
    DEMUXERS,
    FORMATS,
    GOOD,
    HEADER,
    PREVIEW,
    THUMBNAIL,
    TOO_LARGE,
    WITHIN,
    Look,
)
from tasks.truncation import is_cut, lacks_sound

if TYPE_CHECKING:  # PyAV takes a quarter of a second to load, and most results are pictures
    from av.container import InputContainer
    from av.video.stream import VideoStream

PLACEHOLDER = (20, 16, 12, 8)  # pixels of the longer side, tried in turn
PLACEHOLDER_LENGTH = 300  # characters, as it is written into every page
MAX_PIXELS = 89_478_485  # Pillow's own limit, for the frames of films too
MAX_PROFILE = 64 * 1024  # bytes of a colour profile that a preview takes over; ordinary ones have 0.5 to 4 KiB
MEMORY = 2 * 2**30  # bytes; a picture of the largest size takes 1.5 GiB
POSTER_AT = 0.1  # of a film's length: its first frame is often black
FRAMES_DECODED = 300  # at most, on the way from the key frame to the poster
LONGEST = 366 * 86400  # seconds; files that claim to last longer lie
PLAYED = 20.0  # seconds to play a file to its end: hours of sound in a second or two. What takes longer is believed
MOST_FRAMES = 1000  # of an animation are looked at
ANIMATIONS = ("gif", "png")  # of which Pillow reads one frame after the other
LENIENT = ("mp3", "wav")  # there is something between the sounds or behind them, often enough


def main() -> None:
    """Be an opener: take files from the socket that is the standard input until nobody is at its other end."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    _limit_ourselves()
    _leave_the_network()
    with socket.socket(fileno=sys.stdin.fileno()) as asking:
        while True:
            name, (*files,), _, _ = socket.recv_fds(asking, 16, 1)
            if not files:
                return
            signal.alarm(2 * WITHIN)  # the end of an opener whose worker died while it looks for ever
            with os.fdopen(files[0], "rb") as file:
                status, answer = _look(file, name.decode())
            signal.alarm(0)
            asking.sendall(HEADER.pack(status, len(answer)) + answer)


def _look(file: IO[bytes], extension: str) -> tuple[int, bytes]:
    try:
        # A mapping has a place of its own: the worker goes on reading where it stands.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if is_cut(content, DEMUXERS.get(extension) or FORMATS[extension]):
                raise ValueError("cut short")
            seen = _recording(content, extension) if extension in DEMUXERS else _picture(content, extension)
        return GOOD, msgspec.json.encode(seen)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        return TOO_LARGE, repr(error).encode()
    except Exception as error:  # bytes from outside make decoders raise anything
        return BROKEN, repr(error).encode()


def _limit_ourselves() -> None:
    for limit, most in ((resource.RLIMIT_DATA, MEMORY), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # a lower one holds already
            resource.setrlimit(limit, (most, most))


def _leave_the_network() -> None:
    """Go into a network of our own, an empty one, where Linux allows it: a decoder that is taken over calls nobody."""
    new_user, new_network = 0x10000000, 0x40000000
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if libc.unshare(new_network):
            libc.unshare(new_user | new_network)


def _picture(content: mmap.mmap, extension: str) -> Look:
    with Image.open(cast(IO[bytes], content), formats=[FORMATS[extension]]) as image:
        size = image.size
        image.draft("RGB", (2 * PREVIEW, 2 * PREVIEW))  # lets a large JPEG be decoded at a fraction of its size
        if extension in ANIMATIONS:
            _play_frames(image)
        image.load()  # a TIFF is turned by Pillow itself
        turned = image.getexif().get(0x0112, 1) >= 5  # these orientations change places of width and height
        prints = _prints(image)
    width, height = reversed(size) if turned else size
    return Look(width, height, None, *prints)


def _play_frames(image: Image.Image) -> None:
    """Load every frame of an animation, so that it shows where one is damaged; then go back to the first."""
    until = time.monotonic() + PLAYED
    with suppress(EOFError):  # there is no such frame
        for number in range(1, MOST_FRAMES):
            image.seek(number)
            image.load()
            if time.monotonic() > until:
                break
    image.seek(0)


def _recording(content: mmap.mmap, extension: str) -> Look:
    import av

    demuxer = DEMUXERS[extension]
    with av.open(cast(IO[bytes], content), "r", demuxer, metadata_errors="replace") as container:
        seconds = container.duration / av.time_base if container.duration else None
        seconds = seconds if seconds and 0 < seconds < LONGEST else None
        if MEDIA_TYPES[extension].kind == "audio" or not container.streams.video:  # a song's video is its cover
            with _as_far_as_ffmpeg_can():
                _play_sound(container, content, demuxer)
            return Look(duration=seconds)
        image = _poster(container, container.streams.video[0], (seconds or 0) * POSTER_AT)
        with _as_far_as_ffmpeg_can():
            _play_film(container, seconds if demuxer == "mov" else None)
    width, height = image.size
    return Look(width, height, seconds, *_prints(image))


@contextmanager
def _as_far_as_ffmpeg_can() -> Iterator[None]:
    """End the block where there is something that FFmpeg does not know: that is no damage, which is raised."""
    import av

    try:
        yield
    except av.error.InvalidDataError:
        raise
    except av.error.FFmpegError:
        return


def _play_sound(container: "InputContainer", content: mmap.mmap, demuxer: str) -> None:
    """Decode the sounds to their end. Raises ValueError where they are damaged, or end too early."""
    import av

    packets, samples, until = 0, 0, time.monotonic() + PLAYED
    for packet in container.demux(container.streams.audio):
        try:
            samples += sum(frame.samples for frame in packet.decode() if isinstance(frame, av.AudioFrame))
        except av.error.InvalidDataError:
            if demuxer not in LENIENT:
                raise
        else:
            packets += packet.size > 0
        if time.monotonic() > until:
            return
    if lacks_sound(content, demuxer, packets, samples):
        raise ValueError("cut short")


def _play_film(container: "InputContainer", seconds: float | None) -> None:
    """Read a film to its end, which is quicker than to decode it. Raises ValueError where something is missing.

    seconds: how long it has to be, where its container has that from the lengths of its frames.
    """
    end, until = 0.0, time.monotonic() + PLAYED
    for packet in container.demux():
        if packet.is_corrupt:
            raise ValueError("cut short")
        if packet.pts is not None and packet.time_base is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if time.monotonic() > until:
            return
    if seconds and end < 0.97 * seconds - 0.2:
        raise ValueError("cut short")


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


def _prints(image: Image.Image) -> tuple[bytes, bytes | None, str | None]:
    """Preview, thumbnail and placeholder. Shrinks the image itself: a copy would take as much memory again."""
    if image.mode.startswith("I;16"):
        image = image.point(lambda level: level / 256).convert("L")  # a depth map; convert() alone cuts off, not scales
    mode = "RGBA" if image.has_transparency_data else "RGB"
    profile = image.info.get("icc_profile", b"") if image.mode in ("RGB", "RGBA") else b""
    small = image if image.mode == mode else image.convert(mode)
    small.thumbnail((PREVIEW, PREVIEW), Image.Resampling.LANCZOS)
    ImageOps.exif_transpose(small, in_place=True)
    profile = profile if len(profile) <= MAX_PROFILE else b""
    preview, thumbnail = _webp(small, 80, profile), None
    if max(small.size) > THUMBNAIL:
        small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
        thumbnail = _webp(small, 80, profile)
    return preview, thumbnail, _placeholder(small)


def _placeholder(image: Image.Image) -> str | None:
    for side in PLACEHOLDER:
        image.thumbnail((side, side), Image.Resampling.BOX)
        url = f"data:image/webp;base64,{b64encode(_webp(image, 30)).decode()}"
        if len(url) <= PLACEHOLDER_LENGTH:
            return url
    return None


def _webp(image: Image.Image, quality: int, profile: bytes = b"") -> bytes:
    file = BytesIO()
    image.save(file, "WEBP", quality=quality, method=2, icc_profile=profile)  # 4 takes twice as long, to save a 25th
    return file.getvalue()


if __name__ == "__main__":
    main()

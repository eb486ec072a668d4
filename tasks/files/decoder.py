"""Measures a result and makes its WebP preview, its thumbnail and its tiny placeholder.

Runs in the decoder processes of tasks/files/decoder_pool.py, one file after the other.
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

from tasks.files.decoder_pool import (
    BROKEN,
    DECODE_TIMEOUT,
    DEMUXERS,
    FORMATS,
    GOOD,
    HEADER,
    PREVIEW,
    THUMBNAIL,
    TOO_LARGE,
    Decoded,
)
from tasks.files.media_types import MEDIA_TYPES
from tasks.files.truncation import is_cut, lacks_sound
from tasks.files.waveform import Waveform

if TYPE_CHECKING:  # PyAV takes a quarter of a second to load, and most results are pictures
    from av.container import InputContainer
    from av.video.stream import VideoStream

PLACEHOLDER_SIZES = (20, 16, 12, 8)  # pixels of the longer side, tried in this order
MAX_PLACEHOLDER_LENGTH = 300  # characters at most, because it is written into every page
MAX_PIXELS = 89_478_485  # Pillow's own limit, also for the frames of videos
MAX_PROFILE_BYTES = 64 * 1024  # bytes; previews drop a larger color profile. Ordinary profiles have 0.5 to 4 KiB
MEMORY_LIMIT_BYTES = 2 * 2**30  # bytes; a picture of the largest allowed size takes 1.5 GiB
POSTER_FRACTION = 0.1  # fraction of a video's duration: the first frame is often black
MAX_POSTER_FRAMES = 300  # at most, from the key frame to the poster
MAX_DURATION_SECONDS = 366 * 86400  # seconds; a longer duration in a file is false
CHECK_SECONDS = 20.0  # seconds to check a file to its end: an hour of audio takes a few. After that it counts as intact
MAX_CHECKED_FRAMES = 1000  # frames of an animation that are checked
ANIMATED_FORMATS = ("gif", "png", "webp")  # formats whose pictures may move
FRAME_SECONDS = 0.1  # seconds that browsers show a frame whose file says 10 ms or less
LENIENT_FORMATS = ("mp3", "wav")  # formats that often have other data between or after the audio


def main() -> None:
    """Run a decoder process: take files from the socket on standard input until its other end closes."""
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    _limit_ourselves()
    _leave_the_network()
    with socket.socket(fileno=sys.stdin.fileno()) as asking:
        while True:
            name, (*files,), _, _ = socket.recv_fds(asking, 16, 1)
            if not files:
                return
            signal.alarm(2 * DECODE_TIMEOUT)  # ends a decoder process that hangs after its worker died
            with os.fdopen(files[0], "rb") as file:
                status, answer = _look(file, name.decode())
            signal.alarm(0)
            asking.sendall(HEADER.pack(status, len(answer)) + answer)


def _look(file: IO[bytes], extension: str) -> tuple[int, bytes]:
    try:
        # A mapping does not move the file's position, from which the worker continues to read.
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if is_cut(content, DEMUXERS.get(extension) or FORMATS[extension]):
                raise ValueError("cut short")
            seen = _recording(content, extension) if extension in DEMUXERS else _picture(content, extension)
        return GOOD, msgspec.json.encode(seen)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError) as error:
        return TOO_LARGE, repr(error).encode()
    except Exception as error:  # decoders may raise anything on untrusted bytes
        return BROKEN, repr(error).encode()


def _limit_ourselves() -> None:
    for limit, most in ((resource.RLIMIT_DATA, MEMORY_LIMIT_BYTES), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # a lower limit is already set
            resource.setrlimit(limit, (most, most))


def _leave_the_network() -> None:
    """Move to a new, empty network namespace if Linux allows it, so that a hijacked decoder cannot connect anywhere."""
    new_user, new_network = 0x10000000, 0x40000000
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if libc.unshare(new_network):
            libc.unshare(new_user | new_network)


def _picture(content: mmap.mmap, extension: str) -> Decoded:
    with Image.open(cast(IO[bytes], content), formats=[FORMATS[extension]]) as image:
        size = image.size
        image.draft("RGB", (2 * PREVIEW, 2 * PREVIEW))  # decodes a large JPEG at a fraction of its size
        seconds = _play_frames(image) if extension in ANIMATED_FORMATS else None
        image.load()  # Pillow rotates a TIFF by itself
        turned = image.getexif().get(0x0112, 1) >= 5  # these orientations swap width and height
        prints = _prints(image)
    width, height = reversed(size) if turned else size
    return Decoded(width, height, seconds, *prints)


def _play_frames(image: Image.Image) -> float | None:
    """Load every frame of an animation, so that a damaged one raises an error, then return to the first frame.

    Returns how many seconds these frames take, or None when there is only one.
    """
    if not getattr(image, "is_animated", False):
        return None
    seconds, until = 0.0, time.monotonic() + CHECK_SECONDS
    with suppress(EOFError):  # there are no more frames
        for number in range(MAX_CHECKED_FRAMES):
            image.seek(number)
            image.load()
            shown = image.info.get("duration", 0) / 1000
            seconds += shown if shown > 0.01 else FRAME_SECONDS
            if time.monotonic() > until:
                break
    image.seek(0)
    return round(seconds, 3)


def _recording(content: mmap.mmap, extension: str) -> Decoded:
    import av

    demuxer = DEMUXERS[extension]
    with av.open(cast(IO[bytes], content), "r", demuxer, metadata_errors="replace") as container:
        seconds = container.duration / av.time_base if container.duration else None
        seconds = seconds if seconds and 0 < seconds < MAX_DURATION_SECONDS else None
        if MEDIA_TYPES[extension].kind == "audio" or not container.streams.video:  # a song's video is the cover
            peaks = None
            with _as_far_as_ffmpeg_can():
                peaks = _play_sound(container, content, demuxer, Waveform(seconds))
            return Decoded(duration=seconds, peaks=peaks)
        image = _poster(container, container.streams.video[0], (seconds or 0) * POSTER_FRACTION)
        with _as_far_as_ffmpeg_can():
            _play_film(container, seconds if demuxer == "mov" else None)
    width, height = image.size
    return Decoded(width, height, seconds, *_prints(image))


@contextmanager
def _as_far_as_ffmpeg_can() -> Iterator[None]:
    """End the block quietly when FFmpeg does not support something. Damaged data still raises an error."""
    import av

    try:
        yield
    except av.error.InvalidDataError:
        raise
    except av.error.FFmpegError:
        return


def _play_sound(container: "InputContainer", content: mmap.mmap, demuxer: str, waveform: Waveform) -> bytes | None:
    """Decode the audio to its end. Returns the peaks of its first stream, or None when that takes too long.

    Raises ValueError when it is damaged or ends too early.
    """
    import av

    packets, samples, until = 0, 0, time.monotonic() + CHECK_SECONDS
    for packet in container.demux(container.streams.audio):
        try:
            for frame in packet.decode():
                if isinstance(frame, av.AudioFrame):
                    samples += frame.samples
                    if packet.stream is container.streams.audio[0]:
                        waveform.add(frame)
        except av.error.InvalidDataError:
            if demuxer not in LENIENT_FORMATS:
                raise
        else:
            packets += packet.size > 0
        if time.monotonic() > until:
            return None
    if lacks_sound(content, demuxer, packets, samples):
        raise ValueError("cut short")
    return waveform.peaks()


def _play_film(container: "InputContainer", seconds: float | None) -> None:
    """Read a video to its end, which is faster than decoding it. Raises ValueError when a part is missing.

    seconds: the expected duration, when the container has computed it from the lengths of its frames.
    """
    end, until = 0.0, time.monotonic() + CHECK_SECONDS
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
        raise Image.DecompressionBombError("a video with enormous frames")
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}  # frames may grow in the middle of a video
    if at:
        container.seek(int(at * 1_000_000))  # in FFmpeg's own time unit
    poster = None
    for poster in islice(container.decode(stream), MAX_POSTER_FRAMES):
        if poster.time is None or poster.time >= at:
            break
    if poster is None:
        raise ValueError("no frames")
    image: Image.Image = poster.to_image()
    return image


def _prints(image: Image.Image) -> tuple[bytes, bytes | None, str | None]:
    """Return preview, thumbnail and placeholder. Shrinks the image in place: a copy would double the memory."""
    if image.mode.startswith("I;16"):
        image = image.point(lambda level: level / 256).convert("L")  # a depth map; convert() alone clips, not scales
    mode = "RGBA" if image.has_transparency_data else "RGB"
    profile = image.info.get("icc_profile", b"") if image.mode in ("RGB", "RGBA") else b""
    small = image if image.mode == mode else image.convert(mode)
    small.thumbnail((PREVIEW, PREVIEW), Image.Resampling.LANCZOS)
    ImageOps.exif_transpose(small, in_place=True)
    profile = profile if len(profile) <= MAX_PROFILE_BYTES else b""
    preview, thumbnail = _webp(small, 80, profile), None
    if max(small.size) > THUMBNAIL:
        small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
        thumbnail = _webp(small, 80, profile)
    return preview, thumbnail, _placeholder(small)


def _placeholder(image: Image.Image) -> str | None:
    for side in PLACEHOLDER_SIZES:
        image.thumbnail((side, side), Image.Resampling.BOX)
        url = f"data:image/webp;base64,{b64encode(_webp(image, 30)).decode()}"
        if len(url) <= MAX_PLACEHOLDER_LENGTH:
            return url
    return None


def _webp(image: Image.Image, quality: int, profile: bytes = b"") -> bytes:
    file = BytesIO()
    image.save(file, "WEBP", quality=quality, method=2, icc_profile=profile)  # method 4 takes twice as long to save 4%
    return file.getvalue()


if __name__ == "__main__":
    main()

"""Processes that open files from outside: they may die, hang or run out of memory instead of the worker."""

import asyncio
import atexit
import logging
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import IO

import msgspec

from tasks.failures import Failure
from tasks.media_types import MediaType

log = logging.getLogger(__name__)

WITHIN = 60  # seconds for one file
AT_ONCE = 2  # few: decoders are hungry
FILES = 200  # that a process opens before another takes its place, so that nothing adds up
FORMATS = {
    "png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "avif": "AVIF", "bmp": "BMP", "tif": "TIFF",
}  # fmt: skip
"""Pillow's reader for each type. Named, not guessed, as FFmpeg's are."""
DEMUXERS = {
    "mp4": "mov", "mov": "mov", "m4a": "mov", "webm": "matroska", "mkv": "matroska", "avi": "avi",
    "wav": "wav", "mp3": "mp3", "flac": "flac", "ogg": "ogg", "aac": "aac",
}  # fmt: skip
"""FFmpeg's reader for each type. Named, not guessed: some of those it would guess open other files and addresses."""
PREVIEW, THUMBNAIL = 512, 256  # pixels of the longer side, at most
GOOD, TOO_LARGE, BROKEN = range(3)
HEADER = Struct(">BI")  # of an answer: one of these three, and how many bytes follow

_turns = asyncio.Semaphore(AT_ONCE)
_idle: "list[Opener]" = []


@dataclass(frozen=True, slots=True)
class Look:
    """Width and height in pixels, duration in seconds, small WebPs, placeholder as a data: URL. None: has none.

    preview: PREVIEW pixels at most. thumbnail: THUMBNAIL, where the preview has more.
    """

    width: int | None = None
    height: int | None = None
    duration: float | None = None
    preview: bytes | None = None
    thumbnail: bytes | None = None
    placeholder: str | None = None


async def look(file: IO[bytes], media: MediaType) -> Look:
    """Measure a file and make its previews. The file must be a real one, with all of it written.

    Raises Failure: output_unreadable (may pass: a broken download looks like that), output_too_large (too many pixels,
    or more memory needed than an opener may have).
    """
    if media.extension not in FORMATS and media.extension not in DEMUXERS:
        return Look()
    async with _turns:
        status, answer = await _opened(file, media.extension)
    if status == GOOD:
        return msgspec.json.decode(answer, type=Look)
    log.info("a file (%s) cannot be opened: %s", media.extension, answer.decode(errors="replace"))
    if status == TOO_LARGE:
        raise Failure("output_too_large", "The result has more pixels than Darkroom opens.")
    raise Failure("output_unreadable", f"The {media.kind} came damaged and cannot be opened.", passing=True)


async def _opened(file: IO[bytes], extension: str) -> tuple[int, bytes]:
    opener = _idle.pop() if _idle else Opener()
    status = BROKEN
    try:
        async with asyncio.timeout(WITHIN):
            status, answer = await opener.open(file, extension)
        return status, answer
    except (TimeoutError, ConnectionError) as error:
        return BROKEN, repr(error).encode()
    finally:
        if status == GOOD and opener.files < FILES:
            _idle.append(opener)
        else:  # it may be hurt, or in the middle of something
            opener.end()


class Opener:
    """A process that opens one file after the other, and ends by itself when nobody is left to ask it."""

    def __init__(self) -> None:
        self.files = 0
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tasks.previews"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=Path(__file__).parent.parent,
                env={},  # ours holds secrets
                start_new_session=True,  # Ctrl-C is for the worker
            )

    async def open(self, file: IO[bytes], extension: str) -> tuple[int, bytes]:
        """Have a file opened. Answers a status and a Look in JSON, or words. Raises ConnectionError when it dies."""
        self.files += 1
        socket.send_fds(self._socket, [extension.encode()], [file.fileno()])
        status, length = HEADER.unpack(await self._receive(HEADER.size))
        return status, await self._receive(length)

    def end(self) -> None:
        """Kill it."""
        self._socket.close()
        self.process.kill()
        self.process.wait()

    async def _receive(self, length: int) -> bytes:
        content = b""
        while len(content) < length:
            piece = await asyncio.get_running_loop().sock_recv(self._socket, length - len(content))
            if not piece:
                raise ConnectionError("the opener died")
            content += piece
        return content


@atexit.register
def _dismiss() -> None:
    while _idle:
        _idle.pop().end()

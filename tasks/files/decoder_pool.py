"""Decoder processes that open files from outside: they may die, hang or run out of memory instead of the worker."""

import asyncio
import logging
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import IO

import msgspec

from tasks.errors import Failure
from tasks.files.media_types import MediaType

log = logging.getLogger(__name__)

DECODE_TIMEOUT = 60  # seconds for one file
MAX_DECODERS = 2  # few, because decoders need many resources
FILES_PER_PROCESS = 200  # that a process opens before it is replaced, so that leaks do not add up
FORMATS = {
    "png": "PNG", "jpg": "JPEG", "webp": "WEBP", "gif": "GIF", "avif": "AVIF", "bmp": "BMP", "tif": "TIFF",
}  # fmt: skip
"""Pillow's reader for each type. It is named, not guessed, as are FFmpeg's demuxers."""
DEMUXERS = {
    "mp4": "mov", "mov": "mov", "m4a": "mov", "webm": "matroska", "mkv": "matroska", "avi": "avi",
    "wav": "wav", "mp3": "mp3", "flac": "flac", "ogg": "ogg", "aac": "aac",
}  # fmt: skip
"""FFmpeg's demuxer for each type. It is named: some demuxers that FFmpeg would guess open other files and addresses."""
PREVIEW, THUMBNAIL = 512, 256  # pixels of the longer side, at most
GOOD, TOO_LARGE, BROKEN = range(3)
HEADER = Struct(">BI")  # of an answer: one of these three, and the number of bytes that follow


@dataclass(frozen=True, slots=True)
class Decoded:
    """The measures and previews of a file, each None when the file has none.

    width, height: in pixels. duration: in seconds, also of an animated picture. preview: a WebP of at most PREVIEW
    pixels. thumbnail: a WebP of at most THUMBNAIL pixels, when the preview has more. placeholder: a data: URL. peaks:
    of a sound, see waveform.py.
    """

    width: int | None = None
    height: int | None = None
    duration: float | None = None
    preview: bytes | None = None
    thumbnail: bytes | None = None
    placeholder: str | None = None
    peaks: bytes | None = None


class DecoderPool:
    """Up to MAX_DECODERS decoder processes, started when they are needed and used again.

    timeout: seconds for one file. files_per_process: how many files a decoder opens before it is replaced.
    """

    def __init__(self, timeout: float = DECODE_TIMEOUT, files_per_process: int = FILES_PER_PROCESS) -> None:
        self._timeout, self._files_per_process = timeout, files_per_process
        self._turns = asyncio.Semaphore(MAX_DECODERS)
        self._idle: list[Decoder] = []

    async def decode(self, file: IO[bytes], media: MediaType) -> Decoded:
        """Measure a file and make its previews. The file must be a real file that is completely written.

        Raises Failure: output_unreadable (may pass: a broken download looks the same), output_too_large (the file has
        too many pixels, or needs more memory than a decoder may have).
        """
        if media.extension not in FORMATS and media.extension not in DEMUXERS:
            return Decoded()
        async with self._turns:
            status, answer = await self._opened(file, media.extension)
        if status == GOOD:
            return msgspec.json.decode(answer, type=Decoded)
        log.info("cannot open a file (%s): %s", media.extension, answer.decode(errors="replace"))
        if status == TOO_LARGE:
            raise Failure("output_too_large", "The result has more pixels than Darkroom can open.")
        raise Failure("output_unreadable", f"The {media.kind} is damaged and cannot be opened.", passing=True)

    def close(self) -> None:
        """End the idle decoders. One that is busy ends when nothing waits for it any more."""
        while self._idle:
            self._idle.pop().end()

    async def _opened(self, file: IO[bytes], extension: str) -> tuple[int, bytes]:
        decoder = self._idle.pop() if self._idle else Decoder()
        status = BROKEN
        try:
            async with asyncio.timeout(self._timeout):
                status, answer = await decoder.open(file, extension)
            return status, answer
        except (TimeoutError, ConnectionError) as error:
            return BROKEN, repr(error).encode()
        finally:
            if status == GOOD and decoder.files < self._files_per_process:
                self._idle.append(decoder)
            else:  # it may be damaged, or still busy
                decoder.end()


class Decoder:
    """A decoder process that opens one file after the other. It exits by itself when the worker is gone."""

    def __init__(self) -> None:
        self.files = 0
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tasks.files.decoder"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=Path(__file__).parents[2],
                env={},  # our environment holds secrets
                start_new_session=True,  # Ctrl-C is for the worker
            )

    async def open(self, file: IO[bytes], extension: str) -> tuple[int, bytes]:
        """Have the process open a file. Returns a status, and a Decoded in JSON or an error text.

        Raises ConnectionError when the process dies.
        """
        self.files += 1
        socket.send_fds(self._socket, [extension.encode()], [file.fileno()])
        status, length = HEADER.unpack(await self._receive(HEADER.size))
        return status, await self._receive(length)

    def end(self) -> None:
        """Kill the process."""
        self._socket.close()
        self.process.kill()
        self.process.wait()

    async def _receive(self, length: int) -> bytes:
        content = b""
        while len(content) < length:
            piece = await asyncio.get_running_loop().sock_recv(self._socket, length - len(content))
            if not piece:
                raise ConnectionError("the decoder process died")
            content += piece
        return content

"""Reads files without reading the whole, and describes changes to them without writing the whole."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

Read = Callable[[int, int], Awaitable[bytes]]
"""Returns the bytes from a start offset up to, but not including, an end offset. Both are within the file."""

HEAD = 64 * 1024  # bytes that are read at once: a packet is mostly within them
LOOKS = 200  # reads per file
LARGEST_PART = 1024 * 1024  # bytes


class Unfit(Exception):
    """A file that does not follow its format, or takes too many reads to search. It is left unchanged."""


class Source:
    """A file that can be read a limited number of times. size: in bytes."""

    def __init__(self, size: int, read: Read) -> None:
        self.size = size
        self._read = read
        self._head = b""
        self._looks = LOOKS

    async def part(self, start: int, length: int) -> bytes:
        """Return `length` bytes from `start`. Raises Unfit when the file has fewer, or was read too often."""
        self._looks -= 1
        if self._looks < 0 or not 0 <= start <= start + length <= self.size or length > LARGEST_PART:
            raise Unfit
        if start + length > HEAD:
            part = await self._read(start, start + length)
        else:
            self._head = self._head or await self._read(0, min(HEAD, self.size))
            part = self._head[start : start + length]
        if len(part) != length:  # the file is being cut short
            raise Unfit
        return part


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a file's XMP packet, with the bytes around it. Without a packet: the place where one belongs."""

    start: int
    end: int
    packet: bytes | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement for the bytes from `start` up to, but not including, `end`."""

    start: int
    end: int
    content: bytes


def resulting_size(size: int, edits: Sequence[Edit]) -> int:
    """Return the size of a file after the edits."""
    return size + sum(len(edit.content) - (edit.end - edit.start) for edit in edits)


def pieces(size: int, edits: Sequence[Edit]) -> Iterator[tuple[int, int] | bytes]:
    """Yield the file after the edits, which are in order: spans of the original file, and new bytes between them."""
    at = 0
    for edit in edits:
        yield at, edit.start
        yield edit.content
        at = edit.end
    yield at, size


def part_of(whole: Iterator[tuple[int, int] | bytes], start: int, end: int) -> Iterator[tuple[int, int] | bytes]:
    """Yield the part of such pieces that lies between two offsets of the new file."""
    at = 0
    for piece in whole:
        length = len(piece) if isinstance(piece, bytes) else piece[1] - piece[0]
        first, last = max(start - at, 0), min(end - at, length)
        if first < last:
            yield piece[first:last] if isinstance(piece, bytes) else (piece[0] + first, piece[0] + last)
        at += length

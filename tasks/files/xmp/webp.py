"""Finds and edits XMP in WebP: a chunk at the end, which an extended file's header announces (RFC 9649, 2.7)."""

from collections.abc import AsyncIterator
from struct import pack, unpack

from tasks.files.xmp.source import Edit, Place, Source, Unfit

HAS_XMP, HAS_ALPHA = 0x04, 0x10  # flags of VP8X
LARGEST = 2**32 - 10  # bytes of a RIFF file


async def find(source: Source) -> Place:
    """Return the packet's place. Raises Unfit."""
    end = await _end(source)
    async for kind, start, length in _chunks(source, end):
        if kind == b"XMP ":
            return Place(start, start + 8 + length + length % 2, await source.part(start + 8, length))
        if start == 12 and not (kind == b"VP8X" and (await source.part(20, 1))[0] & HAS_XMP):
            break  # the header says that there is none
    return Place(end, end)


async def edits(source: Source, packet: bytes) -> list[Edit]:
    """Return the edits that put a packet into the file. Raises Unfit."""
    place = await find(source)
    changed = [Edit(place.start, place.end, b"XMP " + pack("<I", len(packet)) + packet + b"\0" * (len(packet) % 2))]
    if await source.part(12, 4) == b"VP8X":
        [flags] = await source.part(20, 1)
        changed.insert(0, Edit(20, 21, bytes([flags | HAS_XMP])))
    else:
        changed.insert(0, Edit(12, 12, await _extended_header(source)))
    size = await _end(source) - 8 + sum(len(edit.content) - (edit.end - edit.start) for edit in changed)
    if size > LARGEST:
        raise Unfit
    return [Edit(4, 8, pack("<I", size)), *changed]


async def _end(source: Source) -> int:
    """Return where the file ends according to its header. Raises Unfit."""
    riff, size, webp = unpack("<4sI4s", await source.part(0, 12))
    if riff != b"RIFF" or webp != b"WEBP" or size % 2 or 8 + size > source.size:
        raise Unfit
    return 8 + int(size)


async def _chunks(source: Source, end: int) -> AsyncIterator[tuple[bytes, int, int]]:
    """Yield the kind, the start and the content length of each chunk."""
    at = 12
    while at < end:
        kind, length = unpack("<4sI", await source.part(at, 8))
        if at + 8 + length + length % 2 > end or (kind == b"VP8X" and length < 10):
            raise Unfit
        yield kind, at, length
        at += 8 + length + length % 2


async def _extended_header(source: Source) -> bytes:
    """Return the VP8X header that a plain file, with one picture, lacks. Raises Unfit."""
    kind = await source.part(12, 4)
    if kind == b"VP8 ":
        start_code, width, height = unpack("<3sHH", await source.part(23, 7))
        width, height, alpha = width & 0x3FFF, height & 0x3FFF, False
        if start_code != b"\x9d\x01\x2a" or not width or not height:
            raise Unfit
    elif kind == b"VP8L":
        signature, bits = unpack("<BI", await source.part(20, 5))
        if signature != 0x2F:
            raise Unfit
        width, height, alpha = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    else:
        raise Unfit
    flags = HAS_XMP | (HAS_ALPHA if alpha else 0)
    measures = pack("<I", width - 1)[:3] + pack("<I", height - 1)[:3]
    return b"VP8X" + pack("<IB3x", 10, flags) + measures

"""Finds and edits XMP in PNG: an iTXt chunk before the picture.

Sources: PNG specification, 11.3.3.4; XMP specification, part 3, 1.1.5.
"""

from struct import pack, unpack
from zlib import crc32

from tasks.files.xmp.source import Edit, Place, Source, Unfit

SIGNATURE = b"\x89PNG\r\n\x1a\n"
HEAD = b"XML:com.adobe.xmp\0\0\0\0\0"  # keyword; not compressed; no language, no translated keyword


async def find(source: Source) -> Place:
    """Return the packet's place. Raises Unfit."""
    if await source.part(0, 8) != SIGNATURE:
        raise Unfit
    at, after_header = 8, 0
    while True:
        length, kind = unpack(">I4s", await source.part(at, 8))
        end = at + 12 + length
        if end > source.size:
            raise Unfit
        if kind == b"iTXt" and length >= len(HEAD) and await source.part(at + 8, len(HEAD)) == HEAD:
            return Place(at, end, await source.part(at + 8 + len(HEAD), length - len(HEAD)))
        if not after_header and kind != b"IHDR":
            raise Unfit
        if kind in (b"IDAT", b"IEND"):
            return Place(after_header, after_header)
        after_header = after_header or end
        at = end


async def edits(source: Source, packet: bytes) -> list[Edit]:
    """Return the edits that put a packet into the file. Raises Unfit."""
    place = await find(source)
    chunk = b"iTXt" + HEAD + packet
    return [Edit(place.start, place.end, pack(">I", len(chunk) - 4) + chunk + pack(">I", crc32(chunk)))]

"""Finds and edits XMP in MP4: Adobe's `uuid` box, last so that it moves nothing (XMP specification, part 3, 2.4)."""

from struct import pack, unpack
from uuid import UUID

from tasks.files.xmp.source import Edit, Place, Source, Unfit

ADOBES = UUID("be7acfcb-97a9-42e8-9c71-999491e3afac").bytes


async def find(source: Source) -> Place:
    """Return the packet's place. Raises Unfit, also when the last box states no end, because nothing can follow it."""
    if (await source.part(4, 4)) != b"ftyp":
        raise Unfit
    at = 0
    while at < source.size:
        length, kind = unpack(">I4s", await source.part(at, 8))
        head = 8
        if length == 1:
            [length] = unpack(">Q", await source.part(at + 8, 8))
            head = 16
        if length < head or at + length > source.size:
            raise Unfit
        if kind == b"uuid" and length >= head + 16 and await source.part(at + head, 16) == ADOBES:
            return Place(at, at + length, await source.part(at + head + 16, length - head - 16))
        at += length
    return Place(at, at)


async def edits(source: Source, packet: bytes) -> list[Edit]:
    """Return the edits that put a packet into the file. Raises Unfit."""
    place = await find(source)
    if place.end != source.size:  # data after a box in the middle must not move: there are offsets to it
        raise Unfit
    return [Edit(place.start, place.end, pack(">I4s", 24 + len(packet), b"uuid") + ADOBES + packet)]

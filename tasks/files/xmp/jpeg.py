"""Finds and edits XMP in JPEG: an APP1 segment among the first ones (XMP specification, part 3, 1.1.3)."""

from struct import pack, unpack

from tasks.files.xmp.source import Edit, Place, Source, Unfit

START = b"\xff\xd8"
APP0, APP1, START_OF_SCAN = 0xE0, 0xE1, 0xDA
STANDALONE = range(0xD0, 0xDA)  # markers without a length
HEAD = b"http://ns.adobe.com/xap/1.0/\0"


async def find(source: Source) -> Place:
    """Return the packet's place: by custom after JFIF's and Exif's segments, which must be first. Raises Unfit."""
    if await source.part(0, 2) != START:
        raise Unfit
    at, belongs = 2, 2
    while True:
        mark, marker, length = unpack(">BBH", await source.part(at, 4))
        if mark != 0xFF or marker < 0xC0 or marker in STANDALONE or length < 2:
            raise Unfit
        end = at + 2 + length
        if marker == APP1 and length >= 2 + len(HEAD) and await source.part(at + 4, len(HEAD)) == HEAD:
            return Place(at, end, await source.part(at + 4 + len(HEAD), length - 2 - len(HEAD)))
        if marker == START_OF_SCAN:
            return Place(belongs, belongs)
        if marker in (APP0, APP1) and at == belongs:
            belongs = end
        at = end


async def edits(source: Source, packet: bytes) -> list[Edit]:
    """Return the edits that put a packet into the file. Raises Unfit."""
    place = await find(source)
    return [Edit(place.start, place.end, pack(">BBH", 0xFF, APP1, 2 + len(HEAD) + len(packet)) + HEAD + packet)]

"""Puts imprints into files of the types that have a place for them, and finds them again. Pixels are not changed."""

from contextlib import suppress

from tasks.files.xmp import jpeg, mp4, packet, png, webp
from tasks.files.xmp.packet import Imprint
from tasks.files.xmp.source import Edit, Read, Source, Unfit

FORMATS = {"png": png, "jpg": jpeg, "webp": webp, "mp4": mp4, "m4a": mp4}
"""The formats with a place for an imprint, by extension."""


async def edits(imprint: Imprint, extension: str, size: int, read: Read) -> list[Edit]:
    """Return the changes, in order, that put an imprint into a file of this type: none if it is better left alone."""
    if extension in FORMATS:
        with suppress(Unfit):
            changes: list[Edit] = await FORMATS[extension].edits(Source(size, read), packet.write(imprint))
            return changes
    return []


async def find(size: int, read: Read) -> Imprint | None:
    """Return the imprint of a file, or None. Any kind of bytes is accepted, and only a little of them is read."""
    source = Source(size, read)
    for form in (png, jpeg, webp, mp4):
        with suppress(Unfit):
            place = await form.find(source)
            return packet.read(place.packet) if place.packet else None
    return None

"""Imprints in files: put into the types that have a place for them, and found again. No pixel is touched."""

from contextlib import suppress

from tasks.imprint import jpeg, mp4, packet, png, webp
from tasks.imprint.packet import Imprint
from tasks.imprint.source import Edit, Read, Source, Unfit

FORMATS = {"png": png, "jpg": jpeg, "webp": webp, "mp4": mp4, "m4a": mp4}
"""Those with a place for it, by their extensions."""


async def edits(imprint: Imprint, extension: str, size: int, read: Read) -> list[Edit]:
    """The changes, in order, that put an imprint into a file of this type. None where it is better left alone."""
    if extension in FORMATS:
        with suppress(Unfit):
            changes: list[Edit] = await FORMATS[extension].edits(Source(size, read), packet.write(imprint))
            return changes
    return []


async def find(size: int, read: Read) -> Imprint | None:
    """The imprint that any file has, or None. Bytes of any kind do: little of them is looked at."""
    source = Source(size, read)
    for form in (png, jpeg, webp, mp4):
        with suppress(Unfit):
            place = await form.find(source)
            return packet.read(place.packet) if place.packet else None
    return None

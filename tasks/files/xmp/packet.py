"""Writes how a file was made into an XMP packet that other programs can read, and reads it again.

The prompt is the packet's dc:description, which picture viewers show, as they do xmp:Rating and xmp:Label (XMP
specification, part 1, 8.4). Our own property holds everything as JSON.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from xml.parsers import expat
from xml.sax.saxutils import escape

import msgspec

from tasks.models import strict_json

LARGEST = 65_502  # bytes: the room in a JPEG segment (XMP specification, part 3, 1.1.3)
NAMESPACE = "urn:uuid:a9756216-8249-4b14-998a-70aa04f6672b#"  # unique, and not an address that someone has to own
PROPERTY = f"{NAMESPACE} made"  # as expat reports it
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2

TEMPLATE = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:darkroom="{namespace}">
<xmp:CreatorTool>Darkroom</xmp:CreatorTool>
<xmp:CreateDate>{created_at}</xmp:CreateDate>
{description}{rating}{label}<darkroom:made>{made}</darkroom:made>
</rdf:Description>
</rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""
DESCRIPTION = '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:description>\n'


class Imprint(msgspec.Struct, frozen=True, omit_defaults=True):
    """The record of how a file was made, and of what people said of it.

    parameters: as requested. seed: the one sent to the model, if it took one. rating: 1 to 5 stars; 0 without.
    """

    prompt: str
    model: str
    parameters: dict[str, Any]
    job_id: UUID
    created_at: datetime
    seed: int | None = None
    rating: int = 0
    favorite: bool = False

    @property
    def settings(self) -> dict[str, Any]:
        """The parameters that reproduce the file."""
        return self.parameters if self.seed is None else {**self.parameters, "seed": self.seed}


def write(imprint: Imprint) -> bytes:
    """Return the imprint as a packet of at most LARGEST bytes.

    What does not fit is left out: first the description, which repeats the prompt, then the longest parameters.
    """
    return next(packet for packet in _ever_shorter(imprint) if len(packet) <= LARGEST)


def read(packet: bytes) -> Imprint | None:
    """Return the imprint in a packet, even if another program has rewritten the packet.

    Returns None when there is no imprint of ours, or a damaged one.
    """
    found: list[str] = []
    inside = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal inside
        inside = name == PROPERTY
        found.extend(value for key, value in attributes.items() if key == PROPERTY)  # the short form of RDF

    def end(name: str) -> None:
        nonlocal inside
        inside = False

    def text(characters: str) -> None:
        if inside:
            found.append(characters)

    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = _refuse  # a document type can declare entities, which expand
    with suppress(expat.ExpatError, msgspec.DecodeError, strict_json.Malformed, RecursionError, UnicodeError):
        parser.Parse(packet.strip(b"\0 \t\r\n"), True)
        imprint = msgspec.json.decode("".join(found), type=Imprint)
        strict_json.check(imprint.settings)
        return imprint
    return None


def _ever_shorter(imprint: Imprint) -> Iterator[bytes]:
    yield _packet(imprint, DESCRIPTION.format(escape(NO_XML.sub("", imprint.prompt))))
    yield _packet(imprint)
    left = sorted(imprint.parameters, key=lambda name: len(json.dumps(imprint.parameters[name])))
    while left:
        left.pop()
        yield _packet(msgspec.structs.replace(imprint, parameters={name: imprint.parameters[name] for name in left}))
    yield _packet(msgspec.structs.replace(imprint, parameters={}, prompt=""))


def _packet(imprint: Imprint, description: str = "") -> bytes:
    made = NO_XML.sub(lambda character: f"\\u{ord(character[0]):04x}", msgspec.json.encode(imprint).decode())
    return TEMPLATE.format(
        namespace=NAMESPACE,
        created_at=imprint.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        description=description,
        rating=f"<xmp:Rating>{imprint.rating}</xmp:Rating>\n" if imprint.rating else "",
        label="<xmp:Label>Favorite</xmp:Label>\n" if imprint.favorite else "",
        made=escape(made),
    ).encode()


def _refuse(*_: object) -> None:
    raise expat.ExpatError("no document types")

"""Detect the real type of a file from its bytes, whatever its name or header says."""

import codecs
import re
from dataclasses import dataclass
from typing import IO

import filetype
import msgspec

SNIFFED_BYTES = 8192  # bytes that are inspected
PREVIEW_SUFFIX, THUMBNAIL_SUFFIX = ".preview.webp", ".thumbnail.webp"  # in place of a file's own extension
MAX_JSON_BYTES = 16 * 1024 * 1024  # bytes; longer text is not parsed to check whether it is JSON


@dataclass(frozen=True, slots=True)
class MediaType:
    """A file type.

    extension: without a dot. name: as in a Content-Type header. kind: image, video, audio, text or file.
    """

    extension: str
    name: str
    kind: str

    @property
    def inline(self) -> bool:
        """Whether a browser may display the file inline. Files that can carry a script are only downloaded."""
        return self.kind != "file" and self.extension != "svg"

    @property
    def visible(self) -> bool:
        """Whether a preview is made of the file. SVG is never opened."""
        return self.kind in ("image", "video") and self.extension != "svg"


MEDIA_TYPES = {
    extension: MediaType(extension, name, kind)
    for extension, name, kind in (
        ("png", "image/png", "image"),
        ("jpg", "image/jpeg", "image"),
        ("webp", "image/webp", "image"),
        ("gif", "image/gif", "image"),
        ("avif", "image/avif", "image"),
        ("bmp", "image/bmp", "image"),
        ("tif", "image/tiff", "image"),
        ("svg", "image/svg+xml", "image"),
        ("mp4", "video/mp4", "video"),
        ("webm", "video/webm", "video"),
        ("mov", "video/quicktime", "video"),
        ("mkv", "video/x-matroska", "video"),
        ("avi", "video/x-msvideo", "video"),
        ("wav", "audio/wav", "audio"),
        ("mp3", "audio/mpeg", "audio"),
        ("flac", "audio/flac", "audio"),
        ("ogg", "audio/ogg", "audio"),
        ("m4a", "audio/mp4", "audio"),
        ("aac", "audio/aac", "audio"),
        ("txt", "text/plain; charset=utf-8", "text"),
        ("json", "application/json", "file"),
        ("html", "text/html; charset=utf-8", "file"),
        ("pdf", "application/pdf", "file"),
        ("glb", "model/gltf-binary", "file"),
        ("zip", "application/zip", "file"),
        ("tar", "application/x-tar", "file"),
        ("bin", "application/octet-stream", "file"),
    )
}
"""Every type that a finished file can have, by extension."""

EXTENSION_ALIASES = {"m4v": "mp4", "apng": "png", "epub": "zip", "docx": "zip", "xlsx": "zip", "pptx": "zip"}
"""The extensions that the `filetype` library uses instead for some types."""

PROLOGUE = r"(?:<\?xml.*?\?>|<!--.*?-->|\s)*+"  # possessive, so that a thousand comments do not take forever
SVG = re.compile(PROLOGUE + r"(?:<!doctype\s+svg.*?>)?" + PROLOGUE + r"<svg[\s/>]", re.IGNORECASE | re.DOTALL)
HTML = re.compile(
    PROLOGUE + r"<(?:!doctype\s+html|html|head|body|title|script|meta|div|p)\b", re.IGNORECASE | re.DOTALL
)


def sniff(file: IO[bytes]) -> MediaType:
    """Return the type of a file by its bytes alone. An unknown type is application/octet-stream."""
    file.seek(0)
    head = file.read(SNIFFED_BYTES)
    return MEDIA_TYPES[_magic(head) or _writing(head, file) or "bin"]


def _magic(head: bytes) -> str | None:
    if head.startswith(b"glTF"):
        return "glb"
    guess = filetype.guess(head) if head else None
    extension = EXTENSION_ALIASES.get(guess.extension, guess.extension) if guess else None
    return extension if extension in MEDIA_TYPES else None


def _writing(head: bytes, file: IO[bytes]) -> str | None:
    """Return the extension of a text file's type, or None when the file is not text."""
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)  # the head may end within a character
    except UnicodeDecodeError:
        return None
    if "\0" in text:
        return None
    if SVG.match(text):
        return "svg"
    if HTML.match(text):
        return "html"
    return "json" if text.lstrip()[:1] in ("{", "[") and _is_json(file) else "txt"


def _is_json(file: IO[bytes]) -> bool:
    file.seek(0)
    content = file.read(MAX_JSON_BYTES + 1)
    try:
        msgspec.json.decode(content, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return False
    return len(content) <= MAX_JSON_BYTES

"""File types are detected from the bytes of the files."""

from io import BytesIO

import pytest

from tasks.files.media_types import sniff
from tests.tasks import samples

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("content", "extension", "kind"),
    [
        (samples.picture(), "png", "image"),
        (samples.picture(form="JPEG"), "jpg", "image"),
        (samples.picture(form="WEBP"), "webp", "image"),
        (samples.picture(form="GIF"), "gif", "image"),
        (samples.picture(form="AVIF"), "avif", "image"),
        (samples.film(), "mp4", "video"),
        (samples.film(form="mov"), "mov", "video"),
        (samples.film(form="webm", codec="libvpx-vp9"), "webm", "video"),
        (samples.sound(), "wav", "audio"),
        (samples.SVG, "svg", "image"),
        (samples.HTML, "html", "file"),
        (b'\n<!-- c --><?xml version="1.0"?><!DOCTYPE svg PUBLIC "x" "y"><svg/>', "svg", "image"),
        (b'<!DOCTYPE svg PUBLIC "x" "y">\n<svg >', "svg", "image"),
        (b"<script>alert(1)</script>", "html", "file"),
        (b' {"a": [1, null]}', "json", "file"),
        (b'{"a": ', "txt", "text"),
        (b"[" * 200_000, "txt", "text"),
        (b"<!---->" * 1000 + b"<sv", "txt", "text"),
        ("grüße".encode(), "txt", "text"),
        (b"a" * 8191 + "ü".encode(), "txt", "text"),
        (b"glTF\x02\x00\x00\x00", "glb", "file"),
        (b"PK\x03\x04" + bytes(40), "zip", "file"),
        (bytes(257) + b"ustar" + bytes(250), "tar", "file"),
        (bytes(range(256)), "bin", "file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_type_is_what_the_bytes_say(content: bytes, extension: str, kind: str) -> None:
    media = sniff(BytesIO(content))
    assert (media.extension, media.kind) == (extension, kind)


@pytest.mark.parametrize(
    ("content", "inline"),
    [(samples.picture(), True), (samples.sound(), True), (b"words", True), (samples.SVG, False), (samples.HTML, False)],
    ids=["png", "wav", "txt", "svg", "html"],
)
def test_what_can_carry_a_script_is_never_inline(content: bytes, inline: bool) -> None:
    assert sniff(BytesIO(content)).inline is inline

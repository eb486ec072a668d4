"""Truncated files are recognized as damaged, whatever length their sender claimed. Whole files are accepted."""

import struct
from collections.abc import Callable
from functools import cache
from io import BytesIO
from tempfile import TemporaryFile

import av
import pytest

from tasks.errors import Failure
from tasks.files.decoder_pool import Decoded
from tasks.files.media_types import MEDIA_TYPES
from tasks.standin.drawing.film import film
from tasks.standin.drawing.sound import sound
from tests.tasks import samples
from tests.tasks.work import DECODERS

pytestmark = pytest.mark.once

FRAGMENTS = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "500000"}
FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "wav": ("wav", lambda: samples.noise("wav", "pcm_s16le")),
    "wav of floats": ("wav", lambda: samples.noise("wav", "pcm_f32le")),
    "wav of the stand-in": ("wav", lambda: sound("fox", 1, 3, "wav", 2)),
    "flac": ("flac", lambda: samples.noise("flac", "flac")),
    "opus": ("ogg", lambda: samples.noise("ogg", "libopus")),
    "vorbis": ("ogg", lambda: samples.noise("ogg", "vorbis")),
    "m4a": ("m4a", lambda: samples.noise("ipod", "aac")),
    "m4a, index first": ("m4a", lambda: samples.moov_first(samples.noise("ipod", "aac"))),
    "m4a in fragments": ("m4a", lambda: samples.noise("mp4", "aac", **FRAGMENTS)),
    "m4a without loss": ("m4a", lambda: samples.noise("ipod", "alac")),
    "aac": ("aac", lambda: samples.noise("adts", "aac")),
    "mp4": ("mp4", samples.film),
    "mp4, index first": ("mp4", lambda: samples.moov_first(samples.film())),
    "mp4 of the stand-in": ("mp4", lambda: film("fox", 1, (320, 180))),
    "mp4 without pictures": ("mp4", lambda: samples.moov_first(samples.noise("mp4", "aac"))),
    "mov": ("mov", lambda: samples.film(form="mov")),
    "webm": ("webm", lambda: samples.film(form="webm", codec="libvpx")),
    "webm without pictures": ("webm", lambda: samples.noise("webm", "libopus")),
    "mkv": ("mkv", lambda: samples.film(form="matroska")),
    "avi": ("avi", lambda: samples.film(form="avi", codec="mpeg4")),
    "gif": ("gif", lambda: samples.animation("GIF")),
    "apng": ("png", lambda: samples.animation("PNG")),
    "webp in motion": ("webp", lambda: samples.animation("WEBP")),
    "png": ("png", lambda: samples.picture(300, 200, mode="RGBA")),
    "jpg": ("jpg", lambda: samples.picture(300, 200, "JPEG")),
    "webp": ("webp", lambda: samples.picture(300, 200, "WEBP")),
    "avif": ("avif", lambda: samples.picture(300, 200, "AVIF")),
}
LEFT: dict[str, Callable[[int], int]] = {
    "half": lambda size: size // 2,
    "all but a hundredth": lambda size: size - size // 100,
    "all but the last bytes": lambda size: size - 10,
}
MP3S = {
    "constant": lambda: samples.noise("mp3", "libmp3lame"),
    "of the stand-in": lambda: sound("fox", 1, 3, "mp3", 2),
}


@cache
def made(name: str) -> tuple[str, bytes]:
    extension, make = FILES[name]
    return extension, make()


async def seen(content: bytes, extension: str) -> Decoded:
    with TemporaryFile() as file:
        file.write(content)
        file.flush()
        return await DECODERS.decode(file, MEDIA_TYPES[extension])


async def is_refused(content: bytes, extension: str) -> None:
    with pytest.raises(Failure) as caught:
        await seen(content, extension)
    assert (caught.value.code, caught.value.passing) == ("output_unreadable", True)


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("name", FILES)
async def test_what_was_cut_short_is_damaged(name: str, left: str) -> None:
    extension, content = made(name)
    await is_refused(content[: LEFT[left](len(content))], extension)


@pytest.mark.parametrize("name", FILES)
async def test_what_is_whole_is_taken(name: str) -> None:
    extension, content = made(name)
    await seen(content, extension)


@pytest.mark.parametrize("name", MP3S)
async def test_an_mp3_that_was_cut_short_is_damaged_and_a_whole_one_is_not(name: str) -> None:
    content = MP3S[name]()
    assert (await seen(content, "mp3")).duration == pytest.approx(3, abs=0.1)
    await is_refused(content[: len(content) // 2], "mp3")
    await is_refused(content[: -len(content) // 10], "mp3")


ID3 = b"ID3\x03\0\0\0\0\x10\0" + bytes(2048)
TAG = b"TAG" + b"a fox".ljust(125, b"\0")


@pytest.mark.parametrize(
    ("extension", "make"),
    [
        ("mp3", lambda: ID3 + MP3S["constant"]() + TAG),
        ("mp3", lambda: MP3S["constant"]() + b"LYRICSBEGIN a fox in the snow LYRICS200" * 99),
        ("mp3", lambda: MP3S["constant"]() + MP3S["of the stand-in"]()),
        ("mp3", lambda: samples.noise("mp3", "libmp3lame", write_xing="0")),
        ("mp3", lambda: samples.noise("mp3", "libmp3lame", write_xing="0")[1000:]),
        ("flac", lambda: ID3 + samples.noise("flac", "flac") + TAG),
        ("aac", lambda: samples.noise("adts", "aac") * 2),
        ("ogg", lambda: samples.noise("ogg", "libopus") * 2),
        ("wav", lambda: samples.sound() + b"LIST\x04\0\0\0INFO"),
        ("webm", lambda: samples.noise("webm", "libopus", live="1")),
        ("mp4", lambda: samples.film() + bytes(99)),
        ("mp4", lambda: samples.film() + b"\xff</html>" * 9),
        ("png", lambda: samples.picture(30, 20) + bytes(99)),
    ],
    ids=[
        "mp3 with tags", "mp3 with lyrics", "two mp3s in one", "mp3 that counts nothing", "mp3 from its middle on",
        "flac with tags", "two aacs in one", "two oggs in one", "wav with a chunk too many", "webm as it comes",
        "mp4 with nothing behind it", "mp4 with something behind it", "png with something behind it",
    ],
)  # fmt: skip
async def test_what_is_whole_is_taken_however_it_was_put_together(extension: str, make: Callable[[], bytes]) -> None:
    await seen(make(), extension)


@pytest.mark.parametrize("size", [0, 36, 2_000_000_000, 0x7FFFFFFF, 0xFFFFFFFF])
async def test_a_wav_whose_writer_did_not_know_how_long_it_gets_is_whole(size: int) -> None:
    content = bytearray(samples.sound(1.5))
    struct.pack_into("<I", content, 4, size)
    struct.pack_into("<I", content, content.index(b"data") + 4, max(0, size - 36))
    assert (await seen(bytes(content), "wav")).duration == pytest.approx(1.5, abs=0.01)


async def test_a_wav_that_counts_its_header_twice_is_whole() -> None:
    content = bytearray(samples.sound(1.5))
    struct.pack_into("<I", content, 4, len(content))
    assert (await seen(bytes(content), "wav")).duration == 1.5


async def test_a_sound_that_ffmpeg_cannot_decode_is_no_damage() -> None:
    content = bytearray(samples.sound(1.5))
    struct.pack_into("<H", content, 20, 0x1234)  # an unknown audio format
    await seen(bytes(content), "wav")


async def test_a_film_whose_index_knows_more_pictures_than_there_are_is_damaged() -> None:
    content = bytearray(samples.moov_first(samples.film()))
    struct.pack_into(">I", content, content.index(b"mdat") - 4, 0)  # size 0: up to the end of the file
    await seen(bytes(content), "mp4")
    with av.open(BytesIO(content), "r") as container:
        places = [packet.pos for packet in container.demux() if packet.pos is not None]
    await is_refused(bytes(content[: places[12]]), "mp4")
    await is_refused(bytes(content[: places[12] + 1]), "mp4")

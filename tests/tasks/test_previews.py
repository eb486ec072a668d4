"""Results are measured, and shown small."""

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from tasks.failures import Failure
from tasks.media_types import MEDIA_TYPES
from tasks.previews import Look, look
from tests.tasks import samples


async def seen(content: bytes, extension: str) -> Look:
    return await look(BytesIO(content), MEDIA_TYPES[extension])


def preview(of: Look) -> Image.Image:
    assert of.preview is not None
    image = Image.open(BytesIO(of.preview))
    assert image.format == "WEBP"
    return image


@pytest.mark.parametrize(
    ("form", "extension"), [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp"), ("GIF", "gif"), ("AVIF", "avif")]
)
async def test_a_picture_is_measured_and_gets_a_preview_of_its_proportions(form: str, extension: str) -> None:
    result = await seen(samples.picture(2048, 1024, form), extension)
    assert (result.width, result.height, result.duration) == (2048, 1024, None)
    assert preview(result).size == (512, 256)


async def test_a_small_picture_is_not_blown_up() -> None:
    assert preview(await seen(samples.picture(40, 30), "png")).size == (40, 30)


async def test_the_placeholder_is_a_tiny_picture_in_a_url() -> None:
    result = await seen(samples.picture(800, 400, mode="RGBA"), "png")
    assert result.placeholder is not None
    assert result.placeholder.startswith("data:image/webp;base64,")
    assert len(result.placeholder) <= 300


async def test_a_photo_on_its_side_is_stood_up() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it a quarter clockwise
    image = Image.new("RGB", (600, 300), "black")
    image.paste("white", (0, 0, 300, 300))
    file = BytesIO()
    image.save(file, "JPEG", exif=exif)
    result = await seen(file.getvalue(), "jpg")
    assert (result.width, result.height) == (300, 600)
    assert preview(result).size == (256, 512)
    assert preview(result).getpixel((128, 20)) == pytest.approx((255, 255, 255), abs=8)


async def test_a_depth_map_of_16_bits_keeps_its_greys() -> None:
    file = BytesIO()
    Image.frombytes("I;16", (64, 64), struct.pack("<H", 32768) * 4096).save(file, "PNG")
    assert preview(await seen(file.getvalue(), "png")).getpixel((32, 32)) == pytest.approx((128, 128, 128), abs=4)


async def test_transparency_survives() -> None:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    file = BytesIO()
    image.save(file, "PNG")
    assert preview(await seen(file.getvalue(), "png")).mode == "RGBA"


@pytest.mark.parametrize(
    ("form", "codec", "extension"),
    [("mp4", "h264", "mp4"), ("mov", "h264", "mov"), ("webm", "libvpx-vp9", "webm"), ("matroska", "h264", "mkv")],
)
async def test_a_film_has_measures_a_duration_and_a_poster_that_is_not_its_black_beginning(
    form: str, codec: str, extension: str
) -> None:
    result = await seen(samples.film(320, 180, 2, form, codec), extension)
    assert (result.width, result.height) == (320, 180)
    assert result.duration == pytest.approx(2.0, abs=0.11)
    assert preview(result).getpixel((160, 90)) == pytest.approx((255, 255, 255), abs=8)


async def test_a_sound_has_a_duration_and_no_picture() -> None:
    assert await seen(samples.sound(1.5), "wav") == Look(duration=1.5)


async def test_drawings_and_unknown_files_are_left_alone() -> None:
    assert await seen(samples.SVG, "svg") == Look()
    assert await seen(bytes(range(256)), "bin") == Look()


@pytest.mark.parametrize(
    ("content", "extension"),
    [
        (samples.picture(900, 900)[:-400], "png"),
        (samples.picture(900, 900, "JPEG")[:-400], "jpg"),
        (samples.picture(form="PNG")[:20], "png"),
        (samples.film()[:-400], "mp4"),
        (samples.film(form="matroska")[:300], "mkv"),
        (samples.sound()[:20], "wav"),
    ],
    ids=["png", "jpg", "png header", "mp4", "mkv", "wav"],
)
async def test_a_truncated_file_is_unreadable_and_that_may_pass(content: bytes, extension: str) -> None:
    with pytest.raises(Failure) as caught:
        await seen(content, extension)
    assert (caught.value.code, caught.value.passing) == ("output_unreadable", True)


@pytest.mark.parametrize("side", [10_000, 60_000], ids=["where Pillow warns", "where Pillow refuses"])
async def test_a_decompression_bomb_is_refused_for_good(side: int) -> None:
    with pytest.raises(Failure) as caught:
        await seen(_bomb(side), "png")
    assert (caught.value.code, caught.value.passing) == ("output_too_large", False)


async def test_a_film_never_opens_another_file() -> None:
    playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
    with pytest.raises(Failure) as caught:
        await seen(playlist, "mp4")
    assert caught.value.code == "output_unreadable"


def _bomb(side: int) -> bytes:
    """A few bytes that say they are an enormous PNG."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )

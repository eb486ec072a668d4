"""Results are measured and get previews."""

import asyncio
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile

import psutil
import pytest
from PIL import Image

from tasks.errors import Failure
from tasks.files import decoder_pool
from tasks.files.decoder_pool import Decoded, DecoderPool
from tasks.files.media_types import MEDIA_TYPES
from tests.tasks import samples
from tests.tasks.work import DECODERS
from tests.waiting import eventually

pytestmark = pytest.mark.once


async def seen(content: bytes, extension: str, decoders: DecoderPool = DECODERS) -> Decoded:
    with TemporaryFile() as file:
        file.write(content)
        file.flush()
        return await decoders.decode(file, MEDIA_TYPES[extension])


async def failure_of(content: bytes, extension: str, decoders: DecoderPool = DECODERS) -> tuple[str, bool]:
    with pytest.raises(Failure) as caught:
        await seen(content, extension, decoders)
    return caught.value.code, caught.value.passing


def preview(of: Decoded) -> Image.Image:
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


@pytest.mark.parametrize("size", [(40, 30), (256, 192), (20, 256)])
async def test_a_small_picture_is_not_blown_up_and_needs_no_thumbnail(size: tuple[int, int]) -> None:
    result = await seen(samples.picture(*size), "png")
    assert preview(result).size == size
    assert result.thumbnail is None


@pytest.mark.parametrize(
    ("size", "small"), [((2048, 1024), (256, 128)), ((300, 600), (128, 256)), ((400, 300), (256, 192))]
)
async def test_a_thumbnail_is_smaller_than_the_preview(size: tuple[int, int], small: tuple[int, int]) -> None:
    result = await seen(samples.picture(*size), "png")
    assert result.preview is not None
    assert result.thumbnail is not None
    assert Image.open(BytesIO(result.thumbnail)).size == small
    assert len(result.thumbnail) < len(result.preview)


async def test_the_placeholder_is_a_tiny_picture_in_a_url() -> None:
    result = await seen(samples.picture(800, 400, mode="RGBA"), "png")
    assert result.placeholder is not None
    assert result.placeholder.startswith("data:image/webp;base64,")
    assert len(result.placeholder) <= 300


@pytest.mark.parametrize(("form", "extension"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif")])
async def test_a_photo_on_its_side_is_stood_up(form: str, extension: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    image = Image.new("RGB", (600, 300), "black")
    image.paste("white", (0, 0, 300, 300))
    file = BytesIO()
    image.save(file, form, exif=exif)
    result = await seen(file.getvalue(), extension)
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
    assert await seen(samples.sound(1.5), "wav") == Decoded(duration=1.5, peaks=bytes(400))


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
async def test_an_animated_picture_has_a_duration_and_a_still_one_has_none(form: str) -> None:
    extension = form.lower()
    assert (await seen(samples.animation(form, frames=10), extension)).duration == 0.5
    assert (await seen(samples.picture(form=form), extension)).duration is None


async def test_a_gif_whose_frames_take_no_time_lasts_as_long_as_browsers_show_it() -> None:
    frames = [Image.new("RGB", (16, 16), (shade, 0, 0)) for shade in (0, 90, 180)]
    file = BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=0)
    assert (await seen(file.getvalue(), "gif")).duration == 0.3


async def test_drawings_and_unknown_files_are_left_alone() -> None:
    assert await seen(samples.SVG, "svg") == Decoded()
    assert await seen(bytes(range(256)), "bin") == Decoded()


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
    assert await failure_of(content, extension) == ("output_unreadable", True)


@pytest.mark.parametrize(
    ("form", "extension"),
    [("PNG", "png"), ("JPEG", "jpg"), ("WEBP", "webp"), ("GIF", "gif"), ("AVIF", "avif"), ("TIFF", "tif")],
)
async def test_a_damaged_picture_is_opened_or_refused_and_nothing_else_happens(form: str, extension: str) -> None:
    chance = random.Random(form)
    for _ in range(3):
        content = bytearray(samples.picture(300, 300, form))
        for _ in range(20):
            content[chance.randrange(12, len(content))] = chance.randrange(256)
        try:
            assert isinstance(await seen(bytes(content), extension), Decoded)
        except Failure as failure:
            told = (failure.code, failure.passing)
            assert told in (("output_unreadable", True), ("output_too_large", False))


def _chunk(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png(side: int, pixels: bytes, between: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", header), between, _chunk(b"IDAT", zlib.compress(pixels)), _chunk(b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _slow() -> bytes:
    """Return a valid picture of ten thousand pixels that takes many seconds to open."""
    return _png(100, bytes(301 * 100), _chunk(b"note") * 3_000_000)


def _huge_webp() -> bytes:
    small = samples.picture(64, 64, "WEBP")
    extended = b"VP8X" + struct.pack("<II", 10, 0) + (16383).to_bytes(3, "little") * 2
    body = b"WEBP" + extended + small[small.index(b"VP8 ") :]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _huge_gif() -> bytes:
    content = bytearray(samples.picture(64, 64, "GIF"))
    content[6:10] = b"\xff" * 4
    return bytes(content)


def _huge_tiff() -> bytes:
    content = bytearray(samples.picture(64, 64, "TIFF"))
    directory = struct.unpack_from("<I", content, 4)[0]
    for entry in range(directory + 2, len(content) - 12, 12):
        if struct.unpack_from("<H", content, entry)[0] in (256, 257):  # width and height
            struct.pack_into("<HII", content, entry + 2, 4, 1, 400_000_000)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "extension"),
    [
        (_png(10_000, bytes(1000)), "png"),
        (_png(60_000, bytes(1000)), "png"),
        (_huge_webp(), "webp"),
        (_huge_gif(), "gif"),
        (_huge_tiff(), "tif"),
    ],
    ids=["where Pillow warns", "where Pillow refuses", "webp", "gif", "tiff"],
)
async def test_a_decompression_bomb_is_refused_for_good(content: bytes, extension: str) -> None:
    assert await failure_of(content, extension) == ("output_too_large", False)


@pytest.mark.parametrize("name", [b"zTXt", b"iCCP"])
async def test_a_picture_whose_words_inflate_beyond_measure_is_refused(name: bytes) -> None:
    bomb = _chunk(name, b"a\0\0" + zlib.compress(bytes(50_000_000)))
    assert await failure_of(_png(10, bytes(310), bomb), "png") == ("output_unreadable", True)


@pytest.mark.parametrize(("form", "extension"), [("GIF", "gif"), ("WEBP", "webp"), ("PNG", "png")])
async def test_an_animation_of_thousands_of_frames_is_shown_by_its_first_one(form: str, extension: str) -> None:
    frames = [Image.new("RGB", (16, 16), (number % 256, number // 256, 9)) for number in range(3000)]
    file = BytesIO()
    frames[0].save(file, form, save_all=True, append_images=frames[1:], duration=20)
    result = await seen(file.getvalue(), extension)
    assert (result.width, result.height) == (16, 16)
    assert preview(result).convert("RGB").getpixel((8, 8)) == pytest.approx((0, 0, 9), abs=8)


async def test_a_colour_profile_that_is_larger_than_a_picture_does_not_get_into_the_preview() -> None:
    result = await seen(samples.picture(200, 200, "JPEG", icc_profile=b"x" * 10_000_000), "jpg")
    assert result.preview is not None
    assert len(result.preview) < 20_000
    kept = await seen(samples.picture(200, 200, "JPEG", icc_profile=b"x" * 500), "jpg")
    assert preview(kept).info["icc_profile"] == b"x" * 500


async def test_a_film_that_claims_to_last_for_ages_has_no_duration() -> None:
    content = bytearray(samples.film(form="matroska"))
    at = content.index(b"\x44\x89\x88") + 3  # Duration, a float of 8 bytes
    for seconds in (1e12, float("inf"), float("nan"), -5.0):
        struct.pack_into(">d", content, at, seconds * 1000)
        assert (await seen(bytes(content), "mkv")).duration is None


def _box(name: bytes, *parts: bytes) -> bytes:
    return struct.pack(">I", 8 + sum(map(len, parts))) + name + b"".join(parts)


def _film_of(samples: int) -> bytes:
    """Return an MP4 of about 700 bytes that claims to have this many samples, of one byte each."""
    entry = _box(b"mp4v", struct.pack(">6xH16xHHIIIH32xHh", 1, 64, 64, 0x480000, 0x480000, 0, 1, 24, -1))
    table = _box(
        b"stbl",
        _box(b"stsd", struct.pack(">II", 0, 1), entry),
        _box(b"stts", struct.pack(">IIII", 0, 1, samples, 1)),
        _box(b"stsc", struct.pack(">IIIII", 0, 1, 1, samples, 1)),
        _box(b"stsz", struct.pack(">III", 0, 1, samples)),
        _box(b"stco", struct.pack(">III", 0, 1, 40)),
    )
    media = _box(
        b"mdia",
        _box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 1000, samples, 0, 0)),
        _box(b"hdlr", struct.pack(">II4s13x", 0, 0, b"vide")),
        _box(b"minf", _box(b"vmhd", bytes(12)), table),
    )
    moov = _box(b"moov", _box(b"mvhd", struct.pack(">IIIII80x", 0, 0, 0, 1000, samples)), _box(b"trak", media))
    return _box(b"ftyp", b"isom\0\0\0\0isom") + _box(b"mdat", bytes(100)) + moov


async def _peak(content: bytes, extension: str) -> tuple[int, int]:
    """Open a file. Returns the resulting status, and the peak memory of its decoder process in bytes."""
    opener = decoder_pool.Decoder()
    with TemporaryFile() as file:
        file.write(content)
        file.flush()
        status, _ = await opener.open(file, extension)
    memory = _peak_of(opener.process.pid)
    opener.end()
    return status, memory


def _peak_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS does not hold processes to RLIMIT_DATA")
async def test_a_film_of_a_few_bytes_whose_index_fills_the_memory_is_stopped() -> None:
    status, harmless = await _peak(_film_of(10), "mp4")
    assert status == decoder_pool.BROKEN  # it does not contain a single frame
    status, memory = await _peak(_film_of(80_000_000), "mp4")
    assert status != decoder_pool.GOOD
    assert memory < harmless + 200_000_000


@pytest.mark.parametrize(
    ("side", "told"),
    [(12_000, ("output_too_large", False)), (65_535, ("output_unreadable", True))],
    ids=["where we refuse", "where FFmpeg refuses"],
)
async def test_a_film_of_enormous_frames_is_refused(side: int, told: tuple[str, bool]) -> None:
    uncompressed = bytearray(samples.film(64, 64, 1, "avi", "rawvideo"))
    struct.pack_into("<ii", uncompressed, uncompressed.index(b"strf") + 12, side, side)
    assert await failure_of(bytes(uncompressed), "avi") == told


async def test_an_endless_film_is_decoded_no_further_than_its_poster() -> None:
    one = samples.film(64, 64, 1, "matroska", "mpeg4")
    cluster = one.index(b"\x1f\x43\xb6\x75")
    result = await seen(one[:cluster] + one[cluster:] * 5000, "mkv")
    assert (result.width, result.height) == (64, 64)


Openers = Callable[[], list[psutil.Process]]


@pytest.fixture
def openers() -> Openers:
    """Return a function that finds the decoder processes that this test has started."""

    def found() -> list[psutil.Process]:
        return [child for child in psutil.Process().children() if "tasks.files.decoder" in child.cmdline()]

    DECODERS.close()
    others = found()
    return lambda: [process for process in found() if process not in others]


async def are_open(openers: Openers, count: int) -> bool:
    return len(openers()) == count


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
async def test_an_opener_knows_no_secrets_and_has_no_network_where_that_is_allowed() -> None:
    opener = decoder_pool.Decoder()
    with TemporaryFile() as file:
        file.write(samples.picture(40, 30))
        file.flush()
        assert (await opener.open(file, "png"))[0] == decoder_pool.GOOD
    environment, network = _surroundings(str(opener.process.pid))
    opener.end()
    assert environment == b""
    assert network != _surroundings("self")[1] or not _may_leave_the_network()


def _surroundings(process: str) -> tuple[bytes, str]:
    """Return the environment of a process, and its network namespace."""
    folder = Path("/proc") / process
    return (folder / "environ").read_bytes(), str((folder / "ns" / "net").readlink())


def _may_leave_the_network() -> bool:
    ways = (["unshare", "--net", "true"], ["unshare", "--user", "--net", "true"])
    return any(subprocess.run(way, capture_output=True).returncode == 0 for way in ways)


async def test_an_opener_opens_many_files_but_not_too_many(openers: Openers) -> None:
    left = []
    with closing(DecoderPool(files_per_process=3)) as decoders:
        for _ in range(4):
            await seen(samples.picture(40, 30), "png", decoders)
            left.append(openers())
    assert [len(processes) for processes in left] == [1, 1, 0, 1]
    assert left[0] == left[1] != left[3]


async def test_a_file_that_takes_too_long_to_open_is_given_up_and_that_may_pass(openers: Openers) -> None:
    assert await failure_of(_slow(), "png", DecoderPool(timeout=0.5)) == ("output_unreadable", True)
    assert openers() == []


async def test_a_file_that_kills_its_opener_kills_nothing_else(openers: Openers) -> None:
    looking = asyncio.create_task(failure_of(_slow(), "png"))
    await eventually(lambda: are_open(openers, 1))
    openers()[0].kill()
    assert await looking == ("output_unreadable", True)
    assert (await seen(samples.picture(40, 30), "png")).width == 40


async def test_a_look_that_nobody_waits_for_any_more_ends(openers: Openers) -> None:
    looking = asyncio.create_task(seen(_slow(), "png"))
    await eventually(lambda: are_open(openers, 1))
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    assert openers() == []


async def test_an_opener_whose_worker_is_gone_ends() -> None:
    opener = decoder_pool.Decoder()
    opener._socket.close()
    assert opener.process.wait(20) == 0


async def test_the_reader_stands_where_it_stood_after_the_look() -> None:
    content = samples.picture()
    with TemporaryFile(buffering=0) as file:
        file.write(content)
        file.seek(10)
        await DECODERS.decode(file, MEDIA_TYPES["png"])
        assert file.read() == content[10:]


async def test_a_film_never_opens_another_file() -> None:
    playlist = b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"
    assert await failure_of(playlist, "mp4") == ("output_unreadable", True)


async def test_a_picture_is_opened_as_what_its_bytes_are_and_nothing_else() -> None:
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    assert await failure_of(script, "png") == ("output_unreadable", True)
    assert await failure_of(samples.picture(form="JPEG"), "png") == ("output_unreadable", True)

"""The peaks of a sound follow what is heard, whatever its file is like."""

import struct
import wave
from array import array
from io import BytesIO
from math import pi, sin
from tempfile import TemporaryFile

import av
import pytest

from tasks.errors import Failure
from tasks.files.decoder_pool import Decoded
from tasks.files.media_types import MEDIA_TYPES
from tasks.files.waveform import PARTS
from tasks.standin.drawing.sound import sound
from tests.tasks import samples
from tests.tasks.work import DECODERS

pytestmark = pytest.mark.once

RATE = 16_000


async def seen(content: bytes, extension: str = "wav") -> Decoded:
    with TemporaryFile() as file:
        file.write(content)
        file.flush()
        return await DECODERS.decode(file, MEDIA_TYPES[extension])


async def peaks_of(content: bytes, extension: str = "wav") -> list[int]:
    peaks = (await seen(content, extension)).peaks
    assert peaks is not None
    assert len(peaks) == PARTS
    return list(peaks)


def wav(samples: "array[int]", channels: int = 1, rate: int = RATE) -> bytes:
    file = BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


def tone(level: float, seconds: float, pitch: float = 440) -> "array[int]":
    return array("h", (round(level * 32_767 * sin(2 * pi * pitch * n / RATE)) for n in range(int(seconds * RATE))))


@pytest.mark.parametrize(("form", "codec", "extension"), [("wav", "pcm_s16le", "wav"), ("mp3", "libmp3lame", "mp3")])
async def test_peaks_follow_what_is_loud_and_what_is_soft(form: str, codec: str, extension: str) -> None:
    quarters = tone(0.1, 1) + tone(0.4, 1) + tone(0.0, 1) + tone(0.2, 1)
    content = wav(quarters) if form == "wav" else _coded(quarters, form, codec)
    peaks = await peaks_of(content, extension)
    middles = [max(peaks[at - 30 : at + 30]) for at in (50, 150, 250, 350)]
    assert middles == pytest.approx([64, 255, 0, 128], abs=8)  # in proportion to the loudest


def _coded(samples: "array[int]", form: str, codec: str) -> bytes:
    file = BytesIO()
    with av.open(file, "w", format=form) as target, av.open(BytesIO(wav(samples)), "r") as source:
        stream = target.add_stream(codec, rate=RATE, layout="mono")
        assert isinstance(stream, av.AudioStream)
        for frame in source.decode(audio=0):
            target.mux(stream.encode(frame))
        target.mux(stream.encode())
    return file.getvalue()


async def test_a_click_is_seen_where_it_is_however_long_the_sound() -> None:
    samples = array("h", bytes(2 * RATE * 60))
    samples[RATE * 45] = -32_768
    peaks = await peaks_of(wav(samples))
    assert peaks[PARTS * 3 // 4] == 255
    assert sum(map(bool, peaks)) <= 2  # a window may lie in two parts


async def test_the_loudest_channel_counts_and_channels_do_not_cancel_each_other() -> None:
    left = tone(0.5, 1)
    both = array("h", (value for sample in left for value in (sample, -sample)))
    assert min(await peaks_of(wav(both, channels=2))) > 200


@pytest.mark.parametrize("count", [1, 7, 399, 401])
async def test_a_very_short_sound_fills_the_whole_length(count: int) -> None:
    assert await peaks_of(wav(array("h", [1000] * count))) == [255] * PARTS


async def test_what_the_standin_plays_looks_different_from_prompt_to_prompt() -> None:
    rain, drums = [await peaks_of(sound(prompt, 1, 4, "mp3", 1), "mp3") for prompt in ("rain on a tent", "war drums")]
    assert len(set(rain)) > 50
    assert sum(abs(one - other) for one, other in zip(rain, drums, strict=True)) > 20 * PARTS


async def test_films_and_pictures_have_no_peaks() -> None:
    assert (await seen(samples.film(), "mp4")).peaks is None
    assert (await seen(samples.picture(), "png")).peaks is None


async def is_drawn_or_refused(content: bytes, extension: str) -> bool:
    try:
        peaks = (await seen(content, extension)).peaks
    except Failure as failure:
        return (failure.code, failure.passing) == ("output_unreadable", True)
    return peaks is None or len(peaks) == PARTS


@pytest.mark.parametrize("rate", [1, 2**31 - 1])
async def test_a_sound_that_claims_an_absurd_rate_is_drawn_or_refused(rate: int) -> None:
    content = bytearray(wav(tone(0.5, 1)))
    struct.pack_into("<II", content, 24, rate, 2 * rate & 0xFFFF_FFFF)
    assert await is_drawn_or_refused(bytes(content), "wav")


async def test_a_sound_that_changes_its_rate_on_the_way_is_kept_without_peaks() -> None:
    slow = _coded(tone(0.5, 1), "mp3", "libmp3lame")
    result = await seen(slow + samples.noise("mp3", "libmp3lame"), "mp3")
    assert result.duration
    assert result.peaks is None


@pytest.mark.parametrize(("form", "codec"), [("mp3", "libmp3lame"), ("flac", "flac"), ("ogg", "libopus")])
async def test_a_damaged_sound_is_drawn_or_refused_and_nothing_else_happens(form: str, codec: str) -> None:
    content = bytearray(samples.noise(form, codec))
    for at in range(500, len(content), 997):
        content[at] ^= 0xFF
    assert await is_drawn_or_refused(bytes(content), form)


async def test_a_sound_of_dozens_of_channels_is_drawn() -> None:
    assert min(await peaks_of(wav(array("h", [20_000] * 48 * RATE), channels=48))) == 255

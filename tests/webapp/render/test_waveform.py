"""Waveforms are drawn as loud as they are, and a page of them stays small."""

import json
import re
from base64 import b64encode
from html import unescape
from random import Random

import brotli
import httpx
import pytest

from tasks.db import ids
from tasks.db.tables import Job, Output
from tasks.jobs import lifecycle
from tests.factories import submitted
from webapp.listing.query import PAGE
from webapp.render.waveform import HEIGHT, path

STEP = re.compile(r"m(\.5|1) ?(-?\d+)v(\d+)")


def bars_of(drawn: str) -> list[tuple[float, int, int]]:
    """Return of each bar of a path its place, its upper and its lower end."""
    assert drawn.startswith(f"M0 {HEIGHT // 2}")
    bars, x, y = [], 0.0, HEIGHT // 2
    steps = STEP.findall(drawn)
    assert "".join(STEP.sub("", drawn)) == f"M0 {HEIGHT // 2}"
    for across, up, down in steps:
        x, top = x + float(across), y + int(up)
        y = top + int(down)
        bars.append((x, top, y))
    return bars


def test_each_bar_is_as_high_as_its_loudest_part_and_none_vanishes() -> None:
    peaks = b64encode(bytes([0] * 100 + [255] * 100 + [64, 128] * 50 + [8] * 100)).decode()
    bars = bars_of(path(peaks, 100))
    assert [x for x, *_ in bars] == [number + 0.5 for number in range(100)]
    assert {(top + bottom) for _, top, bottom in bars} == {HEIGHT}
    assert [bars[at][2] - bars[at][1] for at in (10, 30, 60, 90)] == [2, HEIGHT, HEIGHT // 2, 2]


@pytest.mark.parametrize("bars", [1, 100, 200, 400])
def test_there_are_as_many_bars_as_asked_for(bars: int) -> None:
    assert len(bars_of(path(b64encode(bytes(range(200)) * 2).decode(), bars))) == bars


def test_a_sound_without_peaks_is_a_line() -> None:
    assert path(None, 100) == f"M0 {HEIGHT // 2}h100"


async def finished(*outputs: Output, model: str = "meta/musicgen") -> Job:
    await submitted("a slow waltz", model=model)
    job = await lifecycle.claim(30)
    assert job is not None
    for position, output in enumerate(outputs):
        output.position, output.key = position, f"{job.id}-{position}"
    await lifecycle.complete(job, list(outputs))
    return job


def sound(peaks: bytes | None) -> Output:
    return Output(
        id=ids.new(), kind="audio", media_type="audio/mpeg", bytes=1, sha256="", duration=61.4,
        peaks=b64encode(peaks).decode() if peaks else None,
    )  # fmt: skip


async def test_a_sound_is_drawn_on_its_card_in_the_lightbox_and_on_its_page(web: httpx.AsyncClient) -> None:
    output = sound(bytes(range(200)) * 2)
    job = await finished(output)
    card, page = [(await web.get(address)).text for address in ("/", f"/jobs/{job.id}")]
    drawn = path(output.peaks, 100)
    assert f'<path d="{drawn}"/>' in card
    assert f'<path d="{path(output.peaks, 200)}"/>' in page
    [slides] = re.findall('data-slides="([^"]+)"', card)
    [slide] = json.loads(unescape(slides))
    assert (slide["wave"], slide["duration"]) == (drawn, 61.4)
    for html in (card, page):
        assert ">1:01</span>" in html
        assert f'data-sound="/media/{job.id}-0"' in html
        assert re.search(f'<noscript><audio [^>]*controls[^>]*src="/media/{job.id}-0"', html)


async def test_what_moves_is_a_still_picture_that_says_how_long_it_is(web: httpx.AsyncClient) -> None:
    def seen(kind: str, media_type: str, duration: float | None) -> Output:
        return Output(
            id=ids.new(), kind=kind, media_type=media_type, bytes=1, sha256="", width=64, height=64,
            duration=duration, preview_key=f"{media_type}.preview.webp",
        )  # fmt: skip

    rows = [
        ("video", "video/mp4", 65.0, "1:05"),
        ("image", "image/webp", 3.0, "0:03"),
        ("image", "image/gif", None, ""),
        ("image", "image/png", None, None),
    ]
    for kind, media_type, duration, length in rows:
        job = await finished(seen(kind, media_type, duration), model="stability-ai/sdxl")
        page = (await web.get("/")).text
        [card] = re.findall(f'<article id="job-{job.id}".*?</article>', page, re.DOTALL)
        assert f'src="/media/{media_type}.preview.webp"' in card
        assert "<video" not in card
        assert (f'data-moves="/media/{job.id}-0"' in card) == (length is not None)
        assert ("#play" in card) == (length is not None)
        assert ("Video, " in card) == (kind == "video")
        if length:
            assert f">{length}" in card


async def test_a_page_full_of_sounds_weighs_little_more_than_one_of_pictures(web: httpx.AsyncClient) -> None:
    chance = Random("sounds")
    for _ in range(PAGE):
        await finished(sound(chance.randbytes(400)))
    page = (await web.get("/", headers={"Accept-Encoding": "identity"})).content
    assert page.count(b'class="sound"') == PAGE + 1  # with the player
    assert len(brotli.compress(page, quality=4)) < 40_000

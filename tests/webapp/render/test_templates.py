"""Words for moments, durations, sizes and proportions."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tasks.db.tables import Job
from tasks.library.cards import Card
from tasks.settings import ROOT
from webapp.render import templates
from webapp.render.views import CardView

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "just now"),
        (44, "just now"),
        (60, "1 min ago"),
        (50 * 60, "50 min ago"),
        (3600, "1 h ago"),
        (20 * 3600, "20 h ago"),
        (86400, "1 day ago"),
        (3 * 86400, "3 days ago"),
    ],
)
def test_how_long_ago(seconds: int, words: str) -> None:
    assert templates.ago(datetime.now(UTC) - timedelta(seconds=seconds)) == words


def test_a_moment_is_written_in_one_way() -> None:
    assert templates.exactly(datetime(2025, 9, 4, 6, 7, 8, tzinfo=UTC)) == "4 Sep 2025, 06:07:08 UTC"


@pytest.mark.parametrize(("seconds", "words"), [(-5, "now"), (0.5, "now"), (4.5, "in 5 s"), (60.5, "in 2 min")])
def test_how_long_until(seconds: float, words: str) -> None:
    assert templates.until(datetime.now(UTC) + timedelta(seconds=seconds)) == words


def test_long_ago_is_a_date() -> None:
    assert templates.ago(datetime(2025, 3, 4, tzinfo=UTC)) == "4 Mar 2025"


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.42, "0.4 s"), (9.96, "10 s"), (59.4, "59 s"), (60, "1 min"), (125, "2 min 5 s"), (3780, "1 h 3 min")],
)
def test_durations_in_words(value: float, words: str) -> None:
    assert templates.seconds(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, ""),
        (4.9, ""),
        (7, "in about 10 s"),
        (52, "in about 55 s"),
        (58, "in about 1 min"),
        (125, "in about 2 min"),
        (50 * 60, "in about 50 min"),
        (58 * 60, "in about 1 h"),
        (5 * 3600, "in about 5 h"),
    ],
)
def test_roughly_when(seconds: float, words: str) -> None:
    assert templates.about(datetime.now(UTC) + timedelta(seconds=seconds + 0.05)) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, ""), (9, ""), (10, "10 s so far"), (59, "59 s so far"), (150, "2 min so far")]
)
def test_how_long_so_far(seconds: float, words: str) -> None:
    assert templates.so_far(datetime.now(UTC) - timedelta(seconds=seconds + 0.2)) == words


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"), (21, "21st"),
     (102, "102nd"), (111, "111th"), (1013, "1,013th")],
)  # fmt: skip
def test_places_in_a_row(number: int, words: str) -> None:
    assert templates.ordinal(number) == words


@pytest.mark.parametrize(("value", "words"), [(5.2, "0:05"), (65, "1:05"), (3723, "1:02:03")])
def test_durations_as_players_show_them(value: float, words: str) -> None:
    assert templates.clock(value) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(812, "812 B"), (45_300, "45 kB"), (1_240_000, "1.2 MB"), (12_400_000, "12 MB"), (3_100_000_000, "3.1 GB")],
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert templates.filesize(count) == words


def test_models_are_shown_by_their_own_name() -> None:
    assert templates.short_model(f"stability-ai/sdxl:{'0' * 64}") == "sdxl"


@pytest.mark.parametrize(("width", "height"), [(512, 512), (1920, 1080), (1080, 1920), (1024, 1000), (768, 1344)])
def test_the_class_of_a_card_has_its_proportions_to_one_part_in_a_hundred(width: int, height: int) -> None:
    classes = dict(
        re.findall(r"\.(ratio-\d+)\s*\{\s*--ratio:\s*([\d.]+)", (ROOT / "static/css/ratios.css").read_text())
    )
    card = CardView(Card(Job(parameters=f'{{"width": {width}, "height": {height}}}'), []))
    assert float(classes[card.ratio_class]) == pytest.approx(width / height, rel=0.011)


@pytest.mark.parametrize(("width", "height"), [(100_000, 1), (1, 100_000)])
def test_extreme_proportions_have_a_class_too(width: int, height: int) -> None:
    card = CardView(Card(Job(parameters=f'{{"width": {width}, "height": {height}}}'), []))
    assert f".{card.ratio_class} " in (ROOT / "static/css/ratios.css").read_text().replace("{", " {")

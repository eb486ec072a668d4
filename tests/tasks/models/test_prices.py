"""Prices as Replicate writes them: with their units, tiers and criteria, or refused."""

from datetime import date
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from tasks.models import prices
from tasks.models.prices import Listed, UnreadablePrice, parsed
from tasks.models.tariffs import Price

pytestmark = pytest.mark.once

NAMES = sorted(msgspec.json.decode(prices.TABLE.read_bytes()))


def price(**fields: Any) -> Price:
    return parsed(msgspec.convert(fields, Listed), "https://replicate.com/a/b", date(2026, 10, 1))


def charged(amount: str, title: str) -> Fraction:
    """Return the micro-dollars of one unit."""
    tier = price(tiers=[{"prices": [{"metric": "units", "price": amount, "title": title}]}]).tiers[0]
    return tier.amount({"units": 1})


@pytest.mark.parametrize("name", NAMES)
def test_every_price_of_our_table_can_be_read(name: str) -> None:
    found = prices.shipped(name)
    assert found is not None
    assert found.tiers
    assert found.source == f"https://replicate.com/{name}"
    assert all(charge.micros > 0 for tier in found.tiers for charge in tier.charges)


def test_a_version_costs_what_its_model_costs() -> None:
    assert prices.shipped(f"{NAMES[0]}:{'0' * 64}") == prices.shipped(NAMES[0])
    assert prices.shipped("nobody/nothing") is None


@pytest.mark.parametrize(
    ("amount", "title", "micros"),
    [
        ("$0.09", "per second of output video", 90_000),
        ("$3.00", "per thousand output images", 3_000),
        ("$0.30", "per million input tokens", Fraction(3, 10)),
        ("$2", "per hundred images", 20_000),
        ("$2.50", "per 1,000 output images", 2_500),
        ("$0.1028", "Per Second", 102_800),
        ("$8", "per run", 8_000_000),
    ],
)
def test_a_price_is_for_what_its_title_says(amount: str, title: str, micros: Fraction) -> None:
    assert charged(amount, title) == micros


@pytest.mark.parametrize(
    ("amount", "title"),
    [
        ("$8", ""),
        ("$8", "output images"),
        ("$8", "per"),
        ("$8", "per 0 images"),
        ("free", "per image"),
        ("8", "per run"),
    ],
)
def test_a_price_that_does_not_say_all_is_refused(amount: str, title: str) -> None:
    with pytest.raises(UnreadablePrice):
        charged(amount, title)


def test_compute_is_charged_by_the_second() -> None:
    assert price(price="$0.000975 per second").tiers[0].amount({"predict_time": 2}) == 1950


@pytest.mark.parametrize(
    ("used", "micros"),
    [
        ({"resolution_target": "720p", "units": 2}, 20),
        ({"resolution_target": "720P", "units": 2}, 20),
        ({"resolution_target": "1080p", "image_output_pixel_count": 1, "units": 1}, 20),
        ({"resolution_target": "1080p", "image_output_pixel_count": 100, "units": 1}, 20),
        ({"resolution_target": "1080p", "image_output_pixel_count": 101, "units": 1}, 30),
        ({"resolution_target": "1080p", "image_output_pixel_count": 0, "units": 1}, None),
        ({"units": 1}, None),
    ],
)
def test_the_first_tier_whose_criteria_all_fit_counts(used: dict[str, Any], micros: int | None) -> None:
    def tier(micros: int, *criteria: dict[str, Any]) -> dict[str, Any]:
        return {
            "prices": [{"metric": "units", "price": f"$0.{micros:06}", "title": "per unit"}],
            "criteria": list(criteria),
        }

    def pixels(low: int, high: int | None) -> dict[str, Any]:
        return {"type": "range", "title": "output image pixel", "value": [low, high]}

    tiers = [
        tier(10, {"type": "equals", "title": "target resolution", "value": "720p"}),
        tier(20, pixels(0, 100)),
        tier(30, pixels(100, None)),
    ]
    found = price(tiers=tiers).tier(used)
    assert (found and found.amount(used)) == micros


@pytest.mark.parametrize(
    "criterion",
    [
        {"type": "like", "title": "x", "value": "y"},
        {"type": "equals", "title": "x", "value": None},
        {"type": "range", "title": "x", "value": 1},
    ],
)
def test_criteria_of_another_form_are_refused(criterion: dict[str, Any]) -> None:
    charges = [{"metric": "units", "price": "$1", "title": "per unit"}]
    with pytest.raises(UnreadablePrice):
        price(tiers=[{"prices": charges, "criteria": [criterion]}])


@pytest.mark.parametrize(
    ("criterion", "words"),
    [
        ({"type": "equals", "title": "target resolution", "value": "4K"}, "resolution target 4K"),
        ({"type": "equals", "title": "with audio", "value": False}, "with audio false"),
        ({"type": "range", "title": "output image pixel", "value": [1000, 2000]}, "over 1000 up to 2000"),
        ({"type": "range", "title": "output image pixel", "value": [None, 1000]}, "count up to 1000"),
    ],
)
def test_a_criterion_is_told_in_words(criterion: dict[str, Any], words: str) -> None:
    charge = {"metric": "run", "price": "$1", "title": "per run"}
    [found] = price(tiers=[{"prices": [charge], "criteria": [criterion]}]).tiers[0].criteria
    assert found.text.endswith(words)

"""Prices in a few words."""

from datetime import date
from typing import Any

import msgspec
import pytest

from tasks.models.price_words import in_short
from tasks.models.prices import Listed, parsed

PICTURE = {"metric": "image_output_count", "price": "$0.04", "title": "per output image"}
THOUSAND = {"metric": "image_output_count", "price": "$3.00", "title": "per thousand output images"}
SECOND = {"metric": "video_output_duration_seconds", "price": "$0.20", "title": "per second of output video"}
PIXELS = {"metric": "image_output_pixel_count", "price": "$0.01", "title": "per million output pixels"}


def tier(*charges: dict[str, str]) -> dict[str, Any]:
    return {"prices": list(charges)}


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        ({"tiers": [tier(PICTURE)]}, "$0.04 a picture"),
        ({"tiers": [tier(THOUSAND)]}, "$0.003 a picture"),
        ({"tiers": [tier(SECOND), tier({**SECOND, "price": "$0.10"})]}, "from $0.10 a second of video"),
        ({"tiers": [tier(PICTURE, PIXELS)]}, "$0.04 per output image, $0.01 per million output pixels"),
        ({"tiers": [tier(PIXELS)]}, "$0.01 per million output pixels"),
        ({"tiers": [tier(PICTURE), tier(SECOND)]}, "$0.04 per output image, or more"),
        ({"price": "$0.000225 per second"}, "$0.000225 a second of compute"),
        ({"price": "$0.000225 per second", "p50price": "$0.0015"}, "about $0.0015 a run"),
    ],
)
def test_a_price_is_said_in_a_few_words(listed: dict[str, Any], words: str) -> None:
    price = parsed(msgspec.convert(listed, Listed), "https://replicate.com/a/b", date(2026, 11, 30))
    assert in_short(price) == words

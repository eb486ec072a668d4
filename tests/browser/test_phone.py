"""The gallery on a phone: the first print is in sight, and what belongs to a narrow card is whole."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Darkroom

PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def phone(browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[Page]:
    context = browser.new_context(**browser_context_args | PHONE)
    yield context.new_page()
    context.close()


def test_the_first_print_is_in_sight_and_narrow_cards_have_ratings_and_a_menu(phone: Page, darkroom: Darkroom) -> None:
    sizes = ((64, 192), (64, 128), (192, 64))
    names = [darkroom.post("a phone fox", width=width, height=height) for width, height in sizes]
    for name in names:
        assert darkroom.finished(name)["status"] == "completed"
        httpx.patch(f"{darkroom.url}/jobs/{name}", json={"rating": 5, "favorite": True}).raise_for_status()
    phone.goto("/?q=phone+fox")
    first = phone.locator("#sheet .card").first.bounding_box()
    assert first is not None
    assert first["y"] + 40 < 740
    for name in names:
        card = phone.locator(f"#job-{name}")
        expect(card.locator(".card-uses")).to_be_visible()
        around = card.bounding_box()
        shown = [card.locator(".card-stars").bounding_box(), card.locator(".heart").bounding_box()]
        shown += [star.bounding_box() for star in card.locator(".star.is-set").all()]
        assert around is not None
        for box in filter(None, shown):
            assert around["x"] <= box["x"] <= box["x"] + box["width"] <= around["x"] + around["width"]
        seen = card.locator(".star.is-set").evaluate_all("stars => stars.filter(star => star.offsetWidth).length")
        number = card.locator(".card-stars").evaluate("stars => getComputedStyle(stars, '::after').content")
        assert (seen, number) in ((5, "none"), (1, '"5"'))

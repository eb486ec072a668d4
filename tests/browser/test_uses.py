"""The menu on a card that lists what its print can be used for."""

from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.access import axe_finds_nothing
from tests.browser.conftest import Darkroom


@pytest.fixture(scope="module")
def made(darkroom: Darkroom) -> UUID:
    job_id = darkroom.post("a thing of many uses", width=96, height=64)
    assert darkroom.finished(job_id)["status"] == "completed"
    return job_id


def test_the_menu_is_opened_by_key_outlives_a_change_of_its_card_and_is_closed_by_escape(
    page: Page, darkroom: Darkroom, made: UUID
) -> None:
    page.goto("/?q=many+uses")
    page.locator(f"#job-{made}-link").focus()
    page.keyboard.press("u")
    menu = page.get_by_role("dialog", name="Use this print")
    expect(menu.get_by_role("link", name="Use again")).to_be_focused()
    httpx.patch(f"{darkroom.url}/jobs/{made}", json={"rating": 3}).raise_for_status()
    expect(page.locator(f"#job-{made}-rate-3")).to_have_attribute("aria-pressed", "true")
    expect(menu).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(page.locator(f"#job-{made}-link")).to_be_focused()
    page.keyboard.press("u")
    menu.get_by_role("link", name="Use prompt").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a thing of many uses")


@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_in_the_menu_which_is_whole_and_large_enough_for_fingers(
    page: Page, made: UUID, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 640})
    page.goto("/?q=many+uses")
    page.locator(f"#job-{made}").hover()
    opener = page.locator(f"#job-{made}-uses")
    opener.click()
    links = page.locator("#uses-menu a")
    expect(links).to_have_count(5)
    for box in [opener.bounding_box(), *(link.bounding_box() for link in links.all())]:
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width
        assert 0 <= box["y"] <= box["y"] + box["height"] <= 640
    axe_finds_nothing(page)
    opener.click(force=True)
    expect(links.first).to_be_hidden()


def test_without_script_it_is_a_link_to_the_uses_on_the_prints_page(no_script: Page, made: UUID) -> None:
    no_script.goto("/?q=many+uses")
    no_script.locator(f"#job-{made}-uses").click()
    expect(no_script.locator("#uses").get_by_role("link", name="Variation")).to_be_in_viewport()

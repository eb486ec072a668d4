"""Several results on one card: marks, keys and the trash mean one of them."""

from typing import Any
from urllib.parse import unquote
from uuid import UUID

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import Darkroom
from tests.waiting import wait_until

FLUX = "black-forest-labs/flux-schnell"


def made(darkroom: Darkroom, prompt: str, count: int = 4) -> UUID:
    job_id = darkroom.post(prompt, FLUX, num_outputs=count, aspect_ratio="3:2")
    assert darkroom.finished(job_id)["status"] == "completed"
    return job_id


def marks(darkroom: Darkroom, job_id: UUID, name: str) -> list[Any]:
    """Return a member of each output, None where it is absent."""
    return [output.get(name) for output in darkroom.status(job_id)["outputs"]]


def cell(page: Page, job_id: UUID, at: int) -> Locator:
    return page.locator(f"#job-{job_id} .card-cell").nth(at)


@pytest.mark.main_path
def test_the_mouse_and_the_keys_mean_one_result(page: Page, darkroom: Darkroom) -> None:
    job_id = made(darkroom, "four harbors of one job")
    page.goto("/?q=four+harbors")
    card = page.locator(f"#job-{job_id}")
    expect(card.locator(".card-cell")).to_have_count(4)
    cell(page, job_id, 2).hover()
    heart = page.locator(f"#job-{job_id}-favorite")
    around, box = cell(page, job_id, 2).bounding_box(), heart.bounding_box()
    assert around is not None
    assert box is not None
    assert around["x"] <= box["x"] <= box["x"] + box["width"] <= around["x"] + around["width"] + 1
    assert around["y"] <= box["y"] <= box["y"] + box["height"] <= around["y"] + around["height"] + 1
    heart.click()
    expect(cell(page, job_id, 2).locator(".heart")).to_be_attached()
    expect(heart).to_have_attribute("aria-pressed", "true")  # it still means this one
    assert marks(darkroom, job_id, "favorite") == [None, None, True, None]

    page.locator(f"#job-{job_id}-link").focus()  # the mouse rests on another one
    expect(heart).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("ArrowRight")
    expect(cell(page, job_id, 1)).to_be_focused()
    page.keyboard.press("4")
    expect(cell(page, job_id, 1).get_by_label("Rating: 4 of 5")).to_be_attached()
    page.keyboard.press("f")
    wait_until(lambda: marks(darkroom, job_id, "favorite") == [None, True, True, None])
    assert marks(darkroom, job_id, "rating") == [None, 4, None, None]
    page.keyboard.press("u")
    menu = page.get_by_role("dialog", name="Use this print")
    address = menu.get_by_role("link", name="Use as input").get_attribute("href") or ""
    assert darkroom.status(job_id)["outputs"][1]["url"] in unquote(address)
    page.keyboard.press("Escape")
    axe_finds_nothing(page)
    cell(page, job_id, 1).focus()
    page.keyboard.press("Delete")
    expect(card.locator(".card-cell")).to_have_count(3)
    assert marks(darkroom, job_id, "trashed") == [None, True, None, None]
    page.locator("#done").get_by_role("button", name="Undo").click()
    expect(card.locator(".card-cell")).to_have_count(4)


def test_in_the_lightbox_the_marks_are_those_of_the_result_that_is_shown(page: Page, darkroom: Darkroom) -> None:
    job_id = made(darkroom, "four lamps of one job")
    page.goto("/?q=four+lamps")
    cell(page, job_id, 2).click()
    expect(page.locator(".pswp__place")).to_have_text("Result 3 of 4")
    page.keyboard.press("f")
    heart = page.locator(".pswp__button--favorite")
    expect(heart).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".pswp__place")).to_have_text("Result 4 of 4")
    expect(heart).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("2")
    wait_until(lambda: marks(darkroom, job_id, "rating") == [None, None, None, 2])
    assert marks(darkroom, job_id, "favorite") == [None, None, True, None]
    page.keyboard.press("Delete")
    wait_until(lambda: marks(darkroom, job_id, "trashed") == [None, None, None, True])


@pytest.mark.parametrize("script", [True, False])
def test_on_its_page_each_result_has_its_marks_and_only_the_favorites_are_kept(
    page: Page, no_script: Page, darkroom: Darkroom, script: bool
) -> None:
    job_id, shown = made(darkroom, f"four boats, script {script}"), page if script else no_script
    shown.goto(f"/jobs/{job_id}")
    expect(shown.get_by_role("button", name="Keep only the favorites")).to_have_count(0)
    shown.get_by_role("button", name="Favorite: result 2").click()
    shown.get_by_role("group", name="Rating of result 3").get_by_role("button", name="5 stars").click()
    expect(shown.get_by_role("group", name="Rating of result 3: 5 of 5")).to_be_visible()
    if script:
        page.locator(f"#job-{job_id}-output-1-link").focus()
        page.keyboard.press("f")
        expect(shown.get_by_role("button", name="Favorite: result 1")).to_have_attribute("aria-pressed", "true")
        axe_finds_nothing(page)
        nothing_overflows(page)
    kept = 2 if script else 1
    shown.get_by_role("button", name="Keep only the favorites").click()
    if not script:
        shown.goto(f"/jobs/{job_id}")
    expect(shown.locator(".print")).to_have_count(kept)
    shown.get_by_role("button", name="Restore result 3").click()
    if not script:
        shown.goto(f"/jobs/{job_id}")
    expect(shown.locator(".print")).to_have_count(kept + 1)
    assert marks(darkroom, job_id, "rating") == [None, None, 5, None]

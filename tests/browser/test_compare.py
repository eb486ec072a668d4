"""Comparing prints: side by side, with a slider, and one after the other."""

from uuid import UUID

import pytest
from playwright.sync_api import Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import Darkroom


@pytest.fixture(scope="module")
def prints(darkroom: Darkroom) -> list[UUID]:
    """Make three finished prints, and one that failed."""
    darkroom.script({"on": "create", "match": "compared failed", "do": "fail_prediction", "error": "NSFW"})
    ids = [darkroom.post(f"compared {name}", seed=at) for at, name in enumerate(("red", "blue", "green", "failed"))]
    for job_id in ids:
        darkroom.finished(job_id)
    return ids


def address(*ids: UUID) -> str:
    return "/compare?" + "&".join(f"job={job_id}" for job_id in ids)


def test_two_lie_one_over_the_other_with_a_slider(page: Page, prints: list[UUID]) -> None:
    page.goto(address(*prints[:2]))
    first, second = page.get_by_alt_text("A: compared red"), page.get_by_alt_text("B: compared blue")
    apart = [first.bounding_box(), second.bounding_box()]
    assert apart[0] is not None
    assert apart[1] is not None
    assert apart[0]["x"] + apart[0]["width"] <= apart[1]["x"]
    page.get_by_role("button", name="Slider").click()
    assert first.bounding_box() == second.bounding_box()
    slider = page.get_by_role("slider")
    slider.fill("25")
    cut = "getComputedStyle(document.querySelector('#sample-A .sample-face')).clipPath"
    assert "75%" in page.evaluate(cut)
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_value("100")
    page.get_by_role("button", name="Side by side").click()
    expect(slider).to_be_hidden()


def test_three_are_flipped_through_by_pointing_or_by_letter(page: Page, prints: list[UUID]) -> None:
    page.goto(address(*prints[:3]))
    expect(page.get_by_role("button", name="Slider")).to_have_count(0)
    page.get_by_role("button", name="Flip").click()
    expect(page.locator("#sample-A")).to_be_visible()
    expect(page.locator("#sample-B")).to_be_hidden()
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    page.mouse.move(stage["x"] + stage["width"] * 0.9, stage["y"] + stage["height"] / 2)
    expect(page.locator("#sample-C")).to_be_visible()
    expect(page.locator("#sample-A")).to_be_hidden()
    page.get_by_role("button", name="B", exact=True).press("Enter")
    expect(page.locator("#sample-B")).to_be_visible()


def test_without_javascript_they_stand_side_by_side(no_script: Page, prints: list[UUID]) -> None:
    no_script.goto(address(*prints[:2]))
    expect(no_script.get_by_alt_text("A: compared red")).to_be_visible()
    expect(no_script.get_by_alt_text("B: compared blue")).to_be_visible()
    assert no_script.locator("mark").all_inner_texts() == ["red", "blue", "1"]
    no_script.get_by_text("Identical").click()
    expect(no_script.get_by_text("stability-ai/sdxl")).to_be_visible()
    no_script.goto(address(prints[0]))
    expect(no_script.get_by_role("heading", name="Cannot compare these prints")).to_be_visible()


def test_axe_finds_nothing_in_a_comparison_and_it_fits_everywhere(page: Page, prints: list[UUID]) -> None:
    page.goto(address(*prints))
    axe_finds_nothing(page)
    nothing_overflows(page)

"""Matrices in a real browser: written, counted, sent, and watched as they develop on their own page."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import Darkroom
from tests.waiting import wait_until

LONG = 60_000  # milliseconds
SMALL = {"width": 64, "height": 64}


def posted(darkroom: Darkroom, **body: object) -> str:
    """Send a matrix as a program does. Returns the batch's id."""
    answer = httpx.post(f"{darkroom.url}/batches", json={"parameters": SMALL} | body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["batch_id"])


def counts(darkroom: Darkroom, batch_id: str) -> dict[str, int]:
    return dict(httpx.get(f"{darkroom.url}/batches/{batch_id}.json").json()["counts"])


def test_a_matrix_is_counted_as_it_is_written_sent_and_watched(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    page.evaluate("window.stayed = true")
    page.get_by_label("Prompt", exact=True).click()
    page.get_by_label("Width", exact=True).fill("64")
    page.get_by_label("Height", exact=True).fill("64")
    page.get_by_label("Prompt", exact=True).fill("{amber|jade} stones by the {sea|road}")
    expect(page.locator("#matrix-count")).to_have_text("4 prompts = 4 prints")
    page.locator("#matrix-summary").click()
    page.get_by_label("Seeds").fill("5, 6")
    expect(page.locator("#matrix-count")).to_contain_text("= 8 prints")
    page.get_by_label("Prompt", exact=True).press("Control+Enter")
    link = page.get_by_role("link", name="See the matrix")
    expect(link).to_be_visible()
    expect(page.locator("#done")).to_contain_text("Queued 8 prints.")
    expect(page.locator("#composer-place")).not_to_have_attribute("data-open", "")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("")
    expect(page.get_by_label("Prompt", exact=True)).to_be_focused()
    expect(page.locator("#seeds")).to_have_value("")
    expect(page.locator("#matrix-count")).to_have_text("")
    expect(page.locator("#sheet article", has_text="jade stones by the road")).to_have_count(2, timeout=LONG)
    assert page.evaluate("window.stayed")
    link.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("{amber|jade} stones by the {sea|road}")
    expect(page.get_by_role("columnheader", name="Seed 6")).to_have_count(2)
    expect(page.get_by_role("rowheader", name="sea")).to_have_count(2)
    expect(page.locator("#batch-sum")).to_have_text("8 of 8 finished", timeout=LONG)
    expect(page.locator('#batch-grid article[data-status="completed"]')).to_have_count(8)
    page.get_by_role("link", name="Use again").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("{amber|jade} stones by the {sea|road}")
    expect(page.locator("#seeds")).to_have_value("5, 6")
    expect(page.locator("#matrix-count")).to_contain_text("= 8 prints")


def test_prints_develop_in_their_cells_and_what_is_left_is_cancelled(page: Page, darkroom: Darkroom) -> None:
    darkroom.script(
        {"on": "create", "match": "slow cell", "do": "run", "seconds": 90, "times": 0},
        {"on": "create", "match": "later cell", "do": "run", "seconds": 4, "times": 0},
    )
    batch_id = posted(darkroom, prompt="a {slow|later} cell of {clay|chalk}")
    page.goto(f"/batches/{batch_id}")
    page.evaluate("window.stayed = true")
    expect(page.locator("#batch-sum")).to_have_text("2 of 4 finished", timeout=LONG)
    later = page.get_by_role("row", name=re.compile("^later"))
    expect(later.locator('article[data-status="completed"]')).to_have_count(2, timeout=LONG)
    cancel = page.get_by_role("button", name="Cancel remaining")
    cancel.click()
    expect(page.locator("#batch-sum")).to_have_text("2 of 4 finished, 2 canceled", timeout=LONG)
    expect(page.locator('article[data-status="canceled"]')).to_have_count(2, timeout=LONG)
    expect(cancel).to_have_count(0)
    assert page.evaluate("window.stayed")
    assert counts(darkroom, batch_id)["canceled"] == 2


def test_a_grid_that_missed_events_is_right_again_when_the_stream_is_back(page: Page, darkroom: Darkroom) -> None:
    batch_id = posted(darkroom, prompt="a missed cell of {tin|zinc}")
    page.goto(f"/batches/{batch_id}")
    expect(page.locator("#batch-sum")).to_have_text("2 of 2 finished", timeout=LONG)
    missed = page.locator("#batch-grid article").first
    missed.evaluate("card => { card.dataset.status = 'running'; card.textContent = 'as if it still ran'; }")
    page.evaluate("document.dispatchEvent(new Event('htmx:sse:after:connection'))")
    expect(missed).to_have_attribute("data-status", "completed")
    expect(missed.get_by_alt_text("a missed cell of tin")).to_be_visible()


def test_prints_are_selected_in_their_grid_and_those_in_the_trash_leave_cells_that_bring_them_back(
    page: Page, darkroom: Darkroom
) -> None:
    page.goto(f"/batches/{posted(darkroom, prompt='a selected cell of {oak|elm|ash}')}")
    expect(page.locator("#batch-sum")).to_have_text("3 of 3 finished", timeout=LONG)
    page.locator("#selection-mode").check()
    for number in range(2):
        page.locator(".card-select").nth(number).check()
    expect(page.locator("#selection-count")).to_have_text("2 selected")
    expect(page.locator("#selection-matching")).to_have_text("All 3 that match")
    page.locator("#selection-trash").click()
    gone = page.locator("#batch-grid .grid-gone")
    expect(gone).to_have_text([re.compile("In the trash")] * 2)
    expect(page.locator("#selection-count")).to_have_text("0 selected")
    gone.first.get_by_role("button").press("Enter")
    expect(page.locator("#batch-grid li").first.locator("article")).to_be_visible()
    expect(page.locator("#batch-grid li").first.get_by_role("link").first).to_be_focused()
    page.locator("#batch-grid article").first.hover()
    page.locator("#batch-grid article").first.get_by_role("button", name="Move to the trash").press("Enter")
    expect(gone.first.get_by_role("button", name="Restore")).to_be_focused()


def test_too_large_a_matrix_is_told_and_nothing_is_sent(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    page.get_by_label("Prompt", exact=True).fill("{a|b}" * 9)
    expect(page.locator("#matrix-count")).to_contain_text("512 prints; the maximum is 256")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("alert").first).to_contain_text("That makes 512 prints; the maximum is 256.")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("{a|b}" * 9)


def test_the_chosen_model_is_no_further_one(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    page.get_by_label("Prompt", exact=True).click()
    page.locator("#matrix-summary").click()
    boxes = page.locator("#models")
    expect(boxes.get_by_text("sdxl", exact=True)).to_be_hidden()
    page.get_by_label("Model", exact=True).fill("flux")
    page.get_by_label("Model", exact=True).press("Enter")
    expect(boxes.get_by_text("flux-schnell", exact=True)).to_be_hidden()
    boxes.get_by_text("sdxl", exact=True).click()
    expect(page.locator("#matrix-count")).to_have_text("2 models = 2 prints")


def test_without_javascript_a_matrix_is_counted_sent_and_cancelled(no_script: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "scriptless stones", "do": "run", "seconds": 90, "times": 0})
    no_script.goto("/")
    no_script.get_by_label("Prompt", exact=True).fill("scriptless stones by the {sea|road}")
    no_script.get_by_label("Width", exact=True).fill("64")
    no_script.get_by_label("Height", exact=True).fill("64")
    no_script.locator("#matrix-summary").click()
    no_script.get_by_label("Seeds").fill("2 seeds")
    no_script.get_by_role("button", name="Count").click()
    expect(no_script.locator("#matrix-count")).to_contain_text("= 4 prints")
    expect(no_script.get_by_label("Prompt", exact=True)).to_have_value("scriptless stones by the {sea|road}")
    no_script.get_by_role("button", name="Generate").click()
    expect(no_script).to_have_url(re.compile(f"{darkroom.url}/batches/"))
    expect(no_script.locator("#batch-grid article")).to_have_count(4)
    no_script.get_by_role("button", name="Cancel remaining").click()
    batch_id = no_script.url.rpartition("/")[2]
    wait_until(lambda: counts(darkroom, batch_id)["canceled"] == 4, 30)
    no_script.reload()
    expect(no_script.locator("#batch-sum")).to_have_text("0 of 4 finished, 4 canceled")


@pytest.mark.parametrize("axes", ["line", "sections"])
def test_axe_finds_nothing_on_the_page_of_a_batch_and_nothing_overflows(
    page: Page, darkroom: Darkroom, axes: str
) -> None:
    darkroom.script(
        {"on": "create", "match": "axe cell bad", "do": "fail_prediction", "error": "NSFW", "times": 0},
        {"on": "create", "match": "axe cell run", "do": "run", "seconds": 90, "times": 0},
    )
    prompts = {
        "line": "axe cell {good|bad|run}",
        "sections": "{an|the} axe cell {good|bad|run}",
    }
    batch_id = posted(darkroom, prompt=prompts[axes], seeds=[1, 2] if axes == "sections" else None)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.goto(f"/batches/{batch_id}")
    expect(page.locator('article[data-status="completed"]').first).to_be_visible(timeout=LONG)
    expect(page.locator('article[data-status="failed"]').first).to_be_visible(timeout=LONG)
    if axes == "sections":
        page.locator('article[data-status="failed"] [data-action="trash"] button').first.dispatch_event("click")
        expect(page.locator(".grid-gone")).to_be_visible()
    axe_finds_nothing(page)
    nothing_overflows(page)
    httpx.post(f"{darkroom.url}/batches/{batch_id}/cancel")


def test_axe_finds_nothing_in_an_open_matrix(page: Page, darkroom: Darkroom) -> None:
    page.goto("/?prompt=" + "{a|b} fox&seeds=three&models=google/nano-banana")
    expect(page.locator("#matrix-count")).to_contain_text("Seeds must be a list")
    axe_finds_nothing(page)
    nothing_overflows(page)

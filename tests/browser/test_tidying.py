"""Tidying in a real browser: marks, selections, the trash and its undo, all of it also without JavaScript."""

import json
import zipfile
from uuid import UUID, uuid4

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import Darkroom
from tests.waiting import wait_until


def made(darkroom: Darkroom, count: int = 1) -> tuple[str, list[UUID]]:
    """Make prints with a word that no others have. Returns the word and their ids, newest first."""
    word = f"w{uuid4().hex[:12]}"
    ids = [darkroom.post(f"a fox {word}") for _ in range(count)]
    for job_id in ids:
        assert darkroom.finished(job_id)["status"] == "completed"
    return word, list(reversed(ids))


def in_trash(darkroom: Darkroom, ids: list[UUID]) -> list[bool]:
    return ["trashed_at" in darkroom.status(job_id) for job_id in ids]


def test_a_favorite_is_seen_at_once_in_another_tab(page: Page, darkroom: Darkroom) -> None:
    _, [job_id] = made(darkroom)
    page.goto("/")
    other = page.context.new_page()
    other.goto("/")
    heart = f"#job-{job_id}-favorite"
    page.locator(f"#job-{job_id}").hover()
    page.locator(heart).click()
    for tab in (page, other):
        expect(tab.locator(heart)).to_have_attribute("aria-pressed", "true")
    assert darkroom.status(job_id)["favorite"] is True
    page.locator(heart).click()
    expect(other.locator(heart)).to_have_attribute("aria-pressed", "false")


@pytest.mark.main_path
def test_a_range_goes_to_the_trash_and_comes_back_with_undo(page: Page, darkroom: Darkroom) -> None:
    word, ids = made(darkroom, 4)
    page.goto(f"/?q={word}")
    page.locator(f"#job-{ids[0]}").hover()
    page.locator(f"#job-{ids[0]}-select").check()
    page.locator(f"#job-{ids[2]}-select").click(modifiers=["Shift"])
    expect(page.locator("#selection-count")).to_have_text("3 selected")
    expect(page.locator("#selection-matching")).to_have_text("All 4 that match")
    page.locator(f"#job-{ids[1]}-link").click()  # a click on a picture deselects it, and does not open it
    expect(page.locator("#selection-count")).to_have_text("2 selected")
    page.locator(f"#job-{ids[1]}-link").click()
    page.locator("#selection-trash").click()
    expect(page.locator("#done")).to_contain_text("Moved 3 prints to the trash.")
    expect(page.locator("#sheet .card")).to_have_count(1)
    expect(page.locator("#selection")).to_be_hidden()
    assert in_trash(darkroom, ids) == [True, True, True, False]
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#sheet .card")).to_have_count(4)
    assert page.locator("#sheet .card").evaluate_all("cards => cards.map(card => card.id)") == [
        f"job-{job_id}" for job_id in ids
    ]
    assert in_trash(darkroom, ids) == [False] * 4


def test_all_that_match_are_tagged_and_what_is_selected_survives_live_changes(page: Page, darkroom: Darkroom) -> None:
    word, ids = made(darkroom, 2)
    page.goto(f"/?q={word}")
    box = page.locator(f"#job-{ids[0]}-select")
    box.check(force=True)
    httpx.patch(f"{darkroom.url}/jobs/{ids[0]}", json={"rating": 3})
    expect(page.locator(f"#job-{ids[0]}-rate-3")).to_have_attribute("aria-pressed", "true")
    expect(box).to_be_checked()
    page.locator("#selection-all").check()
    page.locator("#selection-tag-summary").click()
    page.locator("#selection-tag-name").fill("Sea side")
    page.keyboard.press("Enter")
    expect(page.locator("#done")).to_contain_text("Tagged 2 prints “sea side”.")
    assert [darkroom.status(job_id)["tags"] for job_id in ids] == [["sea side"]] * 2


def test_the_tag_button_of_a_card_asks_for_the_tag(page: Page, darkroom: Darkroom) -> None:
    word, [job_id] = made(darkroom)
    page.goto(f"/?q={word}")
    page.locator(f"#job-{job_id}-tag").dispatch_event("click")
    expect(page.locator("#selection-tag-name")).to_be_focused()
    page.keyboard.type("night")
    page.keyboard.press("Enter")
    wait_until(lambda: darkroom.status(job_id).get("tags") == ["night"])


@pytest.mark.main_path
def test_tags_and_notes_are_kept_on_the_page_of_a_print(page: Page, darkroom: Darkroom) -> None:
    _, [job_id] = made(darkroom)
    page.goto(f"/jobs/{job_id}")
    page.get_by_label("New tag").fill("one, two")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="two", exact=True)).to_be_visible()
    expect(page.get_by_label("New tag")).to_have_value("")
    page.get_by_role("button", name="Remove the tag one").click()
    expect(page.get_by_role("link", name="one", exact=True)).to_have_count(0)
    notes = page.get_by_label("Notes")
    notes.press_sequentially("for grandmother")
    expect(page.locator(".curation-saved")).to_have_text("Saved")
    assert darkroom.status(job_id)["notes"] == "for grandmother"
    expect(notes).to_be_focused()
    expect(notes).to_have_value("for grandmother")
    notes.press_sequentially(" and aunt")
    expect(page.locator(".curation-saved")).to_have_text("")
    page.goto("/collections")  # before the pause after which they are saved
    wait_until(lambda: darkroom.status(job_id)["notes"] == "for grandmother and aunt")


def test_without_script_notes_are_saved_by_a_button(no_script: Page, darkroom: Darkroom) -> None:
    _, [job_id] = made(darkroom)
    no_script.goto(f"/jobs/{job_id}")
    no_script.get_by_label("Notes").fill("for grandmother")
    no_script.get_by_role("button", name="Save").click()
    expect(no_script.get_by_label("Notes")).to_have_value("for grandmother")
    assert darkroom.status(job_id)["notes"] == "for grandmother"


def test_undo_is_offered_also_where_the_live_event_comes_before_the_answer(page: Page, darkroom: Darkroom) -> None:
    def late(route: Route) -> None:
        answer = route.fetch()
        page.wait_for_timeout(1000)  # meanwhile the event has removed the button
        route.fulfill(response=answer)

    _, [job_id] = made(darkroom)
    page.route("**/selection?job=*", late)
    page.goto(f"/jobs/{job_id}")
    page.get_by_role("button", name="Trash").click()
    expect(page.get_by_text("It is deleted permanently after 30 days.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("button", name="Trash")).to_be_visible()


@pytest.mark.main_path
def test_a_selection_is_downloaded_as_one_zip(page: Page, darkroom: Darkroom) -> None:
    word, ids = made(darkroom, 2)
    page.goto(f"/?q={word}")
    page.locator("#selection-mode").check()
    page.get_by_role("button", name="All in view").click()
    with page.expect_download() as downloading:
        page.locator("#selection-download").click()
    with zipfile.ZipFile(downloading.value.path()) as found:
        told = json.loads(found.read("metadata.json"))
    assert [shape["job_id"] for shape in told] == [str(job_id) for job_id in ids]


@pytest.mark.parametrize("place", ["selection", "trash", "collections", "job"])
def test_axe_finds_nothing_where_one_tidies_and_nothing_overflows(page: Page, darkroom: Darkroom, place: str) -> None:
    word, ids = made(darkroom, 2)
    form = {"action": "collect", "collection": word, "job": str(ids[0])}
    httpx.post(f"{darkroom.url}/selection", data=form).raise_for_status()
    httpx.patch(f"{darkroom.url}/jobs/{ids[0]}", json={"favorite": True, "rating": 4, "tags": ["sea"]})
    if place == "trash":
        httpx.patch(f"{darkroom.url}/jobs/{ids[0]}", json={"trashed": True}).raise_for_status()
    page.emulate_media(reduced_motion="reduce")
    paths = {"trash": f"/?q=in:trash+{word}", "collections": "/collections", "job": f"/jobs/{ids[0]}"}
    page.goto(paths.get(place, f"/?q={word}"))
    if place in ("selection", "trash"):
        page.locator("#selection-mode").check()
        page.locator(f"#job-{ids[0]}-select").check()
        page.locator("#selection-delete-summary" if place == "trash" else "#selection-rate-summary").click()
    axe_finds_nothing(page)
    nothing_overflows(page)


def test_without_script_a_selection_is_collected_thrown_away_and_brought_back(
    no_script: Page, darkroom: Darkroom
) -> None:
    word, ids = made(darkroom, 2)
    no_script.goto(f"/?q={word}")
    for job_id in ids:
        no_script.locator(f"#job-{job_id}-select").check(force=True)
    no_script.locator("#selection-collect-summary").click()
    no_script.locator("#selection-collection-name").fill(word)
    no_script.get_by_role("button", name="Add to collection").click()
    expect(no_script.get_by_role("status").filter(has_text="Added")).to_contain_text(f"Added 2 prints to “{word}”.")
    no_script.get_by_role("link", name="Back").click()
    no_script.locator("#selection-mode").check()
    no_script.locator("#selection-all").check()
    no_script.locator("#selection-trash").click()
    expect(no_script.get_by_text("Moved 2 prints to the trash.")).to_be_visible()
    no_script.get_by_role("button", name="Undo").click()
    expect(no_script).to_have_url(f"{darkroom.url}/?q={word}")
    assert in_trash(darkroom, ids) == [False, False]
    no_script.goto("/collections")
    no_script.get_by_role("link", name=word).click()
    expect(no_script.locator("#sheet .card")).to_have_count(2)


def test_without_script_a_print_is_marked_thrown_away_restored_and_deleted(no_script: Page, darkroom: Darkroom) -> None:
    word, [job_id] = made(darkroom)
    no_script.goto(f"/jobs/{job_id}")
    no_script.get_by_role("button", name="4 stars").click()
    no_script.get_by_role("button", name="Favorite").click()
    no_script.get_by_label("New tag").fill("sea")
    no_script.locator(f"#job-{job_id}-add-tag").click()
    shape = darkroom.status(job_id)
    assert (shape["rating"], shape["favorite"], shape["tags"]) == (4, True, ["sea"])
    no_script.get_by_role("button", name="Trash").click()
    no_script.goto(f"/?q=in:trash+{word}")
    no_script.locator(f"#job-{job_id}-restore").click(force=True)
    assert in_trash(darkroom, [job_id]) == [False]
    httpx.patch(f"{darkroom.url}/jobs/{job_id}", json={"trashed": True}).raise_for_status()
    no_script.goto(f"/jobs/{job_id}")
    no_script.locator("summary").filter(has_text="Delete permanently").click()
    no_script.get_by_role("button", name="Delete permanently").click()
    assert httpx.get(f"{darkroom.url}/status/{job_id}").status_code == 410
    assert httpx.get(f"{darkroom.url}/media/{job_id}.png").status_code == 404

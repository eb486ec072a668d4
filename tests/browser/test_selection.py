"""Select mode in a real browser: what is picked, what is asked first, and what a tab keeps."""

from uuid import UUID, uuid4

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Darkroom
from tests.waiting import wait_until

MANY = 101  # the first number of prints that is asked about


def ended(darkroom: Darkroom, count: int) -> str:
    """Submit prints and cancel them, which is the fastest way to many. Returns the word that finds them."""
    word = f"w{uuid4().hex[:12]}"
    body = {"prompt": f"{word} {{{'|'.join(map(str, range(count)))}}}", "parameters": {"width": 64, "height": 64}}
    batch = f"{darkroom.url}/batches/{httpx.post(f'{darkroom.url}/batches', json=body, timeout=30).json()['batch_id']}"
    httpx.post(f"{batch}/cancel", timeout=30).raise_for_status()

    def waiting() -> int:
        counts = httpx.get(f"{batch}.json").json()["counts"]
        return int(counts["queued"] + counts["running"])

    wait_until(lambda: waiting() == 0, within=60)
    return word


def ids(page: Page) -> list[UUID]:
    found = page.locator("#sheet .card").evaluate_all("cards => cards.map(card => card.id)")
    return [UUID(name.removeprefix("job-")) for name in found]


@pytest.mark.main_path
def test_in_select_mode_a_click_picks_and_the_tab_keeps_what_is_picked(page: Page, darkroom: Darkroom) -> None:
    word = ended(darkroom, 3)
    page.goto(f"/?q={word}")
    names, count, compare = ids(page), page.locator("#selection-count"), page.locator("#compare")
    page.locator("#selection-mode").check()
    page.locator(f"#job-{names[0]}-link").click()
    expect(count).to_have_text("1 selected")
    expect(page).to_have_url(f"{darkroom.url}/?q={word}")
    expect(compare).to_have_attribute("aria-disabled", "true")
    compare.click(force=True)
    expect(page.locator("#notice")).to_have_text("Select two to four prints to compare.")
    page.locator(f"#job-{names[2]}-link").click()
    expect(compare).to_have_attribute("aria-disabled", "false")
    compare.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 2 prints")
    page.goto(f"/?q={word}")
    expect(count).to_have_text("2 selected")
    expect(page.locator("#selection-matching")).to_have_text("All 3 that match")
    assert [page.locator(f"#job-{name}-select").is_checked() for name in names] == [True, False, True]
    page.goto("/?q=another")
    expect(page.locator("#selection")).to_be_hidden()
    page.goto(f"/?q={word}")
    expect(page.locator("#selection")).to_be_hidden()


@pytest.mark.main_path
def test_all_are_ticked_and_a_question_comes_before_they_go_to_the_trash(page: Page, darkroom: Darkroom) -> None:
    word = ended(darkroom, MANY)
    page.goto(f"/?q={word}")
    page.locator("#selection-mode").check()
    page.locator("#selection-all").check()
    open_boxes = page.locator(".card-select:not(:checked)")
    expect(open_boxes).to_have_count(0)
    page.locator("#older-link").scroll_into_view_if_needed()
    expect(page.locator("#older")).to_have_count(0)  # all are on the sheet, though not all in the document
    expect(open_boxes).to_have_count(0)
    page.locator("#selection-trash").click()
    done = page.locator("#done")
    expect(done).to_contain_text(f"Move {MANY} prints to the trash?")
    expect(page.get_by_role("button", name="Move to the trash", exact=True)).to_be_focused()
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(done).to_be_empty()
    page.keyboard.press("Control+Home")
    first = page.locator("#sheet > .sheet-day + .card").first
    first.hover()  # when the rows that come back stand still
    first.locator(".card-select").uncheck(force=True)
    expect(page.locator("#selection-all")).not_to_be_checked()
    expect(page.locator("#selection-count")).to_have_text(f"{MANY - 1} selected")
    page.locator("#selection-all").check()
    page.locator("#selection-trash").click()
    page.locator("#sure").click()
    expect(done).to_contain_text(f"Moved {MANY} prints to the trash.")
    expect(page.locator("#sheet .card")).to_have_count(0)

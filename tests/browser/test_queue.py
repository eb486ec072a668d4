"""The queue: its chip, its drawer and its page, how it is folded on the wall, and the button for what is new there."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import Darkroom
from tests.waiting import wait_until
from webapp.render.queue_tally import MAX_UNFOLDED

LONG = 60_000  # milliseconds


@pytest.fixture
def paused(darkroom: Darkroom) -> Iterator[str]:
    """Pause the queue for a test. Yields a word for its prompts."""
    cancel_all(darkroom)  # what earlier tests have left
    wait_until(lambda: waiting(darkroom) == 0, 60)
    httpx.post(f"{darkroom.url}/queue/pause")
    yield f"w{uuid4().hex[:12]}"
    cancel_all(darkroom)
    httpx.post(f"{darkroom.url}/queue/resume")


def cancel_all(darkroom: Darkroom) -> None:
    httpx.post(f"{darkroom.url}/selection", data={"action": "cancel", "all": "1", "q": "status:queued"})


def waiting(darkroom: Darkroom) -> int:
    return int(httpx.get(f"{darkroom.url}/queue.json").json()["waiting"])


def card(job_id: UUID) -> str:
    return f"#job-{job_id}"


def test_what_is_new_waits_while_one_reads_and_many_that_wait_become_one_card(
    page: Page, darkroom: Darkroom, paused: str
) -> None:
    wide = [darkroom.post(f"a wide fox {paused}", width=256, height=64) for _ in range(8)]
    page.set_viewport_size({"width": 400, "height": 300})
    page.goto("/")
    expect(page.locator(card(wide[-1]))).to_be_visible()
    page.evaluate("scrollTo(0, document.querySelector('#sheet').offsetTop + 300)")
    new = [darkroom.post(f"a new owl {paused} {number}") for number in range(3)]
    pill = page.locator("#new-pill")
    expect(pill).to_have_text("3 new")
    expect(page.locator(card(new[0]))).to_have_count(0)
    pill.press("Enter")
    for job_id in new:
        expect(page.locator(card(job_id))).to_be_visible()
    expect(pill).to_be_hidden()
    expect(page.locator(f"{card(new[-1])}-link")).to_be_focused()
    assert page.evaluate("scrollY") == 0

    page.set_viewport_size({"width": 1280, "height": 900})  # js/windowing.js leaves all of them in the document
    page.locator("#queue-link").focus()
    more = [darkroom.post(f"a hen {paused} {number}") for number in range(MAX_UNFOLDED)]
    count = len(wide) + len(new) + len(more)
    expect(page.locator("#queue-fold")).to_contain_text(f"{count} waiting", timeout=LONG)
    expect(page.locator("#sheet .card[data-status='queued']")).to_have_count(0)
    page.goto("/?q=status:queued")
    expect(page.locator("#sheet .card[data-status='queued']")).to_have_count(count)
    expect(page.locator("#queue-fold")).to_have_count(0)
    page.goto("/")
    expect(page.locator("#queue-fold-link")).to_be_visible()
    expect(page.locator("#sheet .card[data-status='queued']")).to_have_count(0)
    for job_id in [*wide, *new][: count - MAX_UNFOLDED]:
        httpx.post(f"{darkroom.url}/jobs/{job_id}/cancel").raise_for_status()
    expect(page.locator("#queue-fold-link")).to_have_count(0, timeout=LONG)
    for job_id in more:
        expect(page.locator(card(job_id))).to_be_attached(timeout=LONG)
    httpx.post(f"{darkroom.url}/queue/resume")
    for job_id in more:
        expect(page.locator(f"{card(job_id)}[data-status='completed']")).to_be_attached(timeout=LONG)
    expect(page.locator("#queue-link")).to_have_count(0, timeout=LONG)


@pytest.mark.main_path
def test_the_drawer_shows_the_queue_and_changes_it_by_keyboard(page: Page, darkroom: Darkroom, paused: str) -> None:
    first, second, third, last = [darkroom.post(f"fox {paused} {number}") for number in range(4)]
    page.goto("/")
    link = page.locator("#queue-link")
    expect(link).to_contain_text("4 waiting, on hold")
    link.press("Enter")
    rows = page.locator(".queue-row")
    expect(rows).to_have_count(4)
    axe_finds_nothing(page)
    page.locator(f"#queued-{last}-front").press("Enter")
    expect(rows.first).to_have_id(f"queued-{last}")
    expect(rows.last.locator("a")).to_be_focused()
    page.locator(f"#queued-{second}-cancel").press("Enter")
    expect(rows).to_have_count(3)
    expect(page.locator(".queue-count")).to_have_text("3 waiting, on hold")
    page.get_by_text("Cancel all waiting").press("Enter")
    expect(page.get_by_text("Cancel 3 prints? This cannot be undone.")).to_be_visible()
    axe_finds_nothing(page)
    page.get_by_role("button", name="Cancel 3 prints").press("Enter")
    expect(rows).to_have_count(0)
    assert {darkroom.status(job_id)["status"] for job_id in (first, second, third, last)} == {"canceled"}
    page.locator("#queue-hold").press("Enter")
    expect(page.locator("#queue-hold")).to_have_text("Pause")
    darkroom.script({"on": "create", "match": f"long {paused}", "do": "run", "seconds": 600})
    running = darkroom.post(f"a fox that runs long {paused}")
    expect(page.locator(f"#queued-{running} progress")).to_be_visible(timeout=LONG)
    page.locator(f"#queued-{running}-cancel").press("Enter")
    expect(rows).to_have_count(0, timeout=LONG)
    page.keyboard.press("Escape")
    expect(page.locator("#queue-drawer")).to_be_hidden()


def test_the_page_of_the_queue_works_without_script_and_axe_finds_nothing_there(
    page: Page, no_script: Page, darkroom: Darkroom, paused: str
) -> None:
    first, second, third = [darkroom.post(f"owl {paused} {number}") for number in range(3)]
    no_script.goto("/")
    no_script.locator("#queue-link").click()
    rows = no_script.locator(".queue-row")
    expect(rows).to_have_count(3)
    no_script.locator(f"#queued-{third}-front").click()
    expect(rows.first).to_have_id(f"queued-{third}")
    no_script.locator(f"#queued-{first}-cancel").click()
    expect(rows).to_have_count(2)
    page.goto("/queue")
    expect(page.locator(".queue-row")).to_have_count(2)
    axe_finds_nothing(page)
    nothing_overflows(page)
    no_script.get_by_text("Cancel all waiting").click()
    no_script.locator("#queue-cancel-all-button").click()
    expect(no_script).to_have_url(f"{darkroom.url}/queue")
    expect(rows).to_have_count(0)
    expect(page.locator(".queue-row")).to_have_count(0)
    assert darkroom.status(second)["status"] == "canceled"
    no_script.get_by_role("button", name="Resume").click()
    expect(no_script.get_by_role("button", name="Pause")).to_be_visible()

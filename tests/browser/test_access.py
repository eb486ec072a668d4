"""Accessibility: axe finds nothing, nothing overflows, and the keyboard reaches everything."""

from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import Darkroom

PAGES = [
    "gallery",
    "found",
    "unclear search",
    "faults",
    "job",
    "failed job",
    "running job",
    "film",
    "docs",
    "token",
    "error",
]


@pytest.fixture(scope="module")
def jobs(darkroom: Darkroom) -> Iterator[dict[str, UUID]]:
    """Yield a job in every state, by name."""
    darkroom.script(
        {"on": "create", "match": "axe failed", "do": "fail_prediction", "error": f"CUDA {'error' * 99}"},
        {"on": "create", "match": "axe retried", "do": "status", "status": 500, "headers": {"Retry-After": "600"}},
        {"on": "create", "match": "axe running", "do": "run", "seconds": 600},
    )
    jobs = {name: darkroom.post(f"axe {name}") for name in ("failed", "retried", "running", "done")}
    jobs |= {
        "film": darkroom.post("axe film", "minimax/hailuo-02"),
        "sound": darkroom.post("axe sound", "meta/musicgen"),
    }
    jobs |= {"several": darkroom.post("axe several", "black-forest-labs/flux-schnell", num_outputs=2)}
    for name in ("failed", "done", "film", "sound", "several"):
        darkroom.finished(jobs[name])
    yield jobs
    for name in ("retried", "running"):
        httpx.post(f"{darkroom.url}/jobs/{jobs[name]}/cancel")


def visit(page: Page, name: str, jobs: dict[str, UUID]) -> None:
    paths = {
        "gallery": "/",
        "found": "/?q=axe&sort=oldest",
        "unclear search": "/?q=status:tired",
        "faults": "/?model=&other_model=nonsense",
        "job": f"/jobs/{jobs['several']}",
        "failed job": f"/jobs/{jobs['failed']}",
        "running job": f"/jobs/{jobs['running']}",
        "film": f"/jobs/{jobs['film']}",
        "docs": "/docs",
        "token": "/settings/token",
        "error": "/nothing/here",
    }
    page.goto(paths[name])
    if name == "docs":
        page.get_by_role("button", name="POST /generate", exact=False).first.click()
        expect(page.locator(".opblock-body .microlight").first).to_be_visible()
    if name == "failed job":
        page.get_by_text("Original error").click()
    if name in ("found", "unclear search"):
        page.locator("#search-bar-help-summary" if name == "found" else "#search-bar-saved-summary").click()


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_in_the_dark_and_in_the_light(page: Page, jobs: dict[str, UUID], name: str) -> None:
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    visit(page, name, jobs)
    axe_finds_nothing(page)


def test_axe_finds_nothing_while_the_queue_is_halted_and_the_banner_fits(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "axe halted", "do": "status", "status": 401})
    page.goto("/")
    darkroom.post("axe halted")
    banner = page.locator("#halt")
    expect(banner).to_contain_text("Replicate rejects the API token.", timeout=60_000)
    axe_finds_nothing(page)
    nothing_overflows(page)
    darkroom.probe()
    expect(banner).to_have_text("", timeout=60_000)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_overflows_from_320_to_3840_pixels(page: Page, jobs: dict[str, UUID], name: str) -> None:
    visit(page, name, jobs)
    nothing_overflows(page)


def test_on_little_paper_the_word_for_what_happens_is_whole_or_not_there(page: Page, jobs: dict[str, UUID]) -> None:
    page.set_viewport_size({"width": 320, "height": 800})
    page.goto("/?q=axe+status:running")
    card = page.locator(f"#job-{jobs['running']}")
    for width in (41, 63, 85, 107, 129):
        card.evaluate("(card, width) => { card.style.flex = `0 0 ${width}px` }", width)
        assert card.evaluate("card => card.querySelector('.status strong').offsetHeight") < 24, width


def test_the_keyboard_reaches_the_composer_and_the_cards(page: Page, jobs: dict[str, UUID]) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"prompt", "model-search", "generate"} <= reached
    assert any(element.startswith("job-") and element.endswith("-link") for element in reached)


def test_focus_stays_where_it_was_when_its_card_changes(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "focused", "do": "run", "seconds": 5})
    page.goto("/")
    job_id = darkroom.post("a focused fox")
    link = page.locator(f"#job-{job_id}-link")
    expect(page.locator(f"#job-{job_id}")).to_have_attribute("data-status", "running", timeout=60_000)
    link.focus()
    expect(page.locator(f"#job-{job_id}")).to_have_attribute("data-status", "completed", timeout=60_000)
    expect(link).to_be_focused()

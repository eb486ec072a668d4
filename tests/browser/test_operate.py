"""/operate: accessible, no wider than the page, live, and complete without JavaScript."""

import json
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import Darkroom
from tests.waiting import wait_until

MODEL = "meta/musicgen"
WHY = "a very-long-reason-without-a-space-" * 5


@pytest.fixture(autouse=True)
def a_pause(darkroom: Darkroom) -> Iterator[None]:
    """Begin with one paused model, and end with none."""
    httpx.post(f"{darkroom.url}/queue/pause", json={"model": MODEL, "reason": WHY}).raise_for_status()
    yield
    for body in ({"model": MODEL}, {}):
        httpx.post(f"{darkroom.url}/queue/resume", json=body).raise_for_status()


@pytest.fixture
def a_failure(darkroom: Darkroom) -> None:
    """Have a print that failed with a long text."""
    rule = {"on": "create", "match": "operate failed", "do": "fail_prediction", "error": "It went wrong " * 19}
    httpx.post(f"{darkroom.standin}/_standin/faults", content=json.dumps([rule])).raise_for_status()
    sent = httpx.post(f"{darkroom.url}/generate", json={"prompt": "operate failed"}).raise_for_status().json()
    address = f"{darkroom.url}/status/{sent['job_id']}"
    wait_until(lambda: httpx.get(address).json()["status"] == "failed", within=60)


@pytest.mark.usefixtures("a_failure")
def test_axe_finds_nothing_in_the_dark_and_in_the_light(page: Page) -> None:
    page.goto("/operate")
    expect(page.get_by_role("button", name=f"Resume {MODEL}")).to_be_visible()
    page.get_by_text("Pause the queue").click()
    axe_finds_nothing(page)


@pytest.mark.usefixtures("a_failure")
def test_nothing_overflows_from_320_to_3840_pixels(page: Page) -> None:
    page.goto("/operate")
    nothing_overflows(page)


def test_what_changes_is_seen_without_a_reload_and_what_one_writes_stays(page: Page, darkroom: Darkroom) -> None:
    page.goto("/operate")
    page.get_by_text("Pause the queue").click()
    reason = page.locator("#operate-pause-reason")
    reason.fill("a reason half wri")
    shown = page.locator("#operate-alerts")
    rule = {"on": "create", "match": "operate live", "do": "run", "seconds": 60}
    httpx.post(f"{darkroom.standin}/_standin/faults", content=json.dumps([rule])).raise_for_status()
    sent = httpx.post(f"{darkroom.url}/generate", json={"prompt": "operate live"}).raise_for_status().json()
    running = page.locator(".operate-figure").filter(has_text="Running")
    expect(running).not_to_contain_text("0", timeout=15_000)
    expect(reason).to_have_value("a reason half wri")
    expect(shown).to_be_visible()
    httpx.post(f"{darkroom.url}/jobs/{sent['job_id']}/cancel").raise_for_status()


@pytest.mark.usefixtures("a_failure")
def test_all_of_it_works_without_javascript(no_script: Page) -> None:
    page = no_script
    page.goto("/operate")
    page.get_by_role("button", name=f"Resume {MODEL}").click()
    expect(page).to_have_url("/operate")
    expect(page.get_by_role("button", name=f"Resume {MODEL}")).to_have_count(0)
    page.get_by_text("Pause the queue").click()
    page.locator("#operate-pause-reason").fill("maintenance")
    page.locator("#operate-pause-button").click()
    expect(page.locator("#operate-alerts")).to_contain_text("maintenance")
    page.locator("#operate-resume").click()
    expect(page.locator("#operate-alerts")).not_to_contain_text("maintenance")
    page.get_by_role("link", name="Retry all like these").first.click()
    expect(page.locator(".done-words")).to_contain_text("Retry ")
    page.get_by_role("link", name="Back").click()
    failures = page.get_by_role("button", name="Dismiss")
    before = failures.count()
    failures.first.click()
    expect(failures).to_have_count(before - 1)

"""/webhooks: accessible, no wider than the page, and complete without JavaScript."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import Darkroom
from tests.servers import free_port

LONG = "and-on/" * 12


@pytest.fixture(autouse=True)
def library(darkroom: Darkroom) -> Iterator[sqlite3.Connection]:
    """Yield the database, and leave no endpoint in it."""
    path = darkroom.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as library:
        yield library
        library.executescript("DELETE FROM webhook_endpoint; DELETE FROM webhook_secret; DELETE FROM webhook_delivery")


@pytest.fixture
def sent(darkroom: Darkroom, library: sqlite3.Connection) -> None:
    """Have two endpoints: something was sent to one of them, which is paused."""
    for path in (LONG, "hook"):
        url = f"http://127.0.0.1:{free_port()}/{path}?token=secret"
        form = {"url": url, "types": ["job.completed", "job.failed", "batch.ended"]}
        httpx.post(f"{darkroom.url}/webhooks", data=form).raise_for_status()
    [first, _] = library.execute("SELECT id FROM webhook_endpoint ORDER BY id").fetchall()
    for action in ("test", "test", "pause"):
        httpx.post(f"{darkroom.url}/webhooks/{first[0]}", data={"action": action}, timeout=30)


def the_test(page: Page) -> Locator:
    """Return the test event: others are of jobs that earlier tests have left."""
    return page.locator(".delivery").filter(has_text="webhook.test")


def reload_until(page: Page, words: str) -> None:
    """Reload the page until it says so of the test event: a busy worker may need longer than the page waits."""
    while words not in the_test(page).inner_text():
        page.reload()


@pytest.mark.usefixtures("sent")
def test_axe_finds_nothing_in_the_dark_and_in_the_light(page: Page) -> None:
    page.goto("/webhooks")
    expect(the_test(page)).to_have_count(2)
    for summary in page.locator("main summary").all():
        summary.click()
    axe_finds_nothing(page)


@pytest.mark.usefixtures("sent")
def test_nothing_overflows_from_320_to_3840_pixels(page: Page) -> None:
    page.goto("/webhooks")
    for summary in page.locator("main summary").all():
        summary.click()
    nothing_overflows(page)


def test_an_endpoint_is_added_tested_paused_and_removed_without_javascript(no_script: Page, darkroom: Darkroom) -> None:
    no_script.goto("/docs")
    no_script.get_by_role("link", name="Webhooks").click()
    no_script.get_by_text("New endpoint").click()
    no_script.get_by_label("Address").fill("http://10.0.0.1/hook")
    no_script.get_by_role("button", name="Add endpoint").click()
    expect(no_script.get_by_role("alert")).to_contain_text("not public")
    address = f"http://127.0.0.1:{free_port()}/hook"
    no_script.get_by_label("Address").fill(address)
    no_script.get_by_label("the queue is halted").check()
    no_script.get_by_role("button", name="Add endpoint").click()
    expect(no_script.locator("#secret")).to_contain_text("whsec_")
    row = no_script.locator(".endpoint")
    expect(row).to_contain_text("queue.halted")
    no_script.get_by_role("button", name=f"Send a test to {address}").click()
    delivery = the_test(no_script)
    reload_until(no_script, "no connection")
    delivery.get_by_text("1 try and the event").click()
    expect(delivery).to_contain_text('"type": "webhook.test"')
    delivery.get_by_role("button", name="Replay").click()
    reload_until(no_script, "2 tries and the event")
    no_script.get_by_role("button", name=f"Pause {address}").click()
    expect(row).to_contain_text("Paused")
    no_script.get_by_role("button", name=f"Enable {address}").click()
    expect(row).not_to_contain_text("Paused")
    no_script.get_by_label("State").select_option("delivered")
    no_script.get_by_role("button", name="Show").click()
    expect(no_script.locator("#deliveries")).to_contain_text("Nothing like that was sent")
    no_script.get_by_label(f"More for {address}").click()
    no_script.get_by_role("button", name="Remove", exact=True).click()
    no_script.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(no_script.locator(".endpoint")).to_have_count(0)

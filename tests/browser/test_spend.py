"""/spend and /prices: accessible, no wider than the page, and complete without JavaScript."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import ROOT, Darkroom
from tests.factories import FLUX
from tests.waiting import wait_until

PASSWORD = "a long and winding road"
PATHS = ["/spend", "/prices"]


@pytest.fixture(scope="module")
def admin(darkroom: Darkroom, browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[list[Any]]:
    """Make a print that costs something, then have an admin. Yields the admin's cookies, and leaves the house open."""
    darkroom.finished(darkroom.post("a fox that costs", FLUX, num_outputs=2))
    command = [sys.executable, "-m", "webapp", "people", "add", "anna", "--admin"]
    said = subprocess.run(command, cwd=ROOT, env=darkroom.environment, capture_output=True, text=True, check=True)
    context = browser.new_context(**browser_context_args)
    page = context.new_page()
    page.goto("/welcome/" + said.stdout.partition("/welcome/")[2].split()[0])
    page.get_by_label("Password").fill(PASSWORD)
    page.locator("main").get_by_role("button").click()
    expect(page.get_by_role("navigation", name="Site").get_by_role("link", name="Spend")).to_be_visible()
    yield context.cookies()
    context.close()
    path = darkroom.environment["DATABASE_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        connection.executescript("DELETE FROM session; DELETE FROM person; DELETE FROM budget")
        connection.execute("DELETE FROM model_price WHERE source = '/prices'")
    wait_until(lambda: httpx.get(f"{darkroom.url}/jobs.json").status_code == 200)


@pytest.fixture
def signed_in(page: Page, admin: list[Any]) -> Page:
    page.context.add_cookies(admin)
    return page


@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_in_the_dark_and_in_the_light(signed_in: Page, path: str) -> None:
    signed_in.goto(path)
    for summary in signed_in.locator("main summary").all():
        summary.click()
    axe_finds_nothing(signed_in)


@pytest.mark.parametrize("path", PATHS)
def test_nothing_overflows_from_320_to_3840_pixels(signed_in: Page, path: str) -> None:
    signed_in.goto(path)
    for summary in signed_in.locator("main summary").all():
        summary.click()
    nothing_overflows(signed_in)
    signed_in.set_viewport_size({"width": 360, "height": 800})
    assert signed_in.evaluate("document.documentElement.scrollWidth") == 360


def test_the_bars_have_a_table_that_says_the_same(signed_in: Page) -> None:
    signed_in.goto("/spend")
    expect(signed_in.locator(".bars-drawing .series-1").first).to_be_visible()
    signed_in.get_by_text("As a table").click()
    table = signed_in.get_by_role("region", name="The bars as a table")
    expect(table).to_contain_text("flux-schnell")
    expect(table.locator("tbody tr").last).to_contain_text("$")


def test_budgets_are_set_and_removed_without_javascript(no_script: Page, admin: list[Any]) -> None:
    no_script.context.add_cookies(admin)
    no_script.goto("/spend")
    no_script.get_by_text("Set a budget").click()
    no_script.get_by_label("For", exact=True).select_option("model:meta/musicgen")
    no_script.get_by_label("Dollars").fill("much")
    no_script.get_by_role("button", name="Set", exact=True).click()
    expect(no_script.locator(".spend-fault")).to_contain_text("amount in dollars")
    no_script.get_by_label("Dollars").fill("5")
    no_script.get_by_label("In", exact=True).select_option("month")
    no_script.get_by_role("button", name="Set", exact=True).click()
    expect(no_script.locator(".budget")).to_contain_text("left of $5.00")
    no_script.get_by_role("button", name="Remove the budget of meta/musicgen this month").click()
    expect(no_script.locator("#budgets")).to_contain_text("There are no budgets.")


def test_a_price_is_set_and_taken_back_without_javascript(no_script: Page, admin: list[Any]) -> None:
    no_script.context.add_cookies(admin)
    no_script.goto("/spend")
    no_script.get_by_role("link", name="Prices of models").click()
    no_script.get_by_label("Model", exact=True).fill("meta/musicgen")
    no_script.get_by_label("Dollars").fill("0.001")
    no_script.get_by_label("Unit").select_option("per second of compute")
    no_script.get_by_role("button", name="Set", exact=True).click()
    own = no_script.locator(".price[data-own]")
    expect(own).to_contain_text("$0.001 per second of compute")
    no_script.get_by_role("button", name="Take back the price of meta/musicgen").click()
    expect(own).to_have_count(0)
    no_script.get_by_text("History").first.click()
    expect(no_script.locator(".price-history[open]")).to_contain_text("taken back")

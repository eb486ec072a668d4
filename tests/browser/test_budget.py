"""Budgets for the first visit: little to load, all of it from our host, painted without scripts, no layout shifts."""

from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import Page, Route

from tests.browser.conftest import Darkroom
from tests.waiting import wait_until

WEIGHT = 100_000  # bytes, compressed as sent, without cards and their pictures
SHIFT = 0.01
WATCH = (
    "window.shift = 0; new PerformanceObserver(list => { for (const entry of list.getEntries()) "
    "if (!entry.hadRecentInput) window.shift += entry.value }).observe({ type: 'layout-shift', buffered: true })"
)
PAINTED = "performance.getEntriesByName('first-contentful-paint').length > 0"


@pytest.fixture(scope="module")
def prints(darkroom: Darkroom) -> list[UUID]:
    ids = [darkroom.post(f"budget {number}", width=96, height=64) for number in range(6)]
    for job_id in ids:
        darkroom.finished(job_id)
    return ids


def test_the_gallery_weighs_less_than_a_hundred_kilobytes(page: Page, darkroom: Darkroom, prints: list[UUID]) -> None:
    weights: dict[str, int] = {}
    addresses: dict[str, str] = {}
    heads: dict[str, int] = {}
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")

    def asked(event: dict[str, Any]) -> None:
        addresses[event["requestId"]] = event["request"]["url"]

    def came(event: dict[str, Any]) -> None:  # never called for the live stream, which is not part of the load
        url = addresses.get(event["requestId"], "")
        if url.startswith(darkroom.url) and "/media/" not in url:
            weights[url] = event["encodedDataLength"] - heads.get(event["requestId"], 0)

    def head_came(event: dict[str, Any]) -> None:
        heads[event["requestId"]] = event["response"]["encodedDataLength"]

    network.on("Network.requestWillBeSent", asked)
    network.on("Network.responseReceived", head_came)
    network.on("Network.loadingFinished", came)
    page.goto("/?q=nothing-that-anybody-made", wait_until="load")
    wait_until(lambda: page.evaluate("document.fonts.status === 'loaded'"))
    page.wait_for_timeout(300)
    assert any("htmx" in url for url in weights)
    assert any("/?q=" in url for url in weights)
    assert sum(weights.values()) < WEIGHT, weights


def test_the_gallery_is_painted_before_any_script_has_come(page: Page, prints: list[UUID]) -> None:
    held: list[Route] = []
    page.route("**/*.js*", lambda route: held.append(route))
    page.goto("/", wait_until="commit")
    wait_until(lambda: page.evaluate(PAINTED))
    assert held
    assert page.locator(".card-picture").count() > 0
    for route in held:
        route.continue_()


@pytest.mark.parametrize("path", ["/", "/jobs/{job}", "/compare?job={job}&job={other}"])
def test_nothing_jumps_while_a_page_loads(page: Page, prints: list[UUID], path: str) -> None:
    page.add_init_script(WATCH)
    page.goto(path.format(job=prints[0], other=prints[1]), wait_until="load")
    wait_until(lambda: page.evaluate("document.fonts.status === 'loaded'"))
    page.wait_for_timeout(500)
    assert page.evaluate("window.shift") < SHIFT

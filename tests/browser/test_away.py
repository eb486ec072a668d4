"""What a page does while the network is away, the server is slow, or the reader leaves."""

import httpx
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import Darkroom


def test_pictures_that_failed_to_load_come_when_the_network_is_back(page: Page, darkroom: Darkroom) -> None:
    job_id = darkroom.post("a heron beyond the network")
    assert darkroom.finished(job_id)["status"] == "completed"
    page.route("**/media/**", lambda route: route.abort("internetdisconnected"))
    page.goto("/?q=heron+beyond")
    picture = page.locator(f"#job-{job_id} .card-picture")
    page.wait_for_function("image => image.complete && !image.naturalWidth", arg=picture.element_handle())
    page.unroute("**/media/**")
    page.context.set_offline(True)
    page.context.set_offline(False)
    page.wait_for_function("image => image.naturalWidth > 0", arg=picture.element_handle())


def test_a_slow_answer_has_a_sign_of_life_and_after_a_while_words(page: Page, darkroom: Darkroom) -> None:
    waiting: list[Route] = []

    def held(route: Route) -> None:
        waiting.append(route)

    page.goto("/")
    page.route("**/jobs", held)
    page.get_by_label("Prompt", exact=True).fill("a heron that waits")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("html")).to_have_attribute("data-busy", "")
    expect(page.locator("#notice")).to_have_text("The server has not answered yet. Still waiting.")
    waiting[0].continue_()
    expect(page.locator("html")).not_to_have_attribute("data-busy", "")
    expect(page.locator("#sheet article").first).to_contain_text("a heron that waits")


def test_the_stream_ends_when_one_leaves_and_begins_again_when_one_comes_back(page: Page, darkroom: Darkroom) -> None:
    with page.expect_response("**/events?*"):
        page.goto("/")
    with page.expect_event("requestfailed", lambda request: "/events?" in request.url):
        page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")
    job_id = darkroom.post("a heron after the return")
    expect(page.locator(f"#job-{job_id}")).to_be_visible()


def test_the_script_writes_times_as_the_server_does(browser: Browser, darkroom: Darkroom) -> None:
    job_id = darkroom.post("a heron in time")
    darkroom.finished(job_id)
    written = httpx.get(f"{darkroom.url}/jobs/{job_id}", headers={"Accept": "text/html"}).text
    context = browser.new_context(base_url=darkroom.url, timezone_id="UTC", locale="de-DE")
    there = context.new_page()
    there.goto(f"/jobs/{job_id}")
    time = there.locator("time[data-time=local]").first
    expect(time).not_to_contain_text("UTC")
    assert f">{time.inner_text()} UTC</time>" in written
    context.close()

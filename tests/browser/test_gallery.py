"""The gallery in a real browser: prompts become cards, which develop while the user watches."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.conftest import Darkroom
from tests.browser.copies import copied
from tests.waiting import wait_until

LONG = 60_000  # milliseconds


def card(page: Page, prompt: str) -> Locator:
    """Return the card of a prompt, in any state."""
    return page.locator("article.card").filter(has=page.locator(f'text="{prompt}"').or_(page.get_by_alt_text(prompt)))


def write(page: Page, prompt: str, **fields: str) -> None:
    page.get_by_label("Prompt", exact=True).fill(prompt)
    for label, value in fields.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Generate").click()


@pytest.mark.main_path
def test_a_prompt_typed_in_becomes_a_picture_without_a_reload(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    page.evaluate("window.stayed = true")
    write(page, "a fox in the snow at dusk", Width="96", Height="64")
    mine = card(page, "a fox in the snow at dusk")
    expect(mine).to_have_count(1)
    expect(mine).to_have_attribute("data-status", "completed", timeout=LONG)
    picture = mine.get_by_alt_text("a fox in the snow at dusk")
    wait_until(lambda: picture.evaluate("img => img.complete && img.naturalWidth > 0"))
    assert page.evaluate("window.stayed")


def test_a_page_opens_its_stream_also_when_a_script_is_slow_to_come(page: Page, darkroom: Darkroom) -> None:
    def late(route: Route) -> None:
        page.wait_for_timeout(700)
        route.continue_()

    page.route("**/hx-sse-*", late)
    with page.expect_request("**/events?*", timeout=LONG):
        page.goto("/")


def test_a_card_shows_its_stages_on_the_way(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "seen on the way", "do": "run", "seconds": 8})
    page.goto("/")
    job_id = darkroom.post("a fox seen on the way")
    mine = page.locator(f"#job-{job_id}")
    expect(mine).to_have_attribute("data-status", "running", timeout=LONG)
    expect(mine.locator("progress")).to_have_attribute("value", re.compile(r"0\.\d+"), timeout=LONG)
    expect(mine).to_have_attribute("data-status", "completed", timeout=LONG)


@pytest.mark.main_path
def test_cards_of_programs_and_of_other_tabs_appear_at_the_top(page: Page, darkroom: Darkroom) -> None:
    other = page.context.new_page()
    page.goto("/")
    other.goto("/")
    job_id = darkroom.post("sent by a program")
    for tab in (page, other):
        expect(tab.locator("#sheet article").first).to_have_id(f"job-{job_id}", timeout=LONG)
    write(other, "sent from another tab")
    expect(card(page, "sent from another tab")).to_have_count(1, timeout=LONG)
    expect(card(other, "sent from another tab")).to_have_count(1)


@pytest.mark.main_path
def test_a_failed_card_says_why_and_is_retried_in_place(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "unlucky", "do": "fail_prediction", "error": "NSFW content detected"})
    page.goto("/")
    job_id = darkroom.post("an unlucky fox")
    mine = page.locator(f"#job-{job_id}")
    expect(mine).to_have_attribute("data-status", "failed", timeout=LONG)
    expect(mine).to_contain_text("safety filter")
    mine.get_by_role("button", name="Try again").click()
    expect(mine).to_have_attribute("data-status", "completed", timeout=LONG)


def test_a_card_that_waits_after_a_failure_says_why_and_when(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "file", "match": "stumbles", "do": "status", "status": 503, "headers": {"Retry-After": "3"}})
    page.goto("/")
    job_id = darkroom.post("a fox that stumbles")
    mine = page.locator(f"#job-{job_id}")
    expect(mine).to_have_attribute("data-status", "retrying", timeout=LONG)
    expect(mine).to_contain_text("Trying again")
    expect(mine).to_contain_text("The result could not be downloaded (HTTP 503).")
    expect(mine).to_have_attribute("data-status", "completed", timeout=LONG)


def test_a_card_whose_model_takes_long_to_start_says_so_after_a_while(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "patient", "do": "boot", "seconds": 14})
    page.goto("/")
    job_id = darkroom.post("a patient fox")
    mine = page.locator(f"#job-{job_id}")
    expect(mine).to_contain_text("Warming up the model", timeout=LONG)
    said = mine.get_by_text("a cold boot on Replicate")
    expect(said).to_be_hidden()
    expect(said).to_be_visible(timeout=LONG)
    expect(said).to_contain_text("s so far")
    expect(mine).to_have_attribute("data-status", "completed", timeout=LONG)


def test_a_halt_of_the_queue_is_told_on_an_open_page_until_it_is_over(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "penniless", "do": "status", "status": 402})
    page.goto("/")
    banner = page.locator("#halt")
    expect(banner).to_have_text("")
    job_id = darkroom.post("a penniless fox")
    expect(banner).to_contain_text("The Replicate account has no credit.", timeout=LONG)
    expect(page.locator(f"#job-{job_id}")).to_have_attribute("data-status", "retrying")
    page.goto("/docs")
    expect(banner).to_contain_text("has no credit")
    page.goto(f"/jobs/{job_id}")
    expect(banner).to_contain_text("has no credit")
    darkroom.probe()
    expect(banner).to_have_text("", timeout=LONG)
    expect(page.locator(f"#job-page-{job_id}")).to_have_attribute("data-status", "completed", timeout=LONG)


@pytest.mark.main_path
def test_a_running_card_is_canceled_with_its_button(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "unwanted", "do": "run", "seconds": 60})
    page.goto("/")
    job_id = darkroom.post("an unwanted fox")
    mine = page.locator(f"#job-{job_id}")
    expect(mine).to_have_attribute("data-status", "running", timeout=LONG)
    mine.get_by_role("button", name="Cancel").click()
    expect(mine).to_have_attribute("data-status", "canceled", timeout=LONG)


def test_what_is_wrong_is_shown_at_its_control_and_what_was_typed_stays(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    write(page, "a fox with a wrong width", Width="64", Outputs="9")
    expect(page.get_by_text("num_outputs must be at most 4.")).to_have_count(1)  # told once: beside its field
    expect(page.get_by_label("Outputs", exact=True)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Outputs", exact=True)).to_be_focused()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a fox with a wrong width")
    expect(page.get_by_label("Width", exact=True)).to_have_value("64")
    page.get_by_label("Outputs", exact=True).fill("1")
    page.get_by_role("button", name="Generate").click()
    expect(card(page, "a fox with a wrong width")).to_have_count(1)
    expect(page.locator("#p-num_outputs-fault")).to_have_count(0)


def test_another_model_brings_its_controls_and_keeps_the_prompt(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    page.get_by_label("Prompt", exact=True).fill("half a thought")
    page.get_by_label("Model", exact=True).fill("flux-schnell")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Aspect ratio")).to_be_visible()
    expect(page.get_by_label("Width", exact=True)).to_have_count(0)
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("half a thought")


def test_control_and_enter_send_the_prompt(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    page.get_by_label("Prompt", exact=True).fill("sent by the keyboard")
    page.keyboard.press("Control+Enter")
    expect(card(page, "sent by the keyboard")).to_have_count(1)


def test_a_film_plays_on_its_page(page: Page, darkroom: Darkroom) -> None:
    film = darkroom.post("a slow harbour", "minimax/hailuo-02")
    assert darkroom.finished(film)["status"] == "completed"
    page.goto(f"/jobs/{film}")
    player = page.locator("video")
    expect(player).to_be_visible()
    seek = "media => new Promise(done => { media.onseeked = () => done(media.currentTime); media.currentTime = 1 })"
    assert player.evaluate(seek) == pytest.approx(1, abs=0.2)


@pytest.mark.main_path
def test_older_cards_come_as_one_scrolls(page: Page, darkroom: Darkroom) -> None:
    source = darkroom.post("one of very many", width=96, height=64)
    assert darkroom.finished(source)["status"] == "completed"
    now, tag = datetime.now(UTC), f"t{uuid4().hex[:12]}"
    copies = copied(darkroom, source, [now - timedelta(minutes=number) for number in range(70)], tag)
    page.goto(f"/?q=tag%3A{tag}")
    oldest = page.locator(f"#job-{min(copies)}")
    expect(oldest).to_have_count(0)

    def scrolled() -> bool:
        page.mouse.wheel(0, 3000)
        return oldest.count() == 1

    wait_until(scrolled, within=60)
    ids = page.locator("#sheet article").evaluate_all("cards => cards.map(card => card.id)")
    assert ids == sorted(set(ids), reverse=True)


def test_a_page_that_was_offline_catches_up_by_itself(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    page.wait_for_timeout(500)
    page.context.set_offline(True)
    job_id = darkroom.post("made while nobody looked")
    darkroom.finished(job_id)
    page.context.set_offline(False)
    expect(page.locator(f"#job-{job_id}")).to_have_attribute("data-status", "completed", timeout=LONG)


def test_a_page_whose_server_was_killed_catches_up_by_itself(browser: Browser, darkroom: Darkroom) -> None:
    context = browser.new_context(base_url=darkroom.url)  # its console may report errors
    page = context.new_page()
    page.goto("/")
    page.wait_for_timeout(500)
    darkroom.kill("web")
    wait_until(lambda: _answers(page, darkroom), within=60)
    job_id = darkroom.post("made after the crash")
    expect(page.locator(f"#job-{job_id}")).to_have_attribute("data-status", "completed", timeout=60_000)
    context.close()


def _answers(page: Page, darkroom: Darkroom) -> bool:
    return page.request.get("/healthz").ok


def test_a_card_that_completes_shifts_nothing(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "steady", "do": "run", "seconds": 2})
    page.goto("/")
    job_id = darkroom.post("a steady fox", width=96, height=64)
    mine = page.locator(f"#job-{job_id}")
    expect(mine).to_have_attribute("data-status", "running", timeout=LONG)
    page.evaluate(
        "() => { window.shift = 0; new PerformanceObserver(list => { for (const entry of list.getEntries()) "
        "window.shift += entry.value }).observe({type: 'layout-shift'}) }"
    )
    expect(mine).to_have_attribute("data-status", "completed", timeout=LONG)
    page.wait_for_timeout(1500)
    assert page.evaluate("window.shift") < 0.01


def test_finished_jobs_are_announced_politely(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "heard of", "do": "run", "seconds": 2})
    page.goto("/?q=heard")  # unfinished prints of other tests are not on this sheet
    job_id = darkroom.post("a fox to be heard of")
    expect(page.locator(f"#job-{job_id}")).to_have_attribute("data-status", "running", timeout=LONG)
    expect(page.locator("#announcements")).to_contain_text("1 print finished", timeout=LONG)


@pytest.mark.main_path
def test_use_again_fills_the_composer(page: Page, darkroom: Darkroom) -> None:
    job_id = darkroom.post("a fox used again", width=128)
    darkroom.finished(job_id)
    page.goto(f"/jobs/{job_id}")
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Use again").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a fox used again")
    expect(page.get_by_label("Width", exact=True)).to_have_value("128")


@pytest.mark.main_path
def test_a_jobs_page_develops_live_and_is_thrown_away(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "page of its own", "do": "run", "seconds": 2})
    job_id = darkroom.post("a fox with a page of its own")
    page.goto(f"/jobs/{job_id}")
    whole = page.locator(f"#job-page-{job_id}")
    expect(whole).to_have_attribute("data-status", "completed", timeout=LONG)
    expect(whole.get_by_role("link", name="Download")).to_be_visible()
    whole.get_by_role("button", name="Trash").click()
    expect(whole.get_by_role("button", name="Restore")).to_be_visible()
    page.goto("/")
    expect(page.locator(f"#job-{job_id}")).to_have_count(0)


def test_behind_a_proxy_that_is_not_known_a_button_says_what_is_to_be_done(page: Page, darkroom: Darkroom) -> None:
    """Over plain HTTP, browsers do not send Sec-Fetch-Site."""

    def proxied(route: Route) -> None:
        sent = {name: value for name, value in route.request.headers.items() if name != "sec-fetch-site"}
        route.fulfill(response=route.fetch(headers=sent | {"origin": "http://pictures.example"}))

    job_id = darkroom.post("a fox behind a proxy")
    page.goto("/")
    page.route("**/selection?job=*", proxied)
    page.locator(f"#job-{job_id}").hover()
    page.locator(f"#job-{job_id}-favorite").click()
    expect(page.locator("#notice")).to_contain_text("the operator must set PUBLIC_URL")
    expect(page.locator(f"#job-{job_id}")).to_have_count(1)

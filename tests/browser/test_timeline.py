"""The timeline, the headings of days, and keeping one's place, in a real browser."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.access import axe_finds_nothing
from tests.browser.conftest import Darkroom
from tests.browser.copies import copied
from tests.waiting import wait_until

MONTHS = [datetime(2024 + month // 12, month % 12 + 1, 20, 12, tzinfo=UTC) for month in range(9, 21)]
PRINTS = 40  # of each month, on four of its days
LONG = 60_000  # milliseconds

TOPS = """() => [...document.querySelectorAll("#sheet > .card")].map(card => {
    const { left, top, bottom } = card.getBoundingClientRect();
    return bottom > 0 && top < innerHeight ? [card.id, left, top] : null;
}).filter(Boolean)"""
FOLLOWED = """() => {
    const { top, bottom } = document.getElementById(`job-${location.search.slice(-36)}`)?.getBoundingClientRect() ?? {};
    return top < innerHeight && bottom > 0;
}"""
"""Whether the print that the address names is in view."""
DAYS = "[...document.querySelectorAll('.sheet-day')].map(day => day.id)"


class Years:
    """Prints of twelve months, from October 2024 to September 2025, which a tag finds."""

    def __init__(self, darkroom: Darkroom) -> None:
        self.darkroom, self.tag = darkroom, f"t{uuid4().hex[:12]}"
        self.source = darkroom.post("a fox of many years", width=96, height=64)
        assert darkroom.finished(self.source)["status"] == "completed"
        moments = [first - timedelta(days=number // 10, minutes=number) for first in MONTHS for number in range(PRINTS)]
        self.ids = sorted(copied(darkroom, self.source, moments, self.tag), reverse=True)
        self.address = f"/?q=tag%3A{self.tag}"

    def of_month(self, number: int) -> list[str]:
        """Return the ids of a month's cards, newest first. number: 0 for the newest month."""
        return [f"job-{job_id}" for job_id in self.ids[number * PRINTS : (number + 1) * PRINTS]]


@pytest.fixture(scope="module")
def years(darkroom: Darkroom) -> Years:
    """Return prints of several years, when the server knows the months of its library anew."""
    made = Years(darkroom)
    wait_until(lambda: 'id="timeline-handle"' in httpx.get(f"{darkroom.url}{made.address}").text, within=60)
    return made


def drag_to(page: Page, share: float) -> None:
    """Drag the handle of the timeline to a share of its height, and let it go."""
    line = page.locator("#timeline").bounding_box()
    handle = page.locator("#timeline-handle").bounding_box()
    assert line
    assert handle
    page.mouse.move(handle["x"] + handle["width"] - 6, handle["y"] + handle["height"] / 2)
    page.mouse.down()
    page.mouse.move(line["x"] + line["width"] - 6, line["y"] + line["height"] * share, steps=5)
    expect(page.locator("#timeline-bubble")).to_be_visible()


@pytest.mark.main_path
def test_a_month_is_jumped_to_and_what_arrives_above_moves_nothing(page: Page, years: Years) -> None:
    page.goto(years.address)
    drag_to(page, 0.62)
    expect(page.locator("#timeline-bubble")).to_have_text(re.compile(r"^\w{3} 202[45], 40$"))
    said = page.locator("#timeline-bubble").text_content()
    there = page.locator(f"#timeline a[data-words='{said}']").get_attribute("data-month")
    page.mouse.up()
    page.mouse.move(640, 450)
    expect(page.locator(f"[id^='day-{there}']").first).to_be_in_viewport()
    loaded = page.evaluate("[...document.querySelectorAll('#sheet > .card')].map(card => card.id)")
    assert f"job-{years.ids[0]}" not in loaded, "what lies between is not loaded"

    page.mouse.wheel(0, 200)  # into the month, so that nothing is near the top of the page
    page.wait_for_function("scrollY > 100")
    for _ in range(3):
        newest = page.locator("#sheet > .card").first.get_attribute("id")
        page.mouse.wheel(0, -150)
        page.evaluate("new Promise(done => setTimeout(done, 250))")  # until the wheel's own animation has ended
        before = page.evaluate(TOPS)
        page.evaluate("htmx.trigger('#newer-link', 'click')")
        expect(page.locator("#sheet > .card").first).not_to_have_id(str(newest))
        after = page.evaluate(TOPS)
        assert before
        stays = {card: (left, top) for card, left, top in after}
        for card, left, top in before:
            assert stays[card] == pytest.approx((left, top), abs=1), card
    days = page.evaluate(DAYS)
    assert days == sorted(set(days), reverse=True)


def test_the_prints_above_follow_as_one_scrolls_up_until_the_first(page: Page, years: Years) -> None:
    page.goto(f"{years.address}&at={years.ids[3 * PRINTS]}")
    expect(page.locator(f"#job-{years.ids[3 * PRINTS]}")).to_be_in_viewport()

    def at_the_top() -> bool:
        page.mouse.wheel(0, -400)
        page.wait_for_timeout(40)
        return page.locator(f"#job-{years.ids[0]}").count() == 1

    page.mouse.move(640, 450)
    wait_until(at_the_top, within=60)
    expect(page.locator("#newer")).to_have_count(0)
    days = page.evaluate(DAYS)
    assert days == sorted(set(days), reverse=True)
    page.evaluate("scrollTo(0, 0)")
    expect(page).to_have_url(re.compile(rf"/\?q=tag%3A{years.tag}$"))


@pytest.mark.main_path
def test_a_reload_and_the_way_back_lead_to_the_same_print(page: Page, years: Years) -> None:
    page.goto(years.address)

    def is_far() -> bool:
        page.mouse.wheel(0, 500)
        page.wait_for_timeout(40)
        return bool(page.evaluate("scrollY > 4000"))

    page.mouse.move(640, 450)
    wait_until(is_far, within=60)
    expect(page).to_have_url(re.compile(r"&at=[0-9a-f-]{36}$"))
    wait_until(lambda: page.evaluate(FOLLOWED))
    place, length = page.url, page.evaluate("history.length")
    print_of_place = page.locator(f"#job-{place[-36:]}")
    page.reload()
    expect(print_of_place).to_be_in_viewport()
    assert page.evaluate("history.length") == length, "following adds no steps"
    page.goto("/collections")
    page.go_back()
    expect(page).to_have_url(place)
    expect(print_of_place).to_be_in_viewport()
    print_of_place.locator("a[id$='-link']").click()
    expect(page.locator(".pswp[data-job]")).to_have_attribute("data-job", place[-36:])
    page.keyboard.press("Escape")
    expect(page).to_have_url(re.compile(r"&at="))
    expect(print_of_place).to_be_in_viewport()


def test_months_are_chosen_by_keys(page: Page, years: Years) -> None:
    page.goto(years.address)
    handle = page.get_by_role("slider", name="Month")
    expect(handle).to_have_attribute("aria-valuetext", "Sep 2025, 40 prints")
    handle.focus()
    page.keyboard.press("PageDown")
    expect(handle).to_have_attribute("aria-valuetext", "Dec 2024, 40 prints")
    page.keyboard.press("ArrowUp")
    expect(page.locator(f"#{years.of_month(8)[0]}")).to_be_in_viewport()
    expect(handle).to_be_focused()
    expect(handle).to_have_attribute("aria-valuetext", "Jan 2025, 40 prints")
    page.keyboard.press("Home")
    expect(page.locator(f"#{years.of_month(0)[0]}")).to_be_visible()
    expect(page).to_have_url(f"{years.darkroom.url}{years.address}")
    page.go_back()
    expect(page.locator(f"#{years.of_month(8)[0]}")).to_be_in_viewport()


def test_axe_finds_nothing_in_the_timeline_and_the_headings(page: Page, years: Years) -> None:
    page.goto(years.address)
    drag_to(page, 0.5)
    axe_finds_nothing(page)


def test_a_day_counts_what_comes_and_goes(page: Page, years: Years) -> None:
    page.goto(years.address)
    newest = page.locator(".sheet-day").first
    expect(newest).to_have_text("Sat 20 Sep 202510 prints")
    card = page.locator(f"#{years.of_month(0)[0]}")
    card.hover()
    card.get_by_role("button", name="Move to the trash").click()
    expect(newest).to_have_text("Sat 20 Sep 20259 prints")
    page.get_by_role("button", name="Undo").click()
    expect(newest).to_have_text("Sat 20 Sep 202510 prints")
    expect(page.locator("#sheet > .card").first).to_have_id(years.of_month(0)[0])


def test_the_first_print_of_a_day_brings_its_heading_and_the_last_takes_it_along(
    page: Page, darkroom: Darkroom
) -> None:
    word = f"w{uuid4().hex[:12]}"
    page.goto(f"/?q={word}")
    first = darkroom.post(f"a fox {word}", width=96, height=64)
    heading = page.locator(".sheet-day")
    expect(heading).to_have_text(re.compile(r"^\w{3} \d+ \w{3} \d{4}1 print$"))
    second = darkroom.post(f"another fox {word}", width=96, height=64)
    expect(heading).to_have_text(re.compile("2 prints$"))
    assert page.evaluate("[...document.getElementById('sheet').children].map(element => element.id)")[1:3] == [
        f"job-{second}",
        f"job-{first}",
    ]
    for job_id in (first, second):
        assert darkroom.finished(job_id)["status"] == "completed"
    told = str(heading.text_content())
    page.reload()
    expect(heading).to_have_text(told)  # now from the server
    for job_id in (first, second):
        expect(heading).to_have_count(1)
        page.locator(f"#job-{job_id}-link").focus()
        page.keyboard.press("Delete")
        expect(page.locator(f"#job-{job_id}")).to_have_count(0)
    expect(heading).to_have_count(0)


def test_days_begin_where_the_browser_is_from_the_first_visit_on(
    browser: Browser, browser_context_args: dict[str, Any], darkroom: Darkroom, years: Years
) -> None:
    tag = f"z{uuid4().hex[:12]}"
    copied(darkroom, years.source, [datetime(2026, 9, 14, 20, tzinfo=UTC)], tag)
    with browser.new_context(**browser_context_args, timezone_id="Asia/Tokyo") as context:
        page = context.new_page()
        page.goto(f"/?q=tag%3A{tag}")
        expect(page.locator(".sheet-day")).to_have_text("Tue 15 Sep 20261 print")
        page.reload()
        expect(page.locator(".sheet-day")).to_have_text("Tue 15 Sep 20261 print")


def test_on_a_phone_the_handle_is_there_while_the_page_scrolls(page: Page, years: Years) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(years.address)
    handle = page.locator("#timeline-handle")
    expect(handle).to_have_css("opacity", "0")
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.mouse.move(180, 400)
    page.mouse.wheel(0, 600)
    expect(handle).to_have_css("opacity", "1")
    box = handle.bounding_box()
    assert box
    assert min(box["width"], box["height"]) >= 40
    drag_to(page, 0.9)
    page.mouse.up()
    expect(page.locator("[id^='day-2024-1']").first).to_be_in_viewport()


def test_without_javascript_the_months_are_a_list_of_links(no_script: Page, years: Years) -> None:
    no_script.goto(years.address)
    expect(no_script.locator("#timeline a")).to_have_count(len(MONTHS))
    no_script.get_by_role("link", name="Dec 2024 40 prints").click()
    expect(no_script.locator("#sheet > .card").first).to_have_id(years.of_month(9)[0])
    no_script.get_by_role("link", name="Newer prints").click()
    expect(no_script.locator(f"#sheet > #{years.of_month(8)[-1]}")).to_have_count(1)

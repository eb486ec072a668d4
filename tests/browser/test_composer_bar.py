"""The composer as a bar: at the head of the page, docked at the bottom of the window, and on a phone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.access import axe_finds_nothing
from tests.browser.conftest import Darkroom
from tests.waiting import wait_until

FLUX = "black-forest-labs/flux-schnell"
PLACE = "#composer-place"
SETTINGS = "#controls .field"
WALL = "/?q=%22print+of+the+wall%22"
NOTE_SHIFTS = """
    window.shift = 0;
    new PerformanceObserver(list => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({type: 'layout-shift', buffered: true});
"""


@pytest.fixture(scope="module")
def wall(darkroom: Darkroom) -> None:
    """Make a wall of prints that is higher than the window."""
    for job_id in [darkroom.post(f"a print of the wall {number}", width=192, height=64) for number in range(10)]:
        darkroom.finished(job_id)


@pytest.fixture
def phone(browser: Browser, browser_context_args: dict[str, object], wall: None) -> Iterator[Page]:
    """Yield a page on a phone."""
    arguments = {
        **browser_context_args,
        "viewport": {"width": 360, "height": 740},
        "has_touch": True,
        "is_mobile": True,
    }
    context = browser.new_context(**arguments)  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def prompt(page: Page) -> Locator:
    return page.get_by_label("Prompt", exact=True)


def send(page: Page) -> Locator:
    return page.locator(".composer-send .button")


def box(locator: Locator) -> dict[str, float]:
    found = locator.bounding_box()
    assert found
    return {name: float(value) for name, value in found.items()}  # type: ignore[arg-type]


def top(locator: Locator) -> float:
    return box(locator)["y"]


def bottom(locator: Locator) -> float:
    found = box(locator)
    return found["y"] + found["height"]


@pytest.mark.main_path
def test_the_bar_opens_docks_and_sends_and_nothing_else_moves(page: Page, darkroom: Darkroom, wall: None) -> None:
    page.add_init_script(NOTE_SHIFTS)
    page.set_viewport_size({"width": 1280, "height": 600})
    page.goto("/")
    first, settings = page.locator("#sheet article").first, page.locator(SETTINGS).first
    head = top(first)
    assert head < 280
    expect(settings).to_be_hidden()

    prompt(page).click()
    expect(settings).to_be_visible()
    assert top(first) == head
    page.keyboard.type("a fox in a bar")
    page.keyboard.press("Escape")
    expect(settings).to_be_hidden()
    expect(prompt(page)).to_be_focused()

    page.mouse.move(640, 400)
    page.mouse.wheel(0, 400)
    expect(page.locator(PLACE)).to_have_attribute("data-docked", "")
    expect(prompt(page)).to_be_focused()
    wait_until(lambda: 560 < bottom(page.locator("#composer")) < 600)
    page.keyboard.type("!")
    expect(settings).to_be_visible()
    expect(prompt(page)).to_have_value("a fox in a bar!")

    held: list[Route] = []
    page.route("**/jobs", lambda route: held.append(route))
    page.get_by_label("Width", exact=True).fill("64")
    page.keyboard.press("Control+Enter")
    wait_until(lambda: bool(held))
    assert page.evaluate("getComputedStyle(composer, '::before').animationName + composer.className").count(
        "htmx-request"
    )
    assert page.evaluate("getComputedStyle(composer, '::before').content") == '""'
    held[0].continue_()
    expect(settings).to_be_hidden()
    expect(prompt(page)).to_be_focused()  # the setting that had the focus is hidden

    page.mouse.wheel(0, -2000)
    expect(page.locator(PLACE)).not_to_have_attribute("data-docked", "")
    expect(page.locator("#sheet article").first).to_contain_text("a fox in a bar!")
    assert page.evaluate("window.shift") < 0.05


def test_the_last_row_and_the_bar_of_the_selection_are_above_the_docked_bar(page: Page, wall: None) -> None:
    page.set_viewport_size({"width": 1280, "height": 600})
    page.goto(WALL)
    page.locator("#selection-mode").check()
    page.mouse.move(640, 300)
    page.mouse.wheel(0, 20_000)
    expect(page.locator(PLACE)).to_have_attribute("data-docked", "")
    wait_until(lambda: bottom(page.locator("#selection")) <= top(page.locator("#composer")) < 600)
    page.locator("#selection-mode").evaluate("box => box.click()")
    expect(page.locator("#selection")).to_be_hidden()
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    wait_until(lambda: bottom(page.locator("#sheet")) < top(page.locator("#composer")))


def test_what_is_pressed_stays_beneath_the_pointer(page: Page, wall: None) -> None:
    page.goto(WALL)
    page.get_by_label("Model", exact=True).click()
    expect(page.get_by_role("listbox", name="Models")).to_be_visible()
    expect(page.locator(SETTINGS).first).to_be_visible()
    page.reload()
    send(page).click()
    expect(page.locator("#prompt-fault")).to_be_visible()  # without a prompt; the answer opens it
    expect(prompt(page)).to_be_focused()
    page.locator("#sheet article").last.click()
    expect(page.locator(SETTINGS).first).to_be_hidden()
    expect(page.locator(".pswp")).to_be_visible()


def test_on_a_phone_the_bar_at_the_bottom_is_the_only_form(phone: Page) -> None:
    phone.goto("/")
    form = phone.locator("#composer")
    assert phone.locator("form.composer").count() == 1
    assert top(phone.locator("#sheet article").first) < 740 - 60
    assert top(form) > 660
    assert bottom(form) == 740
    for control in (prompt(phone), phone.locator("#model-search"), send(phone)):
        assert box(control)["height"] >= 44
    axe_finds_nothing(phone)

    prompt(phone).tap()
    expect(phone.locator(SETTINGS).first).to_be_visible()
    expect(prompt(phone)).to_be_focused()
    assert top(form) > 0
    assert bottom(send(phone)) <= 740
    phone.locator("#more-settings-summary").tap()
    phone.get_by_label("Model", exact=True).tap()
    expect(phone.get_by_role("listbox", name="Models")).to_be_visible()
    axe_finds_nothing(phone)
    assert phone.evaluate("document.documentElement.scrollWidth") == 360
    assert bottom(send(phone)) <= 740
    phone.get_by_label("Search", exact=True).evaluate("field => field.focus()")
    expect(phone.locator(SETTINGS).first).to_be_hidden()

    # A keyboard that covers the page, as on an iPhone.
    phone.evaluate("Object.defineProperty(visualViewport, 'height', {value: 400})")
    phone.evaluate("visualViewport.dispatchEvent(new Event('resize'))")
    assert bottom(form) == 400
    phone.locator("#selection-mode").check()
    expect(form).to_be_hidden()


@pytest.mark.main_path
def test_a_draft_is_there_after_a_reload_and_a_visit_elsewhere_in_its_tab_alone(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    prompt(page).click()
    page.get_by_label("Model", exact=True).fill("flux")
    page.keyboard.press("Enter")
    page.get_by_role("radio", name="3:2").check()
    page.locator("#matrix-summary").click()
    page.get_by_label("Seeds").fill("1, 2")
    prompt(page).fill("half a thought")

    def as_it_was() -> None:
        expect(prompt(page)).to_have_value("half a thought")
        expect(page.locator("#model")).to_have_value(FLUX)
        expect(page.get_by_role("radio", name="3:2", include_hidden=True)).to_be_checked()
        expect(page.locator("#seeds")).to_have_value("1, 2")

    page.reload()
    as_it_was()
    page.get_by_role("link", name="Collections").click()
    page.get_by_role("link", name="Darkroom").click()
    as_it_was()
    other = page.context.new_page()
    other.goto("/")
    expect(other.locator("#model-search")).to_have_value("sdxl")
    expect(prompt(other)).to_have_value("")
    other.close()

    page.goto("/?prompt=another+thought")
    expect(prompt(page)).to_have_value("another thought")
    expect(prompt(page)).to_be_focused()
    expect(page.locator(SETTINGS).first).to_be_visible()
    page.keyboard.type(" of mine")
    page.reload()
    expect(prompt(page)).to_have_value("another thought of mine")


@pytest.mark.main_path
def test_the_last_prompts_come_back_by_up_or_by_the_mouse(page: Page, darkroom: Darkroom) -> None:
    for words in ("the first fox", "the second fox"):
        darkroom.finished(darkroom.post(words))
    page.goto("/")
    options = page.get_by_role("listbox", name="Last prompts").get_by_role("option")
    marked = page.get_by_role("listbox", name="Last prompts").get_by_role("option", selected=True)
    prompt(page).click()
    page.keyboard.press("ArrowUp")
    expect(marked).to_have_text("the second fox")
    expect(marked.locator("img")).to_have_js_property("complete", True)
    expect(prompt(page)).to_have_attribute("aria-activedescendant", marked.get_attribute("id") or "none")
    axe_finds_nothing(page)
    page.keyboard.press("ArrowUp")
    expect(marked).to_have_text("the first fox")
    page.keyboard.press("Enter")
    expect(prompt(page)).to_have_value("the first fox")
    expect(options).to_have_count(0)

    prompt(page).fill("two lines\nof my own")
    page.keyboard.press("ArrowUp")  # to the first line
    expect(options).to_have_count(0)
    page.keyboard.press("ArrowUp")
    expect(marked).to_have_text("the second fox")
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(page.locator(SETTINGS).first).to_be_visible()  # only the list is closed
    expect(prompt(page)).to_have_value("two lines\nof my own")
    page.keyboard.press("ArrowUp")
    expect(marked).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(options).to_have_count(0)

    page.get_by_role("button", name="Last prompts").click()
    options.filter(has_text="the second fox").click()
    expect(prompt(page)).to_have_value("the second fox")
    expect(prompt(page)).to_be_focused()
    page.keyboard.press("Control+z")
    expect(prompt(page)).to_have_value("two lines\nof my own")

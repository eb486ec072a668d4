"""The menu of how prints and pages look, the list, and the first steps in an empty gallery, in a real browser."""

import re
from uuid import UUID, uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import Darkroom
from tests.browser.test_windowing import ELEMENTS, IDS, PAGE, Library, at_rest, scroll
from tests.waiting import wait_until
from webapp.render.appearance import COOKIE

HEIGHT = "document.querySelector('#sheet > .card').offsetHeight"
TOPS = "[...document.querySelectorAll('#sheet > .card')].map(card => [card.id, card.getBoundingClientRect().top])"


class Three:
    """Prints with a word that no others have: two that are completed, and one that failed."""

    def __init__(self, darkroom: Darkroom) -> None:
        self.darkroom, self.word = darkroom, f"w{uuid4().hex[:12]}"
        self.ids = [darkroom.post(f"a heron {self.word} {width}", width=width, height=64) for width in (96, 64, 7)]
        for job_id in self.ids:
            darkroom.finished(job_id)

    @property
    def address(self) -> str:
        return f"/?q={self.word}"


@pytest.fixture(scope="module")
def three(darkroom: Darkroom) -> Three:
    return Three(darkroom)


@pytest.fixture(scope="module")
def library(darkroom: Darkroom) -> Library:
    return Library(darkroom)


def choose(page: Page, name: str, value: str) -> None:
    if not page.locator("#view[open]").count():
        page.locator("#view-summary").click()
    page.locator(f"label:has(#view-{name}-{value})").click()


def appear(page: Page, darkroom: Darkroom, value: str) -> None:
    """Let the browser have chosen an appearance before."""
    page.context.add_cookies([{"name": COOKIE, "value": value, "url": darkroom.url}])


def ids(page: Page) -> list[str]:
    return [str(name) for name, _ in page.evaluate(TOPS)]


def test_another_size_shows_at_once_and_is_remembered(page: Page, three: Three) -> None:
    page.goto(three.address)
    before = page.evaluate(HEIGHT)
    page.evaluate("window.same = true")
    choose(page, "size", "l")
    assert page.evaluate(HEIGHT) > 1.3 * before
    assert page.evaluate("window.same")
    page.keyboard.press("ArrowRight")  # the radio buttons of a size are one group
    expect(page.locator("html")).to_have_attribute("data-size", "xl")
    page.reload()
    expect(page.locator("#view-size-xl")).to_be_checked()
    assert page.evaluate(HEIGHT) > 1.8 * before


def test_a_theme_that_is_chosen_wins_over_the_systems(page: Page, three: Three) -> None:
    page.emulate_media(color_scheme="dark")
    page.goto(three.address)
    dark = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    choose(page, "theme", "light")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    light = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert light != dark
    page.goto("/models")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == light


def test_squares_are_as_wide_as_high_whatever_is_on_them(page: Page, three: Three) -> None:
    page.goto(three.address)
    shape = (
        "() => [...document.querySelectorAll('.sheet > .card')].slice(0, 40).map((c) => c.clientWidth / c.clientHeight)"
    )
    assert max(page.evaluate(shape)) > 1.2
    choose(page, "layout", "squares")
    expect(page.locator("html")).to_have_attribute("data-layout", "squares")
    assert all(ratio == pytest.approx(1, abs=0.02) for ratio in page.evaluate(shape))


def test_the_list_has_columns_that_sort_and_lines_that_live(page: Page, three: Three) -> None:
    page.goto(three.address)
    choose(page, "layout", "list")
    expect(page.locator("#list-head")).to_be_visible()
    newest = [f"job-{job_id}" for job_id in three.ids[::-1]]
    assert ids(page) == newest
    tops = [top for _, top in page.evaluate(TOPS)]
    assert tops == sorted(set(tops))  # each has a line of its own
    failed, done = page.locator(f"#{newest[0]}"), page.locator(f"#{newest[1]}")
    for words in (f"a heron {three.word} 64", "sdxl", "pretend"):
        expect(done.get_by_text(words, exact=words != "pretend").first).to_be_visible()
    expect(failed.locator(".status")).to_have_text("Failed")
    expect(failed.locator(".card-model")).to_be_visible()

    page.locator("#list-by-oldest").click()
    wait_until(lambda: ids(page) == newest[::-1])
    assert re.search("sort=oldest", page.url)
    page.locator("#list-by-newest").click()
    wait_until(lambda: ids(page) == newest)

    done.locator(".card-select").check()
    expect(page.locator("#selection-count")).to_contain_text("1")
    done.locator(".card-select").uncheck()
    page.locator(f"#{newest[1]}-link").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"#{newest[2]}-link")).to_be_focused()

    come = three.darkroom.post(f"a heron {three.word} that comes", width=64, height=64)
    expect(page.locator(f"#job-{come}")).to_be_visible()
    three.darkroom.finished(come)
    expect(page.locator(f"#job-{come} .card-picture")).to_be_visible()
    assert ids(page)[0] == f"job-{come}"
    with page.context.expect_page() as opened:  # a line leads to the print's page, wherever it is clicked
        page.locator(f"#{newest[1]}").click(position={"x": 500, "y": 20}, modifiers=["ControlOrMeta"])
    expect(opened.value).to_have_url(re.compile(f"/jobs/{UUID(newest[1][4:])}"))
    opened.value.close()


@pytest.mark.parametrize("value", ["m.list.system", "s.rows.system"])
def test_a_long_sheet_stays_light(page: Page, darkroom: Darkroom, library: Library, value: str) -> None:
    appear(page, darkroom, value)
    library.open(page)
    most = 0

    def many_came() -> bool:
        nonlocal most
        most = max(most, page.evaluate(ELEMENTS))
        return len(page.evaluate(IDS)) >= 6 * PAGE

    scroll(page, many_came, 3000)
    at_rest(page)
    assert most < 15_000
    wait_until(lambda: page.locator(".sheet-spacer").count() > 0)
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": 1100, "height": 900})
    page.wait_for_timeout(300)
    if value.startswith("m.list"):  # lines keep their height at another width, and so does what is in their place
        assert abs(page.evaluate("document.documentElement.scrollHeight") - height) < 0.06 * height


def test_the_menu_works_without_a_script(no_script: Page, three: Three) -> None:
    no_script.goto(three.address)
    no_script.locator("#view-summary").click()
    no_script.locator("label:has(#view-layout-list)").click()
    no_script.locator("#view-apply").click()
    expect(no_script.locator("#list-head")).to_be_visible()
    assert no_script.url.endswith(three.address)
    no_script.locator("#demo-pill").click()
    expect(no_script.locator("#demo-mode")).to_be_visible()


@pytest.mark.parametrize("value", ["m.list.system", "l.rows.light", "m.list.dark", "s.squares.system"])
def test_axe_finds_nothing_in_any_appearance(page: Page, darkroom: Darkroom, three: Three, value: str) -> None:
    appear(page, darkroom, value)
    page.goto(three.address)
    axe_finds_nothing(page)
    page.locator("#view-summary").click()
    axe_finds_nothing(page)
    page.keyboard.press("Escape")
    page.locator("#demo-pill").click()
    axe_finds_nothing(page)
    nothing_overflows(page)


def test_axe_finds_nothing_on_the_page_of_settings(page: Page) -> None:
    page.goto("/settings")
    axe_finds_nothing(page)
    nothing_overflows(page)

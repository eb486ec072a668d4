"""A long sheet: cards far from the view are out of the document, and users do not notice."""

import re
from collections.abc import Callable
from uuid import UUID, uuid4

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Darkroom
from tests.waiting import wait_until

SIZES = [(192, 64), (64, 96), (128, 64), (64, 64), (96, 64), (64, 128)] * 2  # for several rows
PAGE, PAGES = 60, 12  # cards per page, and the number of pages below the real cards
COMPARED = 13  # cards that are near the top at every width of the window
LONG = 60_000  # milliseconds
ELEMENTS = "document.getElementsByTagName('*').length"
CHOSEN = "new FormData(document.getElementById('selection')).getAll('job')"
SCRIPT = "import(document.querySelector(\"script[src*='/js/live_page.js']\").src)"
"""The module that the page itself has loaded."""
NOTE_THE_LAST = f"""{SCRIPT}.then(({{ cards }}) => addEventListener(
    "keydown", () => (window.last = [...cards()].at(-1).id), {{ capture: true, once: true }}
))"""
"""Notes which card is the last when a key is pressed: more may be loaded afterwards."""
IDS = f"{SCRIPT}.then(({{ cards }}) => [...cards()].map(card => card.id))"
PLACES = """() => [...document.querySelectorAll("#sheet > .card")].map(card => {
    const { left, top, width, height } = card.getBoundingClientRect();
    return [card.id, ...[left, top + scrollY, width, height].map(value => Math.round(value * 4) / 4)];
})"""
NO_GAP = """() => [...document.querySelectorAll(".sheet-spacer")].every(spacer => {
    const { top } = spacer.getBoundingClientRect();
    return top > 2 * innerHeight;
})"""
IN_VIEW = """() => [...document.querySelectorAll("#sheet > .card")].map(card => {
    const { left, top, bottom } = card.getBoundingClientRect();
    return bottom > 0 && top < innerHeight ? [card.id, left, top] : null;
}).filter(Boolean)"""


class Library:
    """Prints with a word that no others have, newest first, and pages of made-up ones below them.

    The last prints are not in the first row, which stays in the document because the Tab key leads to it.
    """

    def __init__(self, darkroom: Darkroom) -> None:
        self.darkroom, self.word = darkroom, f"w{uuid4().hex[:12]}"
        self.ids = [self.post(width, height) for width, height in SIZES][::-1]
        for job_id in self.ids:
            assert darkroom.finished(job_id)["status"] == "completed"
        page = httpx.get(f"{darkroom.url}/?q={self.word}").text
        self._cards: list[str] = re.findall(r"<article.*?</article>", page, re.DOTALL)

    def post(self, width: int = 64, height: int = 64) -> UUID:
        return self.darkroom.post(f"a fox {self.word}", width=width, height=height)

    def open(self, page: Page) -> None:
        page.route("**/below/*", self._answer)
        page.goto(f"/?q={self.word}")
        page.evaluate(
            """html => {
                document.getElementById("sheet").insertAdjacentHTML("beforeend", html);
                htmx.process(document.getElementById("older"));
            }""",
            self._link(0),
        )

    def _answer(self, route: Route) -> None:
        number = int(route.request.url.rpartition("/")[2])
        cards = [self._made_up(number * PAGE + place) for place in range(PAGE)]
        route.fulfill(body="\n".join([*cards, self._link(number + 1)]), content_type="text/html")

    def _made_up(self, place: int) -> str:
        """Return a card that is older than all real ones and than the made-up ones above it."""
        at = place % len(self.ids)
        return self._cards[at].replace(str(self.ids[at]), made_up(place))

    def _link(self, number: int) -> str:
        if number == PAGES:
            return ""
        htmx = (
            f'hx-get="/below/{number}" hx-trigger="revealed rootMargin:1200px" hx-target="#older" hx-swap="outerHTML"'
        )
        return f'<p class="older" id="older"><a id="older-link" href="/below/{number}" {htmx}>Older prints</a></p>'


def made_up(place: int) -> str:
    return f"00000000-0000-7000-8000-{10**9 - place:012d}"


@pytest.fixture(scope="module")
def library(darkroom: Darkroom) -> Library:
    return Library(darkroom)


def scroll(page: Page, arrived: Callable[[], bool], pixels: int = 1500) -> None:
    def turned() -> bool:
        page.mouse.wheel(0, pixels)
        page.wait_for_timeout(30)
        return arrived()

    page.mouse.move(640, 450)
    wait_until(turned, within=100)


def far_down(page: Page, cards: int = 250) -> None:
    """Scroll until `cards` cards have been loaded and the real ones are out of the document."""
    scroll(page, lambda: len(page.evaluate(IDS)) >= cards)
    at_rest(page)


def at_rest(page: Page) -> None:
    before = None
    while before != (before := page.evaluate("scrollY")):  # the last turns of the wheel may still be under way
        page.wait_for_timeout(200)


def to_the_top(page: Page) -> None:
    page.evaluate("scrollTo(0, 0)")
    wait_until(lambda: page.evaluate(NO_GAP))


def is_out(page: Page, job_id: UUID) -> bool:
    return not page.locator(f"#job-{job_id}").count()


def test_a_long_scroll_leaves_few_elements_in_the_document(page: Page, library: Library) -> None:
    library.open(page)
    most = 0

    def all_came() -> bool:
        nonlocal most
        most = max(most, page.evaluate(ELEMENTS))
        return page.locator("#older").count() == 0

    scroll(page, all_came, 3000)
    assert most < 15_000
    ids = page.evaluate(IDS)
    assert len(ids) == len(library.ids) + PAGE * PAGES
    assert ids == sorted(ids, reverse=True)
    wait_until(lambda: page.locator("#sheet > .card").count() < 400)  # what is far away leaves when the wheel rests


def test_a_first_page_stays_whole(page: Page, library: Library) -> None:
    page.set_viewport_size({"width": 360, "height": 200})
    page.goto(f"/?q={library.word}")
    page.wait_for_timeout(1000)  # more than SETTLED in static/js/windowing.js
    assert page.evaluate("document.documentElement.scrollHeight > 5 * innerHeight")
    assert page.locator("#sheet > .card").count() == len(library.ids)


@pytest.mark.parametrize("width", [360, 1280, 2200])
def test_what_comes_back_stands_where_it_stood(page: Page, library: Library, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    library.open(page)
    expect(page.locator(f"#job-{made_up(PAGE - 1)}")).to_have_count(1)
    page.evaluate("window.second = document.querySelector('#sheet > .card:nth-child(3)')")
    before = page.evaluate(PLACES)[:COMPARED]
    far_down(page)
    to_the_top(page)
    assert page.evaluate(PLACES)[:COMPARED] == before
    assert page.evaluate("window.second === document.querySelector('#sheet > .card:nth-child(3)')")


def test_what_is_selected_stays_so_out_of_the_document(page: Page, library: Library) -> None:
    library.open(page)
    for number in (-1, 0):
        page.locator(f"#job-{library.ids[number]}-select").check(force=True)
    far_down(page)
    assert is_out(page, library.ids[-1])
    assert page.evaluate(CHOSEN) == [str(library.ids[0]), str(library.ids[-1])]
    shown = page.evaluate(IN_VIEW)
    page.locator(f"#{shown[len(shown) // 2][0]}-select").check(force=True)
    expect(page.locator("#selection-count")).to_have_text("3 selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection")).to_be_hidden()
    assert page.evaluate(CHOSEN) == []
    to_the_top(page)
    expect(page.locator(f"#job-{library.ids[-1]}-select")).not_to_be_checked()


def test_a_range_reaches_from_what_is_out_of_the_document(page: Page, library: Library) -> None:
    library.open(page)
    page.locator(f"#job-{library.ids[-1]}-select").check(force=True)
    page.locator(f"#job-{library.ids[0]}-link").focus()
    far_down(page)
    assert is_out(page, library.ids[-1])
    ids = page.evaluate(IDS)
    shown = page.evaluate(IN_VIEW)
    end = shown[len(shown) // 2][0]
    page.locator(f"#{end}-select").click(modifiers=["Shift"], force=True)
    row = ids[len(library.ids) - 1 : ids.index(end) + 1]
    expect(page.locator("#selection-count")).to_have_text(f"{len(row)} selected")
    assert sorted(page.evaluate(CHOSEN)) == sorted(card.removeprefix("job-") for card in row)


def test_what_changes_out_of_the_document_is_seen_when_it_comes_back(page: Page, darkroom: Darkroom) -> None:
    library = Library(darkroom)
    library.open(page)
    far_down(page)
    *_, rated, gone = library.ids
    assert is_out(page, rated)
    assert is_out(page, gone)
    httpx.patch(f"{darkroom.url}/jobs/{rated}", json={"rating": 3}).raise_for_status()
    httpx.patch(f"{darkroom.url}/jobs/{gone}", json={"trashed": True}).raise_for_status()
    wait_until(lambda: f"job-{gone}" not in page.evaluate(IDS))
    to_the_top(page)
    expect(page.locator(f"#job-{rated}-rate-3")).to_have_attribute("aria-pressed", "true")
    assert is_out(page, gone)


def test_what_arrives_above_the_view_moves_nothing_and_is_there_at_the_top(page: Page, darkroom: Darkroom) -> None:
    library = Library(darkroom)
    library.open(page)
    scroll(page, lambda: bool(page.evaluate("scrollY > 1500")), 300)
    at_rest(page)
    before = page.evaluate(IN_VIEW)
    arrived = library.post(192, 64)
    darkroom.finished(arrived)
    page.wait_for_timeout(1500)
    assert page.evaluate(IN_VIEW) == before
    to_the_top(page)
    expect(page.locator("#sheet > .card").first).to_have_id(f"job-{arrived}", timeout=LONG)
    expect(page.locator(f"#job-{arrived}")).to_have_attribute("data-status", "completed")


def test_keys_go_through_what_is_out_of_the_document(page: Page, library: Library) -> None:
    library.open(page)
    page.locator(f"#job-{library.ids[0]}-link").focus()
    far_down(page)
    expect(page.locator(f"#job-{library.ids[0]}-link")).to_be_focused()
    page.keyboard.press("ArrowDown")
    below = page.evaluate("document.activeElement.closest('.card').id")
    assert below in [f"job-{job_id}" for job_id in library.ids[1:]]
    expect(page.locator(f"#{below}")).to_be_in_viewport()
    page.evaluate(NOTE_THE_LAST)
    page.keyboard.press("End")
    last = page.evaluate("last")
    expect(page.locator(f"#{last}-link")).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Home")
    expect(page.locator(f"#job-{library.ids[0]}-link")).to_be_focused()
    expect(page.locator(f"#job-{library.ids[0]}")).to_be_in_viewport()


def test_the_lightbox_shows_what_is_out_of_the_document(page: Page, library: Library) -> None:
    library.open(page)
    *_, looked_at, beside = library.ids
    page.locator(f"#job-{looked_at}-link").click()
    shown = page.locator(".pswp[data-job]")
    expect(shown).to_have_attribute("data-job", str(looked_at))
    page.keyboard.press("Escape")
    expect(page.locator(f"#job-{looked_at}-link")).to_be_focused()
    page.locator(f"#job-{library.ids[0]}-link").focus()
    far_down(page)
    assert is_out(page, looked_at)
    page.go_forward()
    expect(shown).to_have_attribute("data-job", str(looked_at))
    page.keyboard.press("ArrowRight")
    expect(shown).to_have_attribute("data-job", str(beside))
    page.keyboard.press("Escape")
    expect(page.locator(f"#job-{beside}-link")).to_be_focused()


def test_another_width_keeps_the_place_and_the_way_back(page: Page, library: Library) -> None:
    library.open(page)
    far_down(page)
    page.set_viewport_size({"width": 700, "height": 900})
    wait_until(lambda: page.evaluate(IN_VIEW))
    scroll(page, lambda: bool(page.evaluate("scrollY === 0")), -1500)
    expect(page.locator("#sheet > .card").first).to_have_id(f"job-{library.ids[0]}")


def test_a_search_takes_the_place_of_a_long_sheet(page: Page, library: Library) -> None:
    library.open(page)
    far_down(page)
    page.evaluate("scrollTo(0, 0)")
    page.get_by_role("combobox", name="Search").fill(f"{library.word} fox")
    expect(page.locator("#chip-2")).to_have_count(1)
    expect(page.locator("#sheet > .card")).to_have_count(len(library.ids))
    assert page.evaluate(IDS) == [f"job-{job_id}" for job_id in library.ids]


def test_no_button_of_a_card_has_a_form_which_would_make_cards_slow_to_come_and_go(
    page: Page, library: Library
) -> None:
    library.open(page)
    expect(page.locator("#marks")).to_have_count(0)
    assert page.locator(".card button").count() > PAGE
    assert page.evaluate("[...document.querySelectorAll('.card button')].every(({ form }) => form === null)")


def test_what_runs_under_the_pointer_while_the_page_scrolls_shows_no_marks(page: Page, library: Library) -> None:
    library.open(page)
    heart = page.locator(f"#job-{library.ids[-1]}-favorite")
    page.locator(f"#job-{library.ids[-1]}-link").hover()
    expect(heart).to_be_visible()
    scrolled = "heart => { dispatchEvent(new Event('scroll')); return getComputedStyle(heart).display }"
    assert heart.evaluate(scrolled) == "none"
    expect(heart).to_be_visible()

"""The keys: they cover the whole gallery, are off while the user types, and the focus is never lost."""

from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.access import axe_finds_nothing
from tests.browser.conftest import Darkroom
from tests.waiting import wait_until

WORDS = """element => {
  const copy = element.cloneNode(true);
  copy.querySelectorAll("time").forEach(time => time.remove());
  return copy.innerText;
}"""  # without relative times, which change by themselves
SIZES = [(192, 64), (64, 96), (128, 64), (64, 64), (96, 64), (64, 128), (160, 64), (64, 64), (96, 96), (64, 64)]


@pytest.fixture(scope="module")
def prints(darkroom: Darkroom) -> list[UUID]:
    """Make prints of uneven sizes. Returns their ids, newest first."""
    ids = [darkroom.post(f"key {width} {height}", width=width, height=height) for width, height in SIZES]
    for job_id in ids:
        assert darkroom.finished(job_id)["status"] == "completed"
    return ids[::-1]


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def focus(page: Page, job_id: UUID) -> None:
    page.locator(f"#job-{job_id}-link").focus()


def box(page: Page, card: str) -> dict[str, float]:
    first = page.locator(f"#{card}").first
    return dict(first.evaluate("card => card.closest('.card').getBoundingClientRect().toJSON()"))


@pytest.mark.main_path
def test_arrows_move_along_and_between_rows(page: Page, prints: list[UUID]) -> None:
    page.goto("/")
    focus(page, prints[0])
    page.keyboard.press("ArrowRight")
    assert focused(page) == f"job-{prints[1]}-link"
    page.keyboard.press("ArrowLeft")
    before = box(page, focused(page))
    page.keyboard.press("ArrowRight")
    middle = box(page, focused(page))
    page.keyboard.press("ArrowDown")
    below = box(page, focused(page))
    assert below["top"] > middle["top"]
    assert below["left"] < middle["right"]
    assert below["right"] > middle["left"]
    page.keyboard.press("ArrowUp")
    assert focused(page) == f"job-{prints[1]}-link", "the way back is the way there, however uneven the rows are"
    assert before["left"] < middle["left"]
    page.keyboard.press("End")
    page.keyboard.press("Home")
    assert box(page, focused(page))["left"] == box(page, "sheet > .sheet-day:first-child + .card")["left"]


def test_the_sheet_is_one_stop_of_the_tab_key(page: Page, prints: list[UUID]) -> None:
    page.goto("/")
    focus(page, prints[3])
    page.locator("#main").focus()
    reached = set()
    for _ in range(50):
        page.keyboard.press("Tab")
        reached.add(focused(page))
    assert f"job-{prints[3]}-link" in reached
    assert not {f"job-{prints[2]}-link", f"job-{prints[4]}-link"} & reached


@pytest.mark.main_path
def test_each_key_presses_its_button_on_the_card_with_the_focus_but_not_while_one_types(
    page: Page, prints: list[UUID]
) -> None:
    _put_forms_on(page)
    card = f"job-{prints[2]}"
    for key, pressed in PRESSED.items():
        focus(page, prints[2])
        page.keyboard.press(key)
        page.keyboard.press(f"Control+{key}")
        page.get_by_label("Prompt", exact=True).focus()
        page.keyboard.press(key)
        assert page.evaluate("window.pressed.splice(0)") == [f"{card} {pressed}"], key


def _put_forms_on(page: Page) -> None:
    """Open the gallery with forms that only record what was pressed on its cards. Live events do not replace them."""
    page.add_init_script(STILL)
    page.goto("/")
    page.evaluate(FORMS)


STILL = """document.addEventListener("htmx:before:swap", ({ detail }) => {
    if (window.pressed) detail.tasks.length = 0;
})"""

PRESSED = {"f": "favorite", "3": "rate 3", "0": "rate 0", "t": "tag", "x": "select", "Delete": "trash"}

FORMS = """() => {
    window.pressed = [];
    const button = (card, action, value) => {
        const button = document.createElement("button");
        Object.assign(button, { type: "button", value: value && `${action}:${value}` });
        button.onclick = () => window.pressed.push(`${card.id} ${[action, value].filter(Boolean).join(" ")}`);
        return button;
    };
    for (const card of document.querySelectorAll("#sheet > .card")) {
        card.querySelectorAll("[data-action], .card-select").forEach(own => own.remove());
        for (const action of ["favorite", "rate", "tag", "trash"]) {
            const form = document.createElement("form");
            form.dataset.action = action;
            for (const value of action === "rate" ? ["0", "1", "2", "3", "4", "5"] : [""]) {
                form.append(button(card, action, value));
            }
            card.append(form);
        }
        const box = Object.assign(document.createElement("input"), { type: "checkbox", className: "card-select" });
        box.onclick = () => window.pressed.push(`${card.id} select`);
        card.append(box);
    }
}"""


def test_in_the_lightbox_keys_are_about_the_print_that_is_looked_at(page: Page, prints: list[UUID]) -> None:
    _put_forms_on(page)
    focus(page, prints[0])
    page.keyboard.press("Enter")
    shown = page.locator(".pswp[data-job]")
    expect(shown).to_have_attribute("data-job", str(prints[0]))
    expect(page.locator(".pswp")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(shown).to_have_attribute("data-job", str(prints[1]))
    page.keyboard.press("5")
    assert page.evaluate("window.pressed") == [f"job-{prints[1]} rate 5"]
    page.keyboard.press("Escape")
    expect(page.locator(f"#job-{prints[1]}-link")).to_be_focused()


def test_where_nothing_can_be_pressed_a_key_does_nothing(page: Page, prints: list[UUID]) -> None:
    page.goto("/?q=key")  # prints of other tests change meanwhile
    before, address = page.locator("#main").evaluate(WORDS), page.url
    for key in ("f", "3", "t", "x", "Delete", "c", "Escape", "i", "z"):
        page.keyboard.press(key)
    assert page.locator("#main").evaluate(WORDS) == before
    assert page.url == address


def test_n_writes_a_prompt(page: Page, prints: list[UUID]) -> None:
    page.goto("/")
    focus(page, prints[0])
    page.keyboard.press("n")
    expect(page.get_by_label("Prompt", exact=True)).to_be_focused()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("")


def test_the_bar_of_the_selection_never_hides_the_card_with_the_focus(page: Page, prints: list[UUID]) -> None:
    page.set_viewport_size({"width": 390, "height": 500})
    page.goto("/?q=key")  # where no older prints come below the last one, and complete its row
    page.locator("#selection-mode").check()
    focus(page, prints[0])
    page.keyboard.press("End")
    bar = page.locator("#selection").bounding_box()
    assert bar is not None
    assert box(page, focused(page))["bottom"] <= bar["y"]


def test_the_focus_goes_to_the_next_card_when_its_own_goes_away(page: Page, prints: list[UUID]) -> None:
    page.route("**/events?*", lambda _: None)  # held: what it sends on connecting would bring the card back
    page.goto("/")
    focus(page, prints[4])
    page.locator(f"#job-{prints[4]}").evaluate("card => card.remove()")
    expect(page.locator(f"#job-{prints[5]}-link")).to_be_focused()


def test_the_focus_stays_on_its_card_when_the_button_it_was_on_goes_away(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "held by a button", "do": "run", "seconds": 5})
    page.goto("/")
    job_id = darkroom.post("held by a button")
    card = page.locator(f"#job-{job_id}")
    expect(card).to_have_attribute("data-status", "running", timeout=60_000)
    card.get_by_role("button", name="Cancel").focus()
    expect(card).to_have_attribute("data-status", "completed", timeout=60_000)
    expect(page.locator(f"#job-{job_id}-link")).to_be_focused()


def test_the_help_shows_every_key_and_gives_the_focus_back(page: Page, prints: list[UUID]) -> None:
    page.goto("/")
    focus(page, prints[1])
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(help_).to_be_visible()
    keys = help_.locator("kbd").all_inner_texts()
    shown = {"←", "Enter", "Esc", "F", "1–5", "0", "T", "X", "Del", "/", "C", "N", "?"}  # noqa: RUF001
    assert shown | {"Ctrl Enter"} <= set(keys)
    expect(help_.get_by_text("In the first line: last prompts")).to_be_visible()
    page.keyboard.press("n")
    expect(page.get_by_label("Prompt", exact=True)).not_to_be_focused()
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    expect(page.locator(f"#job-{prints[1]}-link")).to_be_focused()
    page.get_by_role("button", name="Shortcuts").click()
    expect(help_).to_be_visible()


def test_axe_finds_nothing_in_the_help(page: Page, darkroom: Darkroom) -> None:
    page.goto("/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    axe_finds_nothing(page)


def test_a_tab_that_nobody_looks_at_counts_what_was_finished(page: Page, darkroom: Darkroom) -> None:
    page.clock.install()
    page.goto("/")
    look_away = "hidden => { Object.defineProperty(document, 'hidden', { value: hidden, configurable: true }); "
    look_away += "document.dispatchEvent(new Event('visibilitychange')) }"
    with page.expect_response("**/finished.json") as looked:
        page.evaluate(look_away, True)
    since = looked.value.json()["until"]
    darkroom.finished(darkroom.post("finished unseen"))
    wait_until(lambda: _asked_again(page, darkroom, since))
    page.evaluate(look_away, False)
    expect(page).to_have_title("Darkroom")


def _asked_again(page: Page, darkroom: Darkroom, since: str) -> bool:
    """Return whether the title counts all that was finished: this print, and what other tests had left unfinished."""
    page.clock.run_for(15_000)
    finished = httpx.get(f"{darkroom.url}/finished.json", params={"since": since}, timeout=30).json()["finished"]
    return len(finished) > 0 and page.title() == f"({len(finished)}) Darkroom"


def test_notifications_are_asked_for_only_by_the_switch(page: Page, darkroom: Darkroom) -> None:
    page.add_init_script("Notification.requestPermission = async () => { window.asked = true; return 'denied' }")
    page.goto("/")
    page.keyboard.press("?")
    switch = page.get_by_role("switch", name="Notify me")
    assert not page.evaluate("window.asked")
    switch.click()
    expect(page.get_by_text("does not allow notifications")).to_be_visible()
    assert page.evaluate("window.asked")
    expect(switch).not_to_be_checked()

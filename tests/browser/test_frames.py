"""Live events wait until typed letters are drawn, and are applied however fast the user types."""

from playwright.sync_api import Page

TELL = """
  const live = document.getElementById('live');
  const main = document.getElementById('main');
  const tell = (name) => {
    const data = `<hx-partial hx-target="#main" hx-swap="beforeend"><b class="told">${name}</b></hx-partial>`;
    const detail = { message: { data } };
    live.dispatchEvent(new CustomEvent('htmx:sse:before:message', { detail, bubbles: true, cancelable: true }));
  };
  const type = () => document.getElementById('prompt').dispatchEvent(new KeyboardEvent('keydown', { bubbles: true }));
  const told = () => main.querySelectorAll('.told').length;
  const until = async (holds) => {
    const start = performance.now();
    while (!holds() && performance.now() - start < 5000) await new Promise((go) => setTimeout(go, 1));
    return performance.now() - start;
  };
  tell('zero'); // whatever other tests left to be shown is shown with it
  await until(() => told() === 1);
  main.querySelector('.told').remove();
"""
DRAWN, PAUSE = 50, 250  # milliseconds, as in static/js/frames.js


def measured(page: Page, script: str) -> float:
    """Run a script on the gallery, and return the milliseconds that it returns."""
    page.goto("/", wait_until="load")
    return float(page.evaluate(f"async () => {{ {TELL} {script} }}"))


def test_what_is_told_just_after_a_letter_waits_until_that_is_drawn(page: Page) -> None:
    assert DRAWN - 5 < measured(page, "type(); tell('one'); return await until(() => told() === 1)") < 5000


def test_between_two_letters_the_page_changes_once(page: Page) -> None:
    """The second change comes when the typing has ended, however late the first one was."""
    first = "const typed = performance.now(); type(); tell('one'); await until(() => told() === 1);"
    second = "tell('two'); await until(() => told() === 2); return performance.now() - typed"
    assert PAUSE - 5 < measured(page, f"{first} {second}") < 5000


def test_who_never_stops_typing_sees_the_page_change_all_the_same(page: Page) -> None:
    typing = f"const typing = setInterval(type, {DRAWN} / 3); type(); tell('one');"
    assert (
        measured(page, f"{typing} const waited = await until(() => told() === 1); clearInterval(typing); return waited")
        < 5000
    )

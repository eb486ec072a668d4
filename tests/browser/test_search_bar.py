"""Finding prints in a real browser: by typing, chips and the back button, with and without JavaScript."""

from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import Darkroom
from tests.waiting import wait_until

LONG = 60_000  # milliseconds


@pytest.mark.main_path
def test_prints_are_found_as_one_types_and_the_back_button_leads_back(page: Page, darkroom: Darkroom) -> None:
    walrus, other = darkroom.post("a walrus to be found"), darkroom.post("a narwhal to be found")
    page.goto("/")
    page.evaluate("window.stayed = true")
    page.get_by_label("Prompt", exact=True).fill("half a thought")
    box = page.get_by_role("combobox", name="Search")
    box.press_sequentially("walrus found")
    expect(page.locator("#sheet article")).to_have_count(1)
    expect(page.locator(f"#job-{walrus}")).to_be_visible()
    expect(page).to_have_url(f"{darkroom.url}/?q=walrus+found")
    expect(page.locator("#search-bar-count")).to_have_text("1 print")
    expect(box).to_be_focused()
    page.get_by_role("link", name="Remove walrus").click()
    expect(page.locator(f"#job-{other}")).to_be_visible()
    expect(box).to_have_value("found")
    page.go_back()
    expect(page.locator(f"#job-{other}")).to_have_count(0)
    expect(box).to_have_value("walrus found")
    page.go_back()
    expect(page.locator(f"#job-{other}")).to_be_visible()
    expect(page).to_have_url(f"{darkroom.url}/")
    expect(box).to_have_value("")
    assert page.evaluate("window.stayed")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("half a thought")


def test_what_a_search_does_not_find_does_not_pop_in_and_is_not_counted(page: Page, darkroom: Darkroom) -> None:
    darkroom.script({"on": "create", "match": "watched puffin", "do": "run", "seconds": 3})
    page.goto("/?q=status:queued,running,completed")
    page.get_by_role("combobox", name="Search").fill("puffin -status:completed")
    expect(page.get_by_text("Nothing found.")).to_be_visible()
    other = darkroom.post("a gannet nobody asked for")
    puffin = page.locator(f"#job-{darkroom.post('a watched puffin')}")
    count = page.locator("#search-bar-count")
    expect(count).to_have_text("1 print")
    expect(puffin).to_have_attribute("data-status", "running", timeout=LONG)
    expect(puffin).to_have_attribute("data-status", "completed", timeout=LONG)  # it stays until a reload
    expect(count).to_have_text("No prints")
    expect(page.locator(f"#job-{other}")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Nothing found.")).to_be_visible()


@pytest.mark.main_path
def test_what_is_unclear_is_explained_while_the_prints_stay(page: Page, darkroom: Darkroom) -> None:
    job_id = darkroom.post("an auk that stays")
    page.goto("/?q=auk")
    box = page.get_by_role("combobox", name="Search")
    expect(page.locator("#search-bar-count")).to_have_text("1 print")
    top = page.locator(f"#job-{job_id}").evaluate("card => card.getBoundingClientRect().top")
    box.fill("auk status:tired")
    expect(page.get_by_role("alert").first).to_contain_text('"status:" must be one of queued')
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(box).to_have_value("auk status:tired")
    expect(page.locator(f"#job-{job_id}")).to_be_visible()
    assert page.locator(f"#job-{job_id}").evaluate("card => card.getBoundingClientRect().top") == top
    box.fill("auk")
    expect(page.locator("#search-bar-faults")).to_have_count(0)


@pytest.mark.main_path
def test_searches_are_saved_and_found_again_in_place(page: Page, darkroom: Darkroom) -> None:
    job_id = darkroom.post("a kittiwake to come back to")
    page.goto("/?q=kittiwake")
    page.locator("#search-bar-saved-summary").click()
    page.get_by_label("Save this search as").fill("Kittiwakes")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Kittiwakes")).to_be_visible()
    page.goto("/?q=nothing-like-it")
    page.locator("#search-bar-saved-summary").click()
    page.get_by_role("link", name="Kittiwakes").click()
    expect(page.locator(f"#job-{job_id}")).to_be_visible()
    expect(page.locator("#search-bar-saved")).not_to_have_attribute("open", "")
    page.locator("#search-bar-saved-summary").click()
    page.get_by_role("button", name="Delete the search Kittiwakes").click()
    expect(page.get_by_role("link", name="Kittiwakes")).to_have_count(0)
    page.keyboard.press("Escape")


def tagged(darkroom: Darkroom, word: str, *tags: str) -> UUID:
    """Make a print with a word in its prompt, and put tags on it."""
    job_id = darkroom.post(f"a {word} with tags")
    httpx.patch(f"{darkroom.url}/jobs/{job_id}", json={"tags": list(tags)}, timeout=30).raise_for_status()
    return job_id


@pytest.mark.main_path
def test_a_search_is_narrowed_and_widened_by_clicks_in_the_filter_panel(page: Page, darkroom: Darkroom) -> None:
    both, one = tagged(darkroom, "guillemot", "cliff", "far away"), tagged(darkroom, "guillemot", "cliff")
    page.goto("/?q=guillemot")
    button, panel, box = page.locator("#filter-button"), page.locator("#filter-panel"), page.locator("#search-bar-q")
    expect(panel).to_be_hidden()
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    far = panel.get_by_role("link", name="far away 1 print")
    expect(panel.get_by_role("link", name="cliff 2 prints")).to_be_visible()
    far.focus()
    far.press("Enter")
    expect(page.locator(f"#job-{one}")).to_have_count(0)
    expect(page.locator(f"#job-{both}")).to_be_visible()
    expect(box).to_have_value('guillemot tag:"far away"')
    expect(panel.get_by_role("link", name="Remove far away")).to_have_attribute("aria-current", "true")
    expect(panel.get_by_role("link", name="Remove far away")).to_be_focused()
    panel.get_by_role("link", name="cliff 2 prints").click()
    expect(box).to_have_value('guillemot tag:"far away,cliff"')
    expect(page.locator(f"#job-{one}")).to_be_visible()
    axe_finds_nothing(page, {"include": ["#search-bar"]})
    panel.get_by_role("link", name="Remove far away").press("Escape")
    expect(panel).to_be_hidden()
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-expanded", "false")
    button.click()
    expect(panel.get_by_role("link", name="Remove cliff")).to_be_visible()
    nothing_overflows(page)


@pytest.mark.main_path
def test_what_one_types_is_completed_by_keys_and_by_clicks(page: Page, darkroom: Darkroom) -> None:
    job_id = tagged(darkroom, "shearwater", "burrow deep")
    wait_until(lambda: "burrow" in httpx.get(f"{darkroom.url}/searches/suggestions?q=burr").text)  # counted a while ago
    page.goto("/")
    box, options = page.get_by_role("combobox", name="Search"), page.locator("#suggestions [role=option]")
    box.press_sequentially("shearwater ta")
    expect(options.first).to_have_text("tag: a tag")
    expect(box).to_have_attribute("aria-expanded", "true")
    expect(box).not_to_have_attribute("aria-activedescendant", "suggestion-1")
    box.press("ArrowDown")
    expect(box).to_have_attribute("aria-activedescendant", "suggestion-1")
    axe_finds_nothing(page, {"include": ["#search-bar"]})
    box.press("Tab")
    expect(box).to_have_value("shearwater tag:")
    box.press_sequentially("burr")
    expect(options).to_have_text(['tag:"burrow deep" 1 print'])
    options.first.click()
    expect(box).to_have_value('shearwater tag:"burrow deep" ')
    expect(box).to_be_focused()
    expect(page.locator("#suggestions")).to_be_hidden()
    expect(page).to_have_url(f"{darkroom.url}/?q=shearwater+tag%3A%22burrow+deep%22")
    expect(page.locator(f"#job-{job_id}")).to_be_visible()
    box.fill("shearwater -ki")
    expect(options.first).to_have_text("kind: one of image, video, audio, text, file")
    box.press("Escape")
    expect(page.locator("#suggestions")).to_be_hidden()
    expect(box).to_have_value("shearwater -ki")
    box.fill("shearwater st")
    expect(options.first).to_be_visible()
    box.press("Enter")  # nothing is marked: it searches for what is typed
    expect(page.locator("#suggestions")).to_be_hidden()
    expect(page).to_have_url(f"{darkroom.url}/?q=shearwater+st")


def test_a_saved_search_is_suggested_by_its_name(page: Page, darkroom: Darkroom) -> None:
    job_id = darkroom.post("a gadwall in the reeds")
    form = {"name": "Ducks in reeds", "q": "gadwall", "sort": "oldest"}
    httpx.post(f"{darkroom.url}/searches", data=form, timeout=30)
    page.goto("/")
    box = page.get_by_role("combobox", name="Search")
    box.press_sequentially("duc")
    page.locator("#suggestions").get_by_text("Ducks in reeds").click()
    expect(page).to_have_url(f"{darkroom.url}/?q=gadwall&sort=oldest")
    expect(page.locator(f"#job-{job_id}")).to_be_visible()
    expect(box).to_have_value("gadwall")


def test_what_filters_and_selects_appears_with_the_fifth_print(page: Page, darkroom: Darkroom) -> None:
    for number in range(4):
        darkroom.post(f"whimbrel {number}")
    page.goto("/?q=whimbrel")
    page.locator("#search-bar").evaluate("bar => bar.dataset.few = 5")  # as in a library with four prints
    for hidden in ("#filter-button", "#selection-mode"):
        expect(page.locator(hidden)).to_be_hidden()
    darkroom.post("whimbrel 5")
    for shown in ("#filter-button", "#selection-mode"):
        expect(page.locator(shown)).to_be_visible()


def test_what_is_for_browsers_without_script_is_not_seen_with_it(page: Page, darkroom: Darkroom) -> None:
    darkroom.post("dunlin")
    page.goto("/?q=dunlin")
    page.locator("#view-summary").click()
    expect(page.locator("#view-form")).to_be_visible()
    expect(page.locator("a.without-script")).to_have_count(1)
    expect(page.locator(".without-script").filter(visible=True)).to_have_count(0)


def test_without_javascript_a_search_is_narrowed_on_a_page_of_its_own(no_script: Page, darkroom: Darkroom) -> None:
    both, one = tagged(darkroom, "fulmar", "skerry", "ledge"), tagged(darkroom, "fulmar", "skerry")
    no_script.goto("/?q=fulmar&sort=oldest")
    no_script.get_by_role("link", name="Filter").click()
    no_script.get_by_role("link", name="ledge 1 print").click()
    expect(no_script).to_have_url(f"{darkroom.url}/?q=fulmar+tag%3Aledge&sort=oldest")
    expect(no_script.locator(f"#job-{both}")).to_be_visible()
    expect(no_script.locator(f"#job-{one}")).to_have_count(0)
    no_script.get_by_role("link", name="Filter").click()
    no_script.get_by_role("link", name="Remove ledge").click()
    expect(no_script.locator(f"#job-{one}")).to_be_visible()


def test_without_javascript_prints_are_found_sorted_and_searches_saved(no_script: Page, darkroom: Darkroom) -> None:
    first, second = darkroom.post("the first razorbill"), darkroom.post("the second razorbill")
    no_script.goto("/")
    no_script.get_by_role("combobox", name="Search").fill("razorbill")
    no_script.get_by_label("Order").select_option("oldest")
    no_script.get_by_role("button", name="Search").click()
    cards = no_script.locator("#sheet article")
    expect(cards).to_have_count(2)
    assert cards.evaluate_all("cards => cards.map(card => card.id)") == [f"job-{first}", f"job-{second}"]
    no_script.locator("#search-bar-saved-summary").click()
    no_script.get_by_label("Save this search as").fill("Razorbills")
    no_script.get_by_role("button", name="Save", exact=True).click()
    no_script.get_by_role("link", name="Remove razorbill").click()
    expect(no_script.get_by_role("combobox", name="Search")).to_have_value("")
    no_script.locator("#search-bar-saved-summary").click()
    no_script.get_by_role("link", name="Razorbills").click()
    expect(cards).to_have_count(2)
    no_script.locator("#search-bar-saved-summary").click()
    no_script.get_by_role("button", name="Delete the search Razorbills").click()
    expect(no_script).to_have_url(f"{darkroom.url}/?q=razorbill&sort=oldest")
    expect(no_script.get_by_role("link", name="Razorbills")).to_have_count(0)

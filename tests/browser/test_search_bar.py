"""Finding prints in a real browser: by typing, chips and the back button, with and without JavaScript."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import Darkroom

LONG = 60_000  # milliseconds


def test_prints_are_found_as_one_types_and_the_back_button_leads_back(page: Page, darkroom: Darkroom) -> None:
    walrus, other = darkroom.post("a walrus to be found"), darkroom.post("a narwhal to be found")
    page.goto("/")
    page.evaluate("window.stayed = true")
    page.get_by_label("Prompt", exact=True).fill("half a thought")
    box = page.get_by_role("searchbox", name="Search")
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
    page.get_by_role("searchbox", name="Search").fill("puffin -status:completed")
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


def test_what_is_unclear_is_explained_while_the_prints_stay(page: Page, darkroom: Darkroom) -> None:
    job_id = darkroom.post("an auk that stays")
    page.goto("/?q=auk")
    box = page.get_by_role("searchbox", name="Search")
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


def test_without_javascript_prints_are_found_sorted_and_searches_saved(no_script: Page, darkroom: Darkroom) -> None:
    first, second = darkroom.post("the first razorbill"), darkroom.post("the second razorbill")
    no_script.goto("/")
    no_script.get_by_role("searchbox", name="Search").fill("razorbill")
    no_script.get_by_label("Order").select_option("oldest")
    no_script.get_by_role("button", name="Search").click()
    cards = no_script.locator("#sheet article")
    expect(cards).to_have_count(2)
    assert cards.evaluate_all("cards => cards.map(card => card.id)") == [f"job-{first}", f"job-{second}"]
    no_script.locator("#search-bar-saved-summary").click()
    no_script.get_by_label("Save this search as").fill("Razorbills")
    no_script.get_by_role("button", name="Save", exact=True).click()
    no_script.get_by_role("link", name="Remove razorbill").click()
    expect(no_script.get_by_role("searchbox", name="Search")).to_have_value("")
    no_script.locator("#search-bar-saved-summary").click()
    no_script.get_by_role("link", name="Razorbills").click()
    expect(cards).to_have_count(2)
    no_script.locator("#search-bar-saved-summary").click()
    no_script.get_by_role("button", name="Delete the search Razorbills").click()
    expect(no_script).to_have_url(f"{darkroom.url}/?q=razorbill&sort=oldest")
    expect(no_script.get_by_role("link", name="Razorbills")).to_have_count(0)

"""The lightbox: prints enlarged one after the other, without leaving the grid."""

import re
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.access import axe_finds_nothing
from tests.browser.conftest import Darkroom
from tests.waiting import wait_until

FLUX, FILM, SOUND = "black-forest-labs/flux-schnell", "minimax/hailuo-02", "meta/musicgen"


@pytest.fixture(scope="module")
def prints(darkroom: Darkroom) -> dict[str, UUID]:
    """Make prints of several kinds. The last one is the newest."""
    prints = {
        "sound": darkroom.post("lightbox sound", SOUND),
        "film": darkroom.post("lightbox film", FILM),
        "wide": darkroom.post("lightbox wide", width=1536, height=768),
        "stack": darkroom.post("lightbox stack", FLUX, num_outputs=2),
        "first": darkroom.post("lightbox first"),
    }
    for job_id in prints.values():
        assert darkroom.finished(job_id)["status"] == "completed"
    return prints


def lightbox(page: Page) -> Locator:
    return page.locator(".pswp[data-job]")


def panel(page: Page) -> Locator:
    return page.get_by_role("complementary", name="About this print")


def open_lightbox(page: Page, job_id: UUID) -> Locator:
    """Click a card, and wait until its print is open."""
    page.locator(f"#job-{job_id}-link").click()
    expect(lightbox(page)).to_have_attribute("data-job", str(job_id))
    expect(page.locator(".pswp")).to_be_focused()
    return lightbox(page)


def at(darkroom: Darkroom, job_id: UUID) -> re.Pattern[str]:
    return re.compile(rf"^{re.escape(darkroom.url)}/jobs/{job_id}$")


@pytest.mark.main_path
def test_a_click_opens_a_print_and_going_back_closes_it_where_it_was(
    page: Page, darkroom: Darkroom, prints: dict[str, UUID]
) -> None:
    page.goto("/")
    open_lightbox(page, prints["wide"])
    expect(page).to_have_url(at(darkroom, prints["wide"]))
    shown = page.locator(".pswp__item:not([inert]) img.pswp__img:not(.pswp__img--placeholder)")
    wait_until(lambda: shown.evaluate("img => img.naturalWidth") == 1536)
    page.go_back()
    expect(page).to_have_url(f"{darkroom.url}/")
    expect(page.locator(".pswp")).to_have_count(0)
    expect(page.locator(f"#job-{prints['wide']}-link")).to_be_focused()


@pytest.mark.main_path
def test_arrows_turn_through_the_prints_and_the_outputs_of_each(
    page: Page, darkroom: Darkroom, prints: dict[str, UUID]
) -> None:
    page.goto("/")
    shown = open_lightbox(page, prints["first"])
    page.keyboard.press("ArrowRight")
    expect(shown).to_have_attribute("data-job", str(prints["stack"]))
    expect(page.locator(".pswp__place")).to_have_text("Result 1 of 2")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".pswp__place")).to_have_text("Result 2 of 2")
    page.keyboard.press("ArrowRight")
    expect(shown).to_have_attribute("data-job", str(prints["wide"]))
    expect(page).to_have_url(at(darkroom, prints["wide"]))
    page.keyboard.press("ArrowLeft")
    expect(shown).to_have_attribute("data-job", str(prints["stack"]))
    page.keyboard.press("Escape")
    expect(page).to_have_url(f"{darkroom.url}/")
    expect(page.locator(f"#job-{prints['stack']}-link")).to_be_focused()
    page.go_forward()
    expect(lightbox(page)).to_have_attribute("data-job", str(prints["stack"]))


@pytest.mark.main_path
def test_a_reload_shows_the_prints_own_page_which_leads_on_within_the_search(
    page: Page, darkroom: Darkroom, prints: dict[str, UUID]
) -> None:
    page.goto("/?q=lightbox")
    open_lightbox(page, prints["stack"])
    page.reload()
    expect(page.locator(f"#job-page-{prints['stack']}")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.locator(f"#job-page-{prints['wide']}")).to_be_visible()
    expect(page).to_have_url(f"{darkroom.url}/jobs/{prints['wide']}?q=lightbox")


def test_films_and_sounds_play_in_it(page: Page, darkroom: Darkroom, prints: dict[str, UUID]) -> None:
    page.emulate_media(reduced_motion="no-preference")
    page.goto("/")
    page.locator(f"#job-{prints['film']}").hover()
    open_lightbox(page, prints["film"])
    film = page.locator(".pswp__item:not([inert]) video")
    wait_until(lambda: film.evaluate("film => film.currentTime > 0"))
    page.keyboard.press("ArrowRight")
    sound, side = page.locator(".pswp__item:not([inert]) .sound").bounding_box(), panel(page).bounding_box()
    assert sound
    assert side
    assert sound["x"] + sound["width"] < side["x"]
    page.locator(".pswp__item:not([inert])").get_by_role("button", name="Play: lightbox sound").click()
    wait_until(lambda: page.locator("#player audio").evaluate("sound => sound.currentTime > 0"))
    assert page.locator("video").evaluate_all("films => films.every(film => film.paused)")


def test_the_panel_tells_of_the_print_that_is_looked_at(page: Page, prints: dict[str, UUID]) -> None:
    page.goto("/")
    open_lightbox(page, prints["first"])
    expect(panel(page).get_by_role("heading", name="lightbox first")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(panel(page).get_by_role("heading", name="lightbox stack")).to_be_visible()
    expect(panel(page)).to_contain_text(FLUX)
    panel(page).get_by_role("link", name="Open page").click()
    expect(page.locator(f"#job-page-{prints['stack']}")).to_be_visible()
    page.go_back()
    expect(page.locator("#sheet")).to_be_visible()
    expect(page.locator(".pswp")).to_have_count(0)


def test_a_panel_that_is_closed_while_the_lightbox_opens_leaves_its_room_to_the_picture(
    page: Page, prints: dict[str, UUID]
) -> None:
    page.emulate_media(reduced_motion="no-preference")
    page.goto("/?q=lightbox")
    page.locator(f"#job-{prints['wide']}-link").click()
    panel(page).wait_for(state="attached")
    page.keyboard.press("i")
    expect(panel(page)).to_be_hidden()
    picture = page.locator(".pswp__item:not([inert]) img.pswp__img:not(.pswp__img--placeholder)")
    wait_until(lambda: _middle(picture) == pytest.approx(1280 / 2, abs=2))


def _middle(element: Locator) -> float:
    box = element.bounding_box()
    return box["x"] + box["width"] / 2 if box else 0


def test_who_goes_back_before_the_scripts_have_come_is_back_all_the_same(page: Page, prints: dict[str, UUID]) -> None:
    page.goto("/")
    open_lightbox(page, prints["first"])
    held: list[Route] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        held.append(route)

    page.route("**/js/live_page.js*", hold)
    page.reload(wait_until="commit")
    expect(page.locator(f"#job-page-{prints['first']}")).to_be_visible()
    with page.expect_event("framenavigated"):
        page.evaluate("history.back()")
    while not held:
        page.wait_for_timeout(20)
    held[0].continue_()
    expect(page.locator("#sheet")).to_be_visible()


def test_prints_that_arrive_do_not_move_the_one_that_is_looked_at(
    page: Page, darkroom: Darkroom, prints: dict[str, UUID]
) -> None:
    page.goto("/")
    shown = open_lightbox(page, prints["stack"])
    picture = page.locator(".pswp__item:not([inert]) img.pswp__img:not(.pswp__img--placeholder)")
    picture.evaluate("img => { img.stayed = true }")
    arrived = darkroom.post("arrived while one looked")
    card = page.locator(f"#job-{arrived}")
    expect(card).to_have_attribute("data-status", "completed", timeout=60_000)
    expect(shown).to_have_attribute("data-job", str(prints["stack"]))
    assert picture.evaluate("img => img.stayed")
    for other in (prints["first"], arrived):
        wait_until(lambda other=other: _turned(page, shown, "ArrowLeft", other))  # type: ignore[misc]


def _turned(page: Page, shown: Locator, key: str, job_id: UUID) -> bool:
    """Return whether the print of the job is shown. Presses the key if it is not."""
    if shown.get_attribute("data-job") == str(job_id):
        return True
    page.keyboard.press(key)
    return False


def test_where_the_print_goes_away_the_next_one_takes_its_place(page: Page, prints: dict[str, UUID]) -> None:
    page.route("**/events?*", lambda _: None)  # held: what it sends on connecting would bring the card back
    page.goto("/")
    shown = open_lightbox(page, prints["stack"])
    page.locator(f"#job-{prints['stack']}").evaluate("card => card.remove()")
    expect(shown).to_have_attribute("data-job", str(prints["wide"]))
    page.keyboard.press("Escape")
    expect(page.locator(f"#job-{prints['wide']}-link")).to_be_focused()


@pytest.mark.main_path
def test_everything_said_of_a_print_is_changed_in_the_panel_and_kept(
    page: Page, darkroom: Darkroom, prints: dict[str, UUID]
) -> None:
    page.goto("/?q=lightbox")
    shown = open_lightbox(page, prints["first"])
    about = panel(page)
    about.get_by_role("button", name="4 stars").click()
    expect(about.get_by_role("group", name="Rating: 4 of 5")).to_be_visible()
    about.get_by_role("button", name="Favorite").click()
    expect(about.get_by_role("button", name="Favorite")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("t")
    page.keyboard.type("workbench")
    page.keyboard.press("Enter")
    expect(about.get_by_role("link", name="workbench")).to_be_visible()
    about.get_by_label("Collection", exact=True).fill("Shelf")
    page.keyboard.press("Enter")
    expect(about.get_by_role("link", name="Shelf")).to_be_visible()
    about.get_by_label("Notes").fill("One line,")
    expect(about.locator(".curation-saved")).to_have_text("Saved")
    page.keyboard.press("End")
    page.keyboard.type(" another")
    page.evaluate("document.querySelector('.pswp__button--arrow--next').click()")  # takes no focus, as a swipe
    expect(shown).to_have_attribute("data-job", str(prints["stack"]))
    wait_until(lambda: darkroom.status(prints["first"]).get("notes") == "One line, another")
    page.keyboard.press("ArrowLeft")
    expect(about.get_by_label("Notes")).to_have_value("One line, another")
    about.get_by_label("Notes").fill("One line, another, and the rest")
    page.go_back()
    expect(page.locator(".pswp")).to_have_count(0)
    wait_until(lambda: darkroom.status(prints["first"]).get("notes") == "One line, another, and the rest")
    status = darkroom.status(prints["first"])
    assert (status["rating"], status["favorite"], status["tags"]) == (4, True, ["workbench"])
    assert status["collections"] == ["Shelf"]
    open_lightbox(page, prints["first"])
    page.keyboard.press("i")
    expect(page.get_by_label("Rated 4 of 5")).to_be_visible()
    expect(about).to_be_hidden()
    httpx.patch(f"{darkroom.url}/jobs/{prints['first']}", json={"notes": "By another."}).raise_for_status()
    page.goto("/?q=lightbox")
    open_lightbox(page, prints["first"])
    expect(about).to_be_hidden()
    page.keyboard.press("i")
    expect(about.get_by_label("Notes")).to_have_value("By another.")
    page.keyboard.press("i")
    expect(page.locator(".pswp__button--favorite")).to_have_attribute("aria-pressed", "true")
    change = {"rating": 0, "favorite": False, "tags": [], "notes": ""}
    httpx.patch(f"{darkroom.url}/jobs/{prints['first']}", json=change).raise_for_status()


def test_what_others_change_is_seen_in_the_panel_while_one_writes(
    page: Page, darkroom: Darkroom, prints: dict[str, UUID]
) -> None:
    page.goto("/?q=lightbox")
    open_lightbox(page, prints["wide"])
    field = panel(page).get_by_label("New tag")
    field.fill("half a t")
    httpx.patch(f"{darkroom.url}/jobs/{prints['wide']}", json={"rating": 2}).raise_for_status()
    expect(panel(page).get_by_role("group", name="Rating: 2 of 5")).to_be_visible()
    expect(field).to_have_value("half a t")
    expect(field).to_be_focused()
    httpx.patch(f"{darkroom.url}/jobs/{prints['wide']}", json={"rating": 0}).raise_for_status()


@pytest.mark.main_path
def test_the_trash_shows_the_next_print_and_undo_brings_the_one_back(
    page: Page, darkroom: Darkroom, prints: dict[str, UUID]
) -> None:
    page.goto("/?q=lightbox")
    shown = open_lightbox(page, prints["wide"])
    expect(page.locator(".pswp__position")).to_have_text("3 of 5")
    panel(page).get_by_role("button", name="Trash").click()
    expect(shown).to_have_attribute("data-job", str(prints["film"]))
    expect(page.locator(".pswp__position")).to_have_text("3 of 4")
    page.locator(".pswp").get_by_role("button", name="Undo").click()
    expect(shown).to_have_attribute("data-job", str(prints["wide"]))
    expect(page.locator(".pswp__position")).to_have_text("3 of 5")
    page.keyboard.press("Escape")
    expect(page.locator("#prints #done")).to_have_count(1)


def test_one_print_is_selected_and_compared_with_another(page: Page, prints: dict[str, UUID]) -> None:
    page.goto("/?q=lightbox")
    shown = open_lightbox(page, prints["first"])
    compare = panel(page).locator("[data-compare]")
    compare.click()
    expect(compare).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".pswp > #notice")).to_contain_text("Turn to another print")
    page.keyboard.press("ArrowRight")
    expect(shown).to_have_attribute("data-job", str(prints["stack"]))
    expect(compare).to_have_text("Compare 2")
    compare.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 2 prints")
    expect(page).to_have_url(re.compile(f"job={prints['first']}&job={prints['stack']}$"))
    page.goto("/?q=lightbox")
    expect(page.locator("#selection-count")).to_have_text("1 selected")


@pytest.mark.main_path
def test_the_filmstrip_marks_the_print_and_leads_to_the_others(page: Page, prints: dict[str, UUID]) -> None:
    page.goto("/?q=lightbox")
    shown = open_lightbox(page, prints["first"])
    strip = page.get_by_role("navigation", name="Filmstrip")
    current = strip.locator("[aria-current]")
    expect(strip.get_by_role("button")).to_have_count(6)
    expect(current).to_have_accessible_name("lightbox first")
    strip.get_by_role("button", name="lightbox wide").click()
    expect(shown).to_have_attribute("data-job", str(prints["wide"]))
    expect(page.locator(".pswp__position")).to_have_text("3 of 5")
    current.focus()
    page.keyboard.press("ArrowLeft")
    expect(strip.get_by_role("button", name="lightbox stack, result 2 of 2")).to_be_focused()
    page.keyboard.press("End")
    expect(shown).to_have_attribute("data-job", str(prints["sound"]))
    expect(current).to_be_focused()
    expect(current).to_be_in_viewport()


def test_a_small_picture_is_zoomed_to_eight_times_its_size_beside_the_panel(
    page: Page, prints: dict[str, UUID]
) -> None:
    page.goto("/?q=lightbox")
    open_lightbox(page, prints["first"])  # 64 x 64
    picture = page.locator(".pswp__item:not([inert]) img.pswp__img:not(.pswp__img--placeholder)")
    expect(picture).to_have_css("image-rendering", "auto")
    side = panel(page).bounding_box()
    box = picture.bounding_box()
    assert side
    assert box
    assert abs(box["x"] + box["width"] / 2 - side["x"] / 2) < 2
    wait_until(lambda: _pressed_until(page, "+", "800 %"))
    expect(picture).to_have_css("image-rendering", "pixelated")
    wait_until(lambda: round((picture.bounding_box() or {"width": 0})["width"]) == 512)
    page.keyboard.press("z")
    expect(page.locator(".pswp__level")).to_be_empty()


def _pressed_until(page: Page, key: str, level: str) -> bool:
    """Return whether the picture has this level of zoom. Presses the key if it has not."""
    if page.locator(".pswp__level").text_content() == level:
        return True
    page.keyboard.press(key)
    return False


def test_prompt_seed_and_link_are_copied_with_and_without_a_clipboard(
    page: Page, darkroom: Darkroom, prints: dict[str, UUID]
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=darkroom.url)
    page.goto("/?q=lightbox")
    open_lightbox(page, prints["wide"])
    seed = str(darkroom.status(prints["wide"])["seed"])
    for name, text in {
        "prompt": "lightbox wide",
        "seed": seed,
        "link": f"{darkroom.url}/jobs/{prints['wide']}",
    }.items():
        panel(page).get_by_role("button", name=f"Copy {name}").click()
        expect(page.get_by_role("alert")).to_have_text(f"Copied the {name}.")
        assert page.evaluate("navigator.clipboard.readText()") == text
    page.evaluate("Object.defineProperty(Clipboard.prototype, 'writeText', { value: undefined })")  # as over HTTP
    panel(page).get_by_role("button", name="Copy prompt").click()
    expect(page.get_by_role("alert")).to_have_text("Copied the prompt.")
    assert page.evaluate("navigator.clipboard.readText()") == "lightbox wide"
    expect(panel(page).get_by_role("button", name="Copy prompt")).to_be_focused()


def test_on_a_phone_the_panel_is_a_sheet_from_below_that_is_opened_when_wanted(
    page: Page, prints: dict[str, UUID]
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/?q=lightbox")
    open_lightbox(page, prints["wide"])
    expect(panel(page)).to_be_hidden()
    page.locator(".pswp__button--about").click()
    box = panel(page).bounding_box()
    assert box
    assert (box["x"], box["width"], box["y"] + box["height"]) == (0, 360, 740)
    picture = page.locator(".pswp__item:not([inert]) img.pswp__img:not(.pswp__img--placeholder)")
    wait_until(lambda: _bottom(picture) <= box["y"])


def _bottom(element: Locator) -> float:
    box = element.bounding_box()
    assert box
    return box["y"] + box["height"]


def test_near_the_end_older_prints_are_fetched(page: Page, prints: dict[str, UUID]) -> None:
    page.goto("/")
    older = page.evaluate(
        """first => {
            const cards = [...document.querySelectorAll("#sheet > .card")];
            const after = cards.slice(cards.findIndex(card => card.id === first) + 1);
            document.getElementById("older")?.remove();
            const html = after.map(card => card.outerHTML).join("");
            for (const card of after) card.remove();
            const link = `<p id="older" hidden><a id="older-link" href="/older" hx-get="/older" hx-trigger="revealed"
                hx-target="#older" hx-swap="outerHTML">Older</a></p>`;
            document.getElementById("sheet").insertAdjacentHTML("beforeend", link);
            htmx.process(document.getElementById("older"));
            return html;
        }""",
        f"job-{prints['first']}",
    )
    page.route("**/older", lambda route: route.fulfill(body=older, content_type="text/html"))
    shown = open_lightbox(page, prints["first"])
    wait_until(lambda: _turned(page, shown, "ArrowRight", prints["wide"]))


def test_a_click_with_a_modifier_is_the_browsers(page: Page, darkroom: Darkroom, prints: dict[str, UUID]) -> None:
    page.goto("/")
    with page.context.expect_page() as opened:
        page.locator(f"#job-{prints['first']}-link").click(modifiers=["ControlOrMeta"])
    expect(opened.value.locator(f"#job-page-{prints['first']}")).to_be_visible()
    expect(page).to_have_url(f"{darkroom.url}/")


def test_without_javascript_a_click_leads_to_the_prints_page(no_script: Page, prints: dict[str, UUID]) -> None:
    no_script.goto("/")
    no_script.locator(f"#job-{prints['stack']}-link").click()
    expect(no_script.locator(".print-picture")).to_have_count(2)
    no_script.get_by_role("link", name="Next", exact=True).click()
    expect(no_script.get_by_role("heading", level=1)).to_have_text("lightbox wide")
    no_script.get_by_role("link", name="previous", exact=True).click()
    expect(no_script.get_by_role("heading", level=1)).to_have_text("Compare 2 prints")


def test_axe_finds_nothing_in_the_lightbox(page: Page, prints: dict[str, UUID]) -> None:
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.goto("/")
    open_lightbox(page, prints["stack"])
    expect(panel(page).get_by_role("heading", name="lightbox stack")).to_be_visible()
    axe_finds_nothing(page)
    page.set_viewport_size({"width": 360, "height": 740})
    axe_finds_nothing(page)


def test_the_viewer_comes_only_when_something_is_opened(darkroom: Darkroom, prints: dict[str, UUID]) -> None:
    page = httpx.get(f"{darkroom.url}/").text
    assert "photoswipe" not in page
    assert "lightbox/" not in page

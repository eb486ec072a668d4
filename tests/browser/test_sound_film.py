"""Sounds and films on the wall: what is heard goes on while one browses, what moves moves under the mouse."""

from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.access import axe_finds_nothing
from tests.browser.conftest import CONTEXT, Darkroom
from tests.waiting import wait_until

FILM, SOUND = "minimax/hailuo-02", "meta/musicgen"
MOVING = ".card-moving"


@pytest.fixture(scope="module")
def prints(darkroom: Darkroom) -> dict[str, UUID]:
    """Make two sounds, a film and a picture. The last one is the newest."""
    prints = {
        "drums": darkroom.post("heard and seen: drums in a canyon", SOUND, duration=8),
        "waltz": darkroom.post("heard and seen: a waltz for two left feet, recorded in a kitchen", SOUND, duration=8),
        "film": darkroom.post("heard and seen: a slow harbor", FILM),
        "picture": darkroom.post("heard and seen: a fox", width=96, height=64),
    }
    for job_id in prints.values():
        assert darkroom.finished(job_id)["status"] == "completed"
    return prints


def card(page: Page, job_id: UUID) -> Locator:
    return page.locator(f"#job-{job_id}")


def player(page: Page) -> Locator:
    return page.get_by_role("region", name="Player")


def heard(page: Page) -> float:
    """Return how many seconds of the sound in the player are over."""
    return float(page.locator("#player audio").evaluate("audio => audio.currentTime"))


def silent(page: Page) -> bool:
    return bool(page.locator("#player audio").evaluate("audio => audio.paused"))


def plays_on(page: Page) -> None:
    before = heard(page)
    wait_until(lambda: heard(page) > before)
    assert not silent(page)


def test_a_sound_plays_on_while_one_searches_and_looks_at_prints(page: Page, prints: dict[str, UUID]) -> None:
    page.goto("/?q=heard")
    expect(player(page)).to_be_hidden()
    waltz = card(page, prints["waltz"])
    waltz.get_by_role("button", name="Play: heard and seen: a waltz").click()
    plays_on(page)
    expect(waltz.get_by_role("button", name="Pause: heard and seen: a waltz")).to_be_visible()
    expect(player(page).get_by_role("link", name="a waltz for two left feet")).to_be_visible()
    page.locator("#search-bar-q").fill("heard harbor")
    page.keyboard.press("Enter")
    expect(waltz).to_have_count(0)
    plays_on(page)
    page.locator(f"#job-{prints['film']}-select").check(force=True)
    bar = player(page).bounding_box()
    selection = page.locator(".selection").bounding_box()
    assert bar
    assert selection
    assert selection["y"] + selection["height"] <= bar["y"]  # nothing covers anything
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    wait_until(lambda: silent(page))
    page.keyboard.press("p")
    plays_on(page)
    player(page).get_by_role("button", name="Close the player").click()
    expect(player(page)).to_be_hidden()
    assert silent(page)


def test_one_seeks_on_the_waveform_by_mouse_and_by_keyboard(page: Page, prints: dict[str, UUID]) -> None:
    page.goto("/?q=heard")
    place = card(page, prints["drums"]).get_by_role("slider")
    box = place.bounding_box()
    assert box
    place.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    wait_until(lambda: heard(page) > 3.5)
    place.press(" ")
    wait_until(lambda: silent(page))
    assert heard(page) < 7
    at = heard(page)
    place.press("ArrowRight")
    assert heard(page) > at
    place.press("Home")
    assert heard(page) == 0
    expect(place).to_have_attribute("aria-valuetext", "0:00 of 0:08")
    card(page, prints["waltz"]).get_by_role("button", name="Play").click()
    plays_on(page)
    expect(card(page, prints["drums"]).locator(".wave-played")).to_have_count(0)
    expect(card(page, prints["waltz"]).locator(".wave-played")).to_have_count(1)
    expect(place).not_to_have_attribute("aria-valuetext", "0:00 of 0:08")


def test_the_lightbox_and_the_prints_page_show_what_plays(page: Page, prints: dict[str, UUID]) -> None:
    page.goto("/?q=heard")
    card(page, prints["drums"]).get_by_role("button", name="Play").click()
    plays_on(page)
    player(page).get_by_role("link", name="drums in a canyon").click()
    slide = page.locator(".pswp__item:not([inert])")
    expect(slide.get_by_text("heard and seen: drums in a canyon")).to_be_visible()
    expect(slide.locator(".wave-played")).to_be_visible()
    plays_on(page)
    slide.get_by_role("button", name="Pause").click()
    wait_until(lambda: silent(page))
    before = heard(page)
    page.goto(f"/jobs/{prints['drums']}")  # a whole page: it is offered to go on
    assert silent(page)
    assert heard(page) == pytest.approx(before, abs=0.3)
    expect(page.locator(".print-sound .wave-played")).to_be_visible()
    player(page).get_by_role("button", name="Play: ").click()
    wait_until(lambda: heard(page) > before)
    player(page).get_by_role("button", name="Close the player").click()
    page.reload()
    expect(player(page)).to_be_hidden()


def test_a_film_plays_silently_under_the_mouse_and_follows_it(page: Page, prints: dict[str, UUID]) -> None:
    page.emulate_media(reduced_motion="no-preference")
    page.goto("/?q=heard")
    card(page, prints["waltz"]).get_by_role("button", name="Play").click()
    film = card(page, prints["film"])
    film.hover()
    moving = film.locator(MOVING)
    wait_until(lambda: moving.evaluate("film => film.currentTime > 0 && film.muted && !film.paused"))
    plays_on(page)
    box = film.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2)
    fraction = "film => film.currentTime / film.duration"
    wait_until(lambda: moving.evaluate(fraction) == pytest.approx(0.8, abs=0.05))
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2)
    wait_until(lambda: moving.evaluate(fraction) == pytest.approx(0.3, abs=0.05))
    wait_until(lambda: not moving.evaluate("film => film.paused"))
    page.mouse.move(1, 1)
    expect(moving).to_have_count(0)
    film.click()
    expect(page.locator(f".pswp[data-job='{prints['film']}'] video")).to_be_visible()
    expect(page.locator(MOVING)).to_have_count(0)


def test_a_film_goes_on_under_a_mouse_that_rests_while_its_card_changes(
    page: Page, darkroom: Darkroom, prints: dict[str, UUID]
) -> None:
    page.emulate_media(reduced_motion="no-preference")
    page.goto("/?q=heard")
    film = card(page, prints["film"])
    film.hover()
    moving = film.locator(MOVING)
    wait_until(lambda: moving.count() and moving.evaluate("film => film.currentTime > 0.2"))
    for rating in (4, 0):
        httpx.patch(f"{darkroom.url}/jobs/{prints['film']}", json={"rating": rating}).raise_for_status()
        expect(film.locator(f".card-stars{'[data-rating]' if rating else ':not([data-rating])'}")).to_have_count(1)
        expect(moving).to_have_count(1)
        assert moving.evaluate("film => film.currentTime") > 0.1
        wait_until(lambda: moving.evaluate("film => !film.paused"))


def test_an_animated_picture_moves_under_the_mouse(page: Page, prints: dict[str, UUID]) -> None:
    page.route("**/events?*", lambda _: None)  # held: what it sends would undo the next line
    page.emulate_media(reduced_motion="no-preference")
    page.goto("/?q=heard")
    picture = card(page, prints["picture"])
    picture.evaluate("(card, src) => (card.dataset.moves = src)", f"/media/{prints['picture']}.png")  # as if animated
    picture.hover()
    expect(picture.locator(MOVING)).to_have_count(1)


def test_nothing_moves_for_those_who_want_less_motion_or_fewer_data(page: Page, prints: dict[str, UUID]) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/?q=heard")
    film, other = card(page, prints["film"]), card(page, prints["picture"])

    def pass_over() -> None:
        film.hover()
        page.wait_for_timeout(400)  # longer than the mouse has to rest
        expect(film.locator(MOVING)).to_have_count(0)
        other.hover()

    pass_over()
    page.emulate_media(reduced_motion="no-preference")
    page.evaluate("Object.defineProperty(navigator, 'connection', { value: { saveData: true }, configurable: true })")
    pass_over()
    assert not [url for url in asked if url.endswith(".mp4")]


def test_a_phone_shows_titles_plays_sounds_and_opens_films(
    browser: Browser, darkroom: Darkroom, prints: dict[str, UUID]
) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    context = browser.new_context(**{**CONTEXT, **phone}, base_url=darkroom.url)
    page = context.new_page()
    page.goto("/?q=heard")
    for name in ("drums", "waltz"):
        sound = card(page, prints[name])
        title, button = (sound.locator(what).bounding_box() for what in (".card-title", ".sound-play"))
        assert title
        assert button
        assert min(button["width"], button["height"]) >= 44
        assert title["y"] + title["height"] <= button["y"]
    card(page, prints["waltz"]).locator(".sound-play").tap()
    plays_on(page)
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    card(page, prints["film"]).tap()
    expect(page.locator(f".pswp[data-job='{prints['film']}']")).to_be_visible()
    context.close()


def test_without_scripts_the_browsers_own_controls_play(no_script: Page, prints: dict[str, UUID]) -> None:
    for address in ("/?q=heard", f"/jobs/{prints['waltz']}"):
        no_script.goto(address)
        expect(no_script.locator(f"audio[src*='{prints['waltz']}']")).to_be_visible()
        expect(no_script.get_by_role("button", name="Play: ")).to_have_count(0)
        expect(no_script.get_by_role("slider", name="Position")).to_have_count(0)


def test_axe_finds_nothing_while_a_sound_plays(page: Page, prints: dict[str, UUID]) -> None:
    page.goto("/?q=heard")
    card(page, prints["waltz"]).get_by_role("button", name="Play").click()
    expect(player(page)).to_be_visible()
    axe_finds_nothing(page)

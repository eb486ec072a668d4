"""People in the browser: invited, signed in and out, with keys, and with a role that allows less."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.access import axe_finds_nothing, nothing_overflows
from tests.browser.conftest import CONTEXT, Darkroom
from tests.browser.house import HEADER, PASSWORD, House, settled, token_of
from tests.waiting import wait_until

DEVICES: dict[str, dict[str, Any]] = {
    "desktop": {},
    "phone": {"viewport": {"width": 360, "height": 780}, "has_touch": True, "is_mobile": True},
}
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML) Version/18.5 Safari/604.1"
GALLERY = re.compile(r"^http://[^/]+/$")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with settled(tmp_path_factory.mktemp("people")) as house:
        yield house


@pytest.fixture(scope="module")
def darkroom(house: House) -> Darkroom:
    """Stand in for the Darkroom of all other tests, which has no people."""
    return house.darkroom


@pytest.fixture(scope="module")
def browser_context_args(house: House) -> dict[str, Any]:
    return {**CONTEXT, "base_url": house.darkroom.url}


@pytest.fixture(params=DEVICES)
def visitor(request: pytest.FixtureRequest, browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[Page]:
    """Yield a page in a new browser on a desktop and on a phone."""
    context = browser.new_context(**{**browser_context_args, **DEVICES[request.param]})
    yield context.new_page()
    context.close()


def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.main_path
def test_an_invited_person_sets_a_password_and_is_signed_in(
    visitor: Page, house: House, request: pytest.FixtureRequest
) -> None:
    name = f"ida-{request.node.callspec.id}"
    link = house.invite(name)
    visitor.goto(link)
    expect(visitor.get_by_role("heading", name=f"Welcome, {name}")).to_be_visible()
    expect(visitor.get_by_role("navigation", name="Site")).to_have_count(0)
    assert fits(visitor)
    visitor.get_by_label("New password").fill("password1234")
    visitor.get_by_role("button", name="Set password and sign in").click()
    expect(visitor.get_by_role("alert").first).to_contain_text("one of the first that anyone would try")
    visitor.get_by_label("New password").fill(PASSWORD)
    visitor.get_by_role("button", name="Set password and sign in").click()
    expect(visitor).to_have_url(GALLERY)
    expect(visitor.locator("#account-button")).to_have_accessible_name(name)
    assert fits(visitor)
    visitor.goto(link)
    expect(visitor.get_by_text("This link was used")).to_be_visible()


@pytest.mark.main_path
def test_one_signs_in_where_one_was_going_and_out_again(
    visitor: Page, house: House, request: pytest.FixtureRequest
) -> None:
    name = f"sam-{request.node.callspec.id}"
    house.join(name)
    visitor.goto("/collections")
    expect(visitor).to_have_url(re.compile(r"/sign-in\?next=/collections$"))
    expect(visitor.get_by_label("Name")).to_be_focused()
    sign_in(visitor, name, "a dog in the darkroom")
    expect(visitor.get_by_role("alert").first).to_have_text("This name and password do not fit together.")
    expect(visitor.get_by_label("Name")).to_have_value(name)
    expect(visitor.get_by_label("Password")).to_be_focused()
    assert fits(visitor)
    sign_in(visitor, name)
    expect(visitor).to_have_url(re.compile("/collections$"))
    visitor.locator("#account-button").click()
    expect(visitor.get_by_role("link", name="Account")).to_be_visible()
    expect(visitor.get_by_role("link", name="People")).to_have_count(0)
    visitor.get_by_role("button", name="Sign out").click()
    expect(visitor).to_have_url(re.compile("/sign-in$"))
    visitor.goto("/")
    expect(visitor).to_have_url(re.compile("/sign-in"))


def test_the_keyboard_opens_the_menu_and_reaches_all_of_it(page: Page, house: House) -> None:
    house.sign_in(page.context, "kay", "admin")
    page.goto("/collections")
    page.locator("#account-button").focus()
    page.keyboard.press("Enter")
    for name in ("Account", "Webhooks", "People"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name)).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Account")).to_be_hidden()
    expect(page.locator("#account-button")).to_be_focused()


def test_a_key_is_shown_once_and_is_rotated_and_revoked(page: Page, house: House) -> None:
    house.sign_in(page.context, "kim")
    page.goto("/account")
    page.get_by_text("New key").click()
    page.get_by_label("Name of the key").fill("report/nightly")
    page.get_by_label("see everyone's jobs").check()
    page.get_by_label("Models").fill("stability-ai/sdxl")
    page.get_by_role("button", name="Create key").click()
    expect(page.get_by_role("alert").first).to_contain_text("without a slash")
    expect(page.get_by_label("see everyone's jobs")).to_be_checked()
    expect(page.get_by_label("Models")).to_have_value("stability-ai/sdxl")
    page.get_by_label("Name of the key").fill("report")
    page.get_by_role("button", name="Create key").click()
    first = page.locator("#secret").inner_text()
    assert works(house, first)
    page.goto("/account")
    expect(page.get_by_text("Only stability-ai/sdxl")).to_be_visible()
    expect(page.get_by_text(first)).to_have_count(0)
    page.get_by_role("button", name="Rotate report").click()
    second = page.locator("#secret").inner_text()
    assert second != first
    assert works(house, first)
    assert works(house, second)
    page.get_by_role("button", name="Revoke report").click()
    page.get_by_role("button", name="Keep").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Revoke report").click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_role("button", name="Revoke report")).to_have_count(0)
    assert not works(house, first)
    assert not works(house, second)


def works(house: House, secret: str) -> bool:
    headers = {"Authorization": f"Bearer {secret}"}
    return httpx.get(f"{house.darkroom.url}/jobs.json", headers=headers, timeout=30).status_code == 200


def test_a_key_can_have_only_scopes_that_its_owner_has(page: Page, house: House) -> None:
    house.sign_in(page.context, "val", "viewer")
    page.goto("/account")
    page.get_by_text("New key").click()
    scopes = page.get_by_role("group", name="What it can do").get_by_role("checkbox")
    assert [scope.get_attribute("value") for scope in scopes.all()] == ["read", "read:all"]


def test_another_browser_is_signed_out(page: Page, house: House, browser: Browser) -> None:
    house.sign_in(page.context, "sue")
    phone = browser.new_context(**{**CONTEXT, "base_url": house.darkroom.url, "user_agent": IPHONE}).new_page()
    phone.goto("/account")
    sign_in(phone, "sue")
    expect(phone.get_by_text("This browser")).to_be_visible()
    page.goto("/account")
    page.get_by_role("button", name="Sign out Safari on iPhone").click()
    expect(page.get_by_text("Safari on iPhone")).to_have_count(0)
    phone.goto("/account")
    expect(phone).to_have_url(re.compile("/sign-in"))
    phone.context.close()


def test_a_new_password_ends_the_other_sessions(page: Page, house: House) -> None:
    house.sign_in(page.context, "pat")
    before = token_of(page.context)
    page.goto("/account")
    page.get_by_label("Current password").fill("what was it")
    page.get_by_label("New password").fill("another fox altogether")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("alert").first).to_have_text("The current password is not right.")
    page.get_by_label("Current password").fill(PASSWORD)
    page.get_by_label("New password").fill("another fox altogether")
    page.get_by_role("button", name="Change password").click()
    expect(page).to_have_url(re.compile("/account$"))
    expect(page.get_by_text("This browser")).to_be_visible()
    assert house.post("/account/password", {}, before).status_code == 401


def test_whom_a_proxy_signs_in_has_no_password_and_nothing_to_sign_out_of(page: Page, house: House) -> None:
    house.invite("prue")
    page.context.set_extra_http_headers({HEADER: "Prue"})
    page.goto("/account")
    expect(page.get_by_role("heading", name="prue")).to_be_visible()
    expect(page.get_by_role("heading", name="Password")).to_have_count(0)
    page.locator("#account-button").click()
    expect(page.get_by_role("link", name="Account")).to_be_visible()
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)
    refused = httpx.post(
        f"{house.darkroom.url}/account/password", headers={HEADER: "prue"}, data={"password": PASSWORD}
    )
    assert refused.status_code == 403
    assert "You have no password here" in refused.text


def test_an_admin_adds_people_and_changes_what_they_may_do(page: Page, house: House) -> None:
    house.sign_in(page.context, "ada", "admin")
    page.goto("/people")
    page.get_by_label("Name", exact=True).fill("Nick the new one")
    page.get_by_label("Role", exact=True).select_option("viewer")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert").first).to_contain_text("A name has up to 64 of a-z")
    expect(page.get_by_label("Role", exact=True)).to_have_value("viewer")
    page.get_by_label("Name", exact=True).fill("Nick")
    page.get_by_role("button", name="Add").click()
    link = page.locator("#secret").inner_text()
    assert link.startswith(f"{house.darkroom.url}/welcome/")
    expect(page.locator("#person-nick")).to_contain_text("Has no password yet")
    page.get_by_label("Role of nick", exact=True).select_option("admin")
    page.get_by_role("button", name="Change the role of nick").click()
    expect(page.get_by_text("nick is now an admin.")).to_be_visible()
    page.get_by_role("button", name="New link for nick").click()
    assert page.locator("#secret").inner_text() != link
    page.get_by_role("button", name="Disable nick").click()
    expect(page.locator("#person-nick")).to_contain_text("Disabled admin")
    page.get_by_role("button", name="Enable nick").click()
    expect(page.get_by_role("button", name="Disable nick")).to_be_visible()


def test_an_admin_gives_a_service_a_key_and_revokes_it(page: Page, house: House) -> None:
    house.sign_in(page.context, "alf", "admin")
    page.goto("/people")
    page.get_by_label("Name", exact=True).fill("render-bot")
    page.get_by_label("Role", exact=True).select_option("service")
    page.get_by_role("button", name="Add").click()
    bot = page.locator("#person-render-bot")
    bot.get_by_label("Name of the key").fill("batch")
    bot.get_by_role("button", name="Create key").click()
    secret = page.locator("#secret").inner_text()
    assert works(house, secret)
    bot.get_by_role("button", name="Revoke batch").click()
    bot.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_text("The key render-bot/batch is revoked.")).to_be_visible()
    assert not works(house, secret)


def test_a_viewer_sees_everything_and_is_offered_no_change(page: Page, house: House) -> None:
    house.sign_in(page.context, "vic", "viewer")
    posted: list[str] = []
    page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
    page.goto("/?q=viewer")
    expect(page.locator("#composer")).to_have_count(0)
    made = _made_by_a_member(page, house)
    card = page.locator(f"#job-{made}")
    expect(card).to_have_attribute("data-status", "completed")  # it came by the live stream, as everyone gets it
    card.hover()
    expect(card.locator(".card-caption")).to_contain_text("maja")
    for mark in (".card-marks", ".card-uses", "button"):
        for each in card.locator(mark).all():
            expect(each).to_be_hidden()
    page.locator(f"#job-{made}-link").focus()
    for key in ("f", "3", "t", "u", "n", "Delete"):
        page.keyboard.press(key)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Select or deselect")
    expect(page.get_by_role("dialog")).not_to_contain_text("Move to the trash")
    page.get_by_role("button", name="Close").click()
    page.locator("#selection-mode").check()
    acts = page.locator(".selection-acts .button")
    assert [act.inner_text() for act in acts.all()] == ["Compare", "Download"]
    page.locator("#selection-mode").uncheck()
    card.click()
    expect(page.locator(".pswp__img").first).to_be_visible()
    expect(page.locator(".pswp__button--favorite")).to_be_hidden()
    page.goto("/collections")
    expect(page.get_by_role("button", name="Create")).to_have_count(0)
    page.goto("/?q=in:trash")
    expect(page.get_by_text("Empty trash")).to_have_count(0)
    assert posted == []


def test_a_viewer_reads_on_the_page_of_a_print_what_others_can_change(page: Page, house: House) -> None:
    for change in (
        {"action": "rate:4"},
        {"action": "tag", "tag": "seen"},
        {"action": "notes", "notes": "For the wall."},
    ):
        assert house.post(f"/selection?job={house.prints[0]}", change).status_code == 200
    house.sign_in(page.context, "vera", "viewer")
    page.goto(f"/jobs/{house.prints[0]}")
    expect(page.get_by_role("img", name="Rating: 4 of 5")).to_be_visible()
    expect(page.get_by_role("link", name="seen")).to_be_visible()
    expect(page.get_by_text("For the wall.").first).to_be_visible()
    expect(page.get_by_role("link", name="Download")).to_be_visible()
    buttons = page.locator("#main").get_by_role("button")
    assert [button.inner_text() for button in buttons.all()] == ["Copy prompt", "Copy seed", "Copy link"]
    expect(page.get_by_role("link", name="Use again")).to_have_count(0)


def _made_by_a_member(page: Page, house: House) -> UUID:
    context = page.context.browser.new_context()  # type: ignore[union-attr]
    house.sign_in(context, "maja")
    headers = house.key(context, "submit", "read")
    context.close()
    body = {"prompt": "a print for a viewer", "model": "stability-ai/sdxl", "parameters": {"width": 400, "height": 300}}
    answer = httpx.post(f"{house.darkroom.url}/generate", json=body, headers=headers, timeout=30)
    return UUID(answer.json()["job_id"])


@pytest.mark.parametrize("way", ["form", "stream", "menu", "upload", "hidden tab"])
def test_when_the_session_ends_the_page_leads_to_sign_in_and_back(page: Page, house: House, way: str) -> None:
    name = f"eve-{way.replace(' ', '-')}"
    house.sign_in(page.context, name)
    page.goto("/?q=house")
    wait_until(lambda: page.evaluate("Boolean(document.getElementById('live')._htmx?.sse?.reader)"))
    page.get_by_label("Prompt", exact=True).fill("half a thought")
    house.end_session(page.context)
    if way == "form":
        page.get_by_role("button", name="Generate").click()
    elif way == "menu":
        page.keyboard.press("Escape")  # the open composer lies over the print
        page.locator(f"#job-{house.prints[0]}-uses").click()
    elif way == "upload":
        picture = {"name": "fox.png", "mimeType": "image/png", "buffer": b"\x89PNG"}
        page.locator(".composer input[type=file]").first.set_input_files(picture)  # type: ignore[arg-type]
    elif way == "hidden tab":
        hide(page, "true")
    else:  # a hidden tab gives up its stream, and polls instead
        page.route("**/finished.json*", lambda route: route.fulfill(json={"until": "", "finished": []}))
        hide(page, "true")
        hide(page, "false")
    expect(page).to_have_url(re.compile(r"/sign-in\?next=/%3Fq%3Dhouse$"))
    sign_in(page, name)
    expect(page).to_have_url(re.compile(r"/\?q=house$"))
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("half a thought")
    expect(page.locator(f"#job-{house.prints[0]}")).to_be_visible()


def test_a_draft_is_not_shown_to_who_signs_in_next(page: Page, house: House) -> None:
    house.sign_in(page.context, "writer")
    page.goto("/")
    page.get_by_label("Prompt", exact=True).fill("half a thought")
    page.reload()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("half a thought")
    house.sign_in(page.context, "successor")
    page.reload()
    page.wait_for_load_state()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("")


def hide(page: Page, hidden: str) -> None:
    page.evaluate(f"Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }})")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_the_details_of_a_print_lead_to_sign_in_too_and_then_to_its_page(page: Page, house: House) -> None:
    house.sign_in(page.context, "lea")
    page.goto("/")
    page.locator(f"#job-{house.prints[1]}-link").click()
    expect(page.locator(".pswp__img").first).to_be_visible()
    house.end_session(page.context)
    page.keyboard.press("i")
    expect(page).to_have_url(re.compile(f"/sign-in\\?next=/jobs/{house.prints[1]}$"))
    sign_in(page, "lea")
    expect(page.get_by_role("heading", level=1)).to_have_text("a print in the house 1")


def test_who_has_signed_in_in_another_tab_goes_on(page: Page, house: House) -> None:
    house.sign_in(page.context, "tia")
    page.goto("/sign-in?next=/collections")
    expect(page).to_have_url(re.compile("/collections$"))
    page.goto("/sign-in?next=/sign-in")
    expect(page).to_have_url(GALLERY)


def test_all_of_it_works_without_javascript(no_script: Page, house: House) -> None:
    page = no_script
    page.goto(house.invite("nora", "admin"))
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Set password and sign in").click()
    page.locator("#account-button").click()
    page.get_by_role("link", name="Account").click()
    page.get_by_text("New key").click()
    page.get_by_label("Name of the key").fill("script")
    page.get_by_role("button", name="Create key").click()
    assert works(house, page.locator("#secret").inner_text())
    page.get_by_role("button", name="Rotate script").click()
    assert works(house, page.locator("#secret").inner_text())
    page.get_by_role("button", name="Revoke script").click()
    page.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_role("button", name="Revoke script")).to_have_count(0)
    page.locator("#account-button").click()
    page.get_by_role("link", name="People").click()
    page.get_by_label("Name", exact=True).fill("noel")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#secret")).to_contain_text("/welcome/")
    page.get_by_role("button", name="Disable noel").click()
    expect(page.locator("#person-noel")).to_contain_text("Disabled member")
    page.locator("#account-button").click()
    page.get_by_role("button", name="Sign out").click()
    sign_in(page, "nora", "wrong, all of it")
    expect(page.get_by_label("Name")).to_have_value("nora")
    sign_in(page, "nora")
    expect(page).to_have_url(GALLERY)


def test_axe_finds_nothing_on_the_pages_of_accounts_and_nothing_overflows(
    page: Page, house: House, browser: Browser
) -> None:
    page.goto(house.invite("axel", "admin"))
    axe_finds_nothing(page)
    nothing_overflows(page)
    page.goto("/sign-in")
    sign_in(page, "nobody", "nothing that fits")
    expect(page.get_by_role("alert").first).to_be_visible()
    axe_finds_nothing(page)
    nothing_overflows(page)
    house.sign_in(page.context, "a-name-of-as-many-characters-as-a-name-may-have-which-is-alot-64", "admin")
    page.goto("/account")
    page.get_by_text("New key").click()
    page.get_by_label("Name of the key").fill("of-as-many-characters-as-the-name-of-a-key-may-have-in-one-word")
    page.get_by_role("button", name="Create key").click()
    page.get_by_text("New key").click()
    page.locator("#account-button").click()
    axe_finds_nothing(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^Revoke of-as-many")).click()
    axe_finds_nothing(page)
    page.keyboard.press("Escape")
    nothing_overflows(page)
    page.goto("/people")
    page.get_by_label("Name", exact=True).fill("axis")
    page.get_by_label("Role", exact=True).select_option("service")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("#person-axis")).to_be_visible()
    axe_finds_nothing(page)
    nothing_overflows(page)


@pytest.mark.parametrize("path", ["/", "/jobs/{}"])
def test_axe_finds_nothing_for_a_viewer(page: Page, house: House, path: str) -> None:
    house.sign_in(page.context, "vito" if path == "/" else "viola", "viewer")
    page.goto(path.format(house.prints[0]))
    axe_finds_nothing(page)
    nothing_overflows(page)

"""Sign in and out: nobody guesses a password, learns a name, plants or steals a session, or is led to another site."""

import re
import time
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie
from typing import Any

import httpx
import pytest

from tasks.accounts import audit, people, sessions, throttle
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.accounts.passwords import Passwords
from tasks.db.account_tables import AuditEntry, Person, Session, SlowedName
from tasks.db.database import now
from tasks.db.tables import Values
from tasks.settings import settings
from tests import factories
from tests.factories import PASSWORD
from tests.webapp.browsers import browser
from webapp.http import authentication

BY = By()
COOKIE, SECURE_COOKIE = "darkroom-signed-in", "__Host-darkroom-signed-in"
ELSEWHERE = "203.0.113.9"
NEW = "a longer and better password"


async def sent(client: httpx.AsyncClient, name: str = "anna", password: str = PASSWORD, **more: Any) -> httpx.Response:
    return await client.post("/sign-in", data={"name": name, "password": password, **more})


def cookie_in(answer: httpx.Response, name: str = COOKIE) -> Morsel[str]:
    """Return the session's cookie that a response sets."""
    for header in answer.headers.get_list("set-cookie"):
        if name in (cookies := SimpleCookie(header)):
            return cookies[name]
    raise AssertionError(f"{name} is not set: {answer.headers}")


async def is_signed_in(web: httpx.AsyncClient, token: str, name: str = COOKIE) -> bool:
    return (await web.get("/jobs.json", headers={"Cookie": f"{name}={token}"})).status_code == 200


async def newest() -> tuple[str, str, str, str]:
    [entry] = await audit.latest(1)
    return entry.actor, entry.address, entry.action, entry.subject


# Signing in.


@pytest.mark.parametrize("name", ["anna", "Anna", " ANNA "])
async def test_the_right_password_leads_to_the_gallery(web: httpx.AsyncClient, name: str) -> None:
    await factories.with_password()
    async with browser(web) as client:
        assert (await client.get("/")).headers["location"] == "/sign-in?next=/"
        page = await client.get("/sign-in")
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
        answer = await sent(client, name)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert answer.headers["cache-control"] == "no-store"
        assert (await client.get("/")).status_code == 200
    assert await newest() == ("anna", "127.0.0.1", "signed in", "anna")


async def test_scripts_and_other_sites_do_not_get_the_cookie(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    async with browser(web) as client:
        cookie = cookie_in(await sent(client))
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", cookie.value)
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["domain"]) == (True, "lax", "/", "")


async def test_a_browser_keeps_the_cookie_for_as_long_as_a_session_that_is_used_lasts(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    async with browser(web) as client:
        cookie = cookie_in(await sent(client))
        for days in (20, 40):
            assert int(cookie["max-age"]) > days * 86400
            earlier: Values = {
                Session.seen_at: now() - timedelta(days=20),
                Session.expires_at: now() + timedelta(days=10),
            }
            await Session.update(earlier, force=True)
            assert await is_signed_in(web, cookie.value)


async def test_over_https_the_cookie_is_never_sent_over_http(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    async with browser(web, "https://darkroom.test") as client:
        cookie = cookie_in(await sent(client), SECURE_COOKIE)
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
        assert (await client.get("/")).status_code == 200
        answer = await client.post("/sign-out")
        assert cookie_in(answer, SECURE_COOKIE)["secure"]
        assert (await client.get("/")).status_code == 303


async def test_behind_a_proxy_with_https_it_is_not_either(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await factories.with_password()
    public = settings.model_copy(update={"public_url": "https://darkroom.test"})
    monkeypatch.setattr(authentication, "settings", public)
    async with browser(web) as client:
        assert cookie_in(await sent(client), SECURE_COOKIE)["secure"]
    async with browser(web, proxies="127.0.0.1") as client:
        monkeypatch.undo()
        client.headers["X-Forwarded-Proto"] = "https"
        assert cookie_in(await sent(client), SECURE_COOKIE)["secure"]


async def test_a_session_that_was_planted_is_not_taken_over(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    evil = await factories.person("evil")
    planted, unknown = await sessions.begin(evil.id, "", ""), "A" * 43
    for token in (planted, unknown):
        async with browser(web) as client:
            client.cookies.set(COOKIE, token, "darkroom.test", "/")
            answer = await sent(client)
        assert cookie_in(answer).value not in (planted, unknown)
        assert not await is_signed_in(web, token)


async def test_to_sign_in_again_ends_the_browsers_session_and_no_other(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    async with browser(web) as client, browser(web) as other:
        first, elsewhere = cookie_in(await sent(client)).value, cookie_in(await sent(other)).value
        second = cookie_in(await sent(client)).value
    assert [await is_signed_in(web, token) for token in (first, elsewhere, second)] == [False, True, True]


# Refusals.


async def disabled() -> None:
    assert await people.disable(await factories.with_password("disabled"), BY)


async def test_the_answer_does_not_tell_whether_there_is_such_a_person(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    await factories.person("invited")
    await factories.person("robot", Role.SERVICE)
    await disabled()
    tries = [("anna", "not her password"), ("nobody", PASSWORD), ("invited", PASSWORD), ("robot", PASSWORD)]
    answers = []
    for name, password in [*tries, ("disabled", PASSWORD), ("invited", ""), ("no name", PASSWORD)]:
        async with browser(web) as client:
            answer = await sent(client, name, password)
        assert "set-cookie" not in answer.headers
        assert await newest() == (name, "127.0.0.1", "sign-in refused", name)
        assert password not in answer.text or not password
        answers.append((answer.status_code, answer.headers.items(), answer.text.replace(f'value="{name}"', "")))
    assert answers[0][0] == 422
    assert "do not fit together" in answers[0][2]
    assert all((status, text) == (answers[0][0], answers[0][2]) for status, _, text in answers)
    assert not await Session.exists()


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(web: httpx.AsyncClient) -> None:
    await factories.person()
    hashed = await Passwords().hashed(PASSWORD)
    await Person.update({Person.password: hashed}, force=True)
    took: dict[str, list[float]] = {"anna": [], "nobody": []}
    async with browser(web) as client:
        for _ in range(4):
            for name, times in took.items():
                start = time.perf_counter()
                assert (await sent(client, name, "not the password")).status_code == 422
                times.append(time.perf_counter() - start)
    assert min(took["nobody"]) > min(took["anna"]) / 2


@pytest.mark.parametrize(
    "form",
    [
        {}, {"name": "anna"}, {"password": PASSWORD}, {"name": "", "password": ""}, {"name": "an\0na", "password": "x"},
        {"name": "\0", "password": "\0"}, {"name": "İ" * 64, "password": "x"}, {"name": "狐" * 5000, "password": "x"},
        {"name": "anna' OR 1=1 --", "password": PASSWORD}, {"name": "anna", "password": "x" * 100_000},
    ],
)  # fmt: skip
async def test_nonsense_is_refused_like_a_wrong_password(web: httpx.AsyncClient, form: dict[str, str]) -> None:
    await factories.with_password()
    async with browser(web) as client:
        assert (await client.post("/sign-in", data=form)).status_code == 422
    assert not await Session.exists()


async def test_guesses_are_slowed_for_a_person_from_wherever_they_come(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    async with browser(web) as client:
        for _ in range(throttle.FREE_OF_PERSON + 1):
            assert (await sent(client, "Anna", "not her password")).status_code == 422
    for peer in ("127.0.0.1", ELSEWHERE):
        async with browser(web, peer=peer) as client:
            answer = await sent(client)
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["retry-after"]) <= throttle.MAX_WAIT_SECONDS
            assert f"Try again in {answer.headers['retry-after']} s" in answer.text
    assert not await Session.exists()


async def test_a_person_who_is_slowed_slows_no_other(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    await factories.with_password("ben")
    for _ in range(throttle.FREE_OF_PERSON + 1):
        await throttle.begin(throttle.person("ben"), throttle.FREE_OF_PERSON)
    async with browser(web) as client:
        assert (await sent(client, "ben")).status_code == 429
        assert (await sent(client, "anna")).status_code == 303


async def test_a_name_that_nobody_has_is_slowed_in_the_same_way(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    for _ in range(throttle.FREE_OF_PERSON + 1):
        await throttle.begin(throttle.person("nobody"), throttle.FREE_OF_PERSON)
    async with browser(web) as client:
        assert (await sent(client, "nobody")).status_code == 429


@pytest.mark.parametrize(("peer", "neighbor"), [(ELSEWHERE, ELSEWHERE), ("2001:db8::1", "2001:db8::ffff:2")])
async def test_one_address_cannot_try_the_names_of_all(web: httpx.AsyncClient, peer: str, neighbor: str) -> None:
    await factories.with_password()
    async with browser(web, peer=peer) as client:
        assert (await sent(client, "nobody")).status_code == 422
        [counted] = [row.name for row in await SlowedName.objects() if row.name.startswith("address")]
        for _ in range(throttle.FREE_OF_ADDRESS):
            await throttle.begin(counted, throttle.FREE_OF_ADDRESS)
    async with browser(web, peer=neighbor) as client:
        assert (await sent(client)).status_code == 429
    async with browser(web, peer="198.51.100.7") as client:
        assert (await sent(client)).status_code == 303


async def test_who_signs_in_is_slowed_no_more(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    async with browser(web) as client:
        for _ in range(3):
            for _ in range(throttle.FREE_OF_PERSON - 1):
                await throttle.begin(throttle.person("anna"), throttle.FREE_OF_PERSON)
            assert (await sent(client)).status_code == 303


async def test_behind_a_proxy_the_address_is_that_of_the_browser_and_may_be_nonsense(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    for address in ("198.51.100.7", "x" * 5000):
        async with browser(web, proxies="127.0.0.1") as client:
            client.headers["X-Forwarded-For"] = address
            assert (await sent(client)).status_code == 303
        assert (await newest())[:3] == ("anna", address[:64], "signed in")


# Other sites.

OTHER_SITE = [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}]


@pytest.mark.parametrize("headers", OTHER_SITE)
async def test_another_site_signs_nobody_in(web: httpx.AsyncClient, headers: dict[str, str]) -> None:
    await factories.with_password()
    form = {"name": "anna", "password": PASSWORD}
    answer = await web.post("/sign-in", data=form, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    assert not await Session.exists()


@pytest.mark.parametrize("headers", OTHER_SITE)
async def test_another_site_signs_nobody_out(web: httpx.AsyncClient, headers: dict[str, str]) -> None:
    signed_in = await factories.session_of(await factories.person())
    answer = await web.post("/sign-out", headers=signed_in | headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")
    assert (await web.get("/sign-out", headers=signed_in)).status_code == 405
    assert (await web.get("/jobs.json", headers=signed_in)).status_code == 200


@pytest.mark.parametrize(
    "following", ["/", "/collections", "/?q=tag%3A%22a%20b%22&sort=oldest", "/jobs/x?q=a+b", "/a//b", "/?q=狐"]
)
async def test_who_signs_in_goes_on_to_the_page_that_they_wanted(web: httpx.AsyncClient, following: str) -> None:
    await factories.with_password()
    async with browser(web) as client:
        page = await client.get("/sign-in", params={"next": following})
        assert f'name="next" value="{following.replace("&", "&amp;")}"' in page.text
        answer = await sent(client, next=following)
    assert answer.status_code == 303
    assert answer.headers["location"] == following.replace("狐", "%E7%8B%90")


@pytest.mark.parametrize(
    "following",
    [
        "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "\\/evil.example",
        "https://evil.example", "HTTPS://evil.example", "https:evil.example", "http:/evil.example", "evil.example",
        "javascript:alert(1)", "data:text/html,x", "/\t/evil.example", "\t//evil.example", "/\n/evil.example",
        "/\r\n/evil.example", "/x\r\nSet-Cookie: a=b", "/\0/evil.example", " //evil.example", "/ /evil.example",
        "\x01//evil.example", "/\x7f/evil.example", "@evil.example", "?next=//evil.example", "",
    ],
)  # fmt: skip
async def test_nobody_is_led_to_another_site(web: httpx.AsyncClient, following: str) -> None:
    await factories.with_password()
    async with browser(web) as client:
        assert 'name="next" value="/"' in (await client.get("/sign-in", params={"next": following})).text
        refused = await sent(client, "anna", "not her password", next=following)
        assert 'name="next" value="/"' in refused.text
        assert (await sent(client, next=following)).headers["location"] == "/"


async def test_what_is_typed_is_written_as_text(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    async with browser(web) as client:
        answer = await sent(client, '"><b>x', next='/"><b>x')
    assert "<b>x" not in answer.text


# Signing out.


async def test_to_sign_out_ends_the_session_of_this_browser(web: httpx.AsyncClient) -> None:
    await factories.with_password()
    async with browser(web) as client, browser(web) as other:
        token, elsewhere = cookie_in(await sent(client)).value, cookie_in(await sent(other)).value
        answer = await client.post("/sign-out")
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert (cookie_in(answer).value, cookie_in(answer)["max-age"]) == ("", "0")
        assert COOKIE not in client.cookies
    assert not await is_signed_in(web, token)
    assert await is_signed_in(web, elsewhere)
    assert await newest() == ("anna", "127.0.0.1", "signed out", "anna")


async def test_who_is_signed_out_already_may_sign_out(web: httpx.AsyncClient) -> None:
    await factories.person()
    count = await AuditEntry.count()
    async with browser(web) as client:
        answer = await client.post("/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert await AuditEntry.count() == count


# The link with which a person sets a password.


async def link(someone: Person) -> str:
    token = await people.new_link(someone, BY)
    assert token is not None
    return f"/welcome/{token}"


async def test_a_link_sets_a_password_and_signs_in_once(web: httpx.AsyncClient) -> None:
    anna = await factories.person()
    old, address = await sessions.begin(anna.id, "", ""), await link(anna)
    async with browser(web) as client:
        for _ in range(2):
            page = await client.get(address)
            assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
            assert "anna" in page.text
        answer = await client.post(address, data={"password": NEW})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert (await client.get("/account")).status_code == 200
    assert not await is_signed_in(web, old)
    async with browser(web) as client:
        for answer in (await client.get(address), await client.post(address, data={"password": PASSWORD})):
            assert answer.status_code == 410
            assert "link was used" in answer.text
        assert (await sent(client, password=NEW)).status_code == 303
    actions = [entry.action for entry in await audit.latest(5)]
    assert actions == ["signed in", "signed in", "password set", "link made", "person added"]


@pytest.mark.parametrize("password", ["", "too short", "passwordpassword", "x" * 5000])
async def test_a_password_that_is_refused_uses_no_link_up(web: httpx.AsyncClient, password: str) -> None:
    address = await link(await factories.person())
    async with browser(web) as client:
        answer = await client.post(address, data={"password": password})
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text
        assert (await client.get("/")).status_code == 303
        assert (await client.get(address)).status_code == 200


async def test_a_link_that_is_no_more_says_so(web: httpx.AsyncClient) -> None:
    anna = await factories.person()
    addresses = [await link(anna), await link(anna)]
    await people.disable(anna, BY)
    async with browser(web) as client:
        for address in [*addresses, "/welcome/nonsense", "/welcome/" + "A" * 43]:
            assert (await client.get(address)).status_code == 410
            assert (await client.post(address, data={"password": NEW})).status_code == 410
    assert not await Session.exists()


async def test_who_sets_a_password_is_no_longer_signed_in_as_another(web: httpx.AsyncClient) -> None:
    await factories.with_password("ben")
    address = await link(await factories.person())
    async with browser(web) as client:
        token = cookie_in(await sent(client, "ben")).value
        await client.post(address, data={"password": NEW})
        assert "<h1>anna</h1>" in (await client.get("/account")).text
    assert not await is_signed_in(web, token)

"""A person's own account: the password, the browsers in which they are signed in, and keys, and nobody else's."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from tasks.accounts import audit, keys, sessions, throttle
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db.account_tables import ApiKey, AuditEntry, Person
from tasks.db.database import now
from tasks.spend import limits
from tests import factories
from tests.factories import PASSWORD
from tests.webapp.browsers import browser

BY = By()
KEY = re.compile(r"dk_[0-9A-Za-z]{38}")
NEW = "a longer and better password"


@pytest.fixture
async def anna() -> Person:
    return await factories.with_password()


@pytest.fixture
async def client(web: httpx.AsyncClient, anna: Person) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a browser in which anna is signed in."""
    async with browser(web) as client:
        client.headers["Cookie"] = (await factories.session_of(anna))["Cookie"]
        yield client


async def works(web: httpx.AsyncClient, headers: dict[str, str]) -> bool:
    return (await web.get("/jobs.json", headers=headers)).status_code == 200


async def newest() -> tuple[str, str, str, str]:
    [entry] = await audit.latest(1)
    return entry.actor, entry.address, entry.action, entry.subject


async def test_the_page_is_of_the_person_and_is_not_stored(client: httpx.AsyncClient) -> None:
    page = await client.get("/account")
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert "<h1>anna</h1>" in page.text


# Passwords.


async def changed(client: httpx.AsyncClient, old: str = PASSWORD, new: str = NEW) -> httpx.Response:
    return await client.post("/account/password", data={"old": old, "password": new})


async def test_a_new_password_ends_all_sessions_and_begins_one_here(
    web: httpx.AsyncClient, anna: Person, client: httpx.AsyncClient
) -> None:
    here, elsewhere = {"Cookie": client.headers.pop("Cookie")}, await factories.session_of(anna)
    key = await factories.key_of(anna, "read")
    client.cookies.set("darkroom-signed-in", here["Cookie"].partition("=")[2], "darkroom.test", "/")
    answer = await changed(client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert (await client.get("/account")).status_code == 200
    assert [await works(web, headers) for headers in (here, elsewhere, key)] == [False, False, True]
    assert len(await sessions.of(anna.id)) == 1
    async with browser(web) as other:
        for password, status in ((PASSWORD, 422), (NEW, 303)):
            answer = await other.post("/sign-in", data={"name": "anna", "password": password})
            assert answer.status_code == status
    assert await AuditEntry.exists().where((AuditEntry.action == "password set") & (AuditEntry.actor == "anna"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("not my password", NEW, "not right"),
        ("", NEW, "not right"),
        (PASSWORD, "short", "at least 12"),
        (PASSWORD, "", "at least"),
    ],
)
async def test_a_password_is_changed_by_who_knows_it_and_to_a_good_one(
    anna: Person, client: httpx.AsyncClient, old: str, new: str, words: str
) -> None:
    answer = await changed(client, old, new)
    assert answer.status_code == 422
    assert words in answer.text
    assert (await client.get("/account")).status_code == 200
    assert not await AuditEntry.exists().where(AuditEntry.action == "password set")


async def test_who_finds_a_browser_signed_in_guesses_the_password_no_faster_than_others(
    client: httpx.AsyncClient,
) -> None:
    for _ in range(throttle.FREE_OF_PERSON + 1):
        assert "not right" in (await changed(client, "not my password")).text
    answer = await changed(client)
    assert answer.status_code == 422
    assert re.search(r"Try again in \d+ s", answer.text)
    assert not await AuditEntry.exists().where(AuditEntry.action == "password set")


async def test_who_knows_the_password_is_not_slowed(client: httpx.AsyncClient) -> None:
    for _ in range(throttle.FREE_OF_PERSON + 3):
        assert "at least 12" in (await changed(client, new="short")).text


# Sessions.


async def test_the_browsers_are_listed_and_this_one_is_marked(anna: Person, client: httpx.AsyncClient) -> None:
    await sessions.begin(anna.id, "<b>curl</b>", "203.0.113.9")
    await sessions.begin((await factories.person("ben")).id, "Lynx", "198.51.100.7")
    page = (await client.get("/account")).text
    assert "203.0.113.9" in page
    assert "&lt;b&gt;curl" in page
    assert page.lower().count("this browser") == 1
    assert "Lynx" not in page
    assert "198.51.100.7" not in page


async def test_a_person_ends_their_own_session_in_another_browser(
    web: httpx.AsyncClient, anna: Person, client: httpx.AsyncClient
) -> None:
    [this] = await sessions.of(anna.id)
    elsewhere = await factories.session_of(anna)
    [other] = [row for row in await sessions.of(anna.id) if row.id != this.id]
    answer = await client.post(f"/account/sessions/{other.id}/end")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert not await works(web, elsewhere)
    assert (await client.get("/account")).status_code == 200
    assert await newest() == ("anna", "127.0.0.1", "session ended", "anna")


async def test_nobody_ends_anothers_session_nor_is_that_noted(
    web: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    ben = await factories.person("ben")
    headers = await factories.session_of(ben)
    [session] = await sessions.of(ben.id)
    for session_id in (session.id, uuid4()):
        assert (await client.post(f"/account/sessions/{session_id}/end")).status_code == 303
    assert await works(web, headers)
    assert not await AuditEntry.exists().where(AuditEntry.action == "session ended")


# Keys.


async def shown(answer: httpx.Response) -> dict[str, str]:
    """Return the headers of a program with the key that a page shows."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    [secret] = set(KEY.findall(answer.text))
    return {"Authorization": f"Bearer {secret}"}


async def test_a_new_key_is_shown_once_and_works(web: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    assert not KEY.search((await client.get("/account")).text)
    form = {"name": "ci", "scope": ["submit", "read"], "models": "", "expires": ""}
    headers = await shown(await client.post("/account/keys", data=form))
    assert await works(web, headers)
    answer = await web.post("/generate", json={"prompt": "a fox"}, headers=headers)
    assert answer.status_code == 202
    page = (await client.get("/account")).text
    assert "ci" in page
    assert not KEY.search(page)
    assert await newest() == ("anna", "127.0.0.1", "key added", "anna/ci")


async def test_a_key_may_be_limited_to_models_and_expire(anna: Person, client: httpx.AsyncClient) -> None:
    form = {
        "name": "ci",
        "scope": "submit",
        "models": "stability-ai/sdxl, black-forest-labs/flux-schnell",
        "expires": "30",
    }
    await shown(await client.post("/account/keys", data=form))
    [listed] = await keys.of_person(anna)
    assert listed.models == ["black-forest-labs/flux-schnell", "stability-ai/sdxl"]
    assert listed.key.expires_at is not None
    assert timedelta(days=29) < listed.key.expires_at - now() <= timedelta(days=30)


async def test_a_key_may_have_a_budget_and_a_wrong_one_makes_no_key(anna: Person, client: httpx.AsyncClient) -> None:
    form = {"name": "ci", "scope": "submit"}
    assert (await client.post("/account/keys", data=form | {"budget": "a lot"})).status_code == 422
    assert await keys.of_person(anna) == []
    assert (await client.post("/account/keys", data=form | {"budget": "0.10/day"})).status_code == 200
    [budget] = await limits.listed()
    assert (limits.label(budget), budget.amount, budget.period) == ("key:anna/ci", 100_000, "day")


@pytest.mark.parametrize(
    "form",
    [
        {}, {"name": "ci"}, {"name": "ci", "scope": "everything"}, {"name": "ci", "scope": "manage"},
        {"name": "ci", "scope": "signed in"}, {"name": "a/b", "scope": "read"}, {"name": "", "scope": "read"},
        {"name": "ci", "scope": "read", "models": "no model"}, {"name": "a\0b", "scope": "read"},
    ],
)  # fmt: skip
async def test_a_key_that_cannot_be_is_refused_with_a_reason(client: httpx.AsyncClient, form: dict[str, str]) -> None:
    answer = await client.post("/account/keys", data=form)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert not await ApiKey.exists()


async def test_a_viewers_key_may_do_no_more_than_the_viewer(web: httpx.AsyncClient) -> None:
    session = await factories.session_of(await factories.person("vera", Role.VIEWER))
    answer = await web.post("/account/keys", data={"name": "ci", "scope": ["submit", "read", "tidy"]}, headers=session)
    headers = await shown(answer)
    assert await works(web, headers)
    answer = await web.post("/generate", json={"prompt": "a fox"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


async def test_a_key_is_rotated_and_both_secrets_work(
    web: httpx.AsyncClient, anna: Person, client: httpx.AsyncClient
) -> None:
    old = await factories.key_of(anna, "read")
    [listed] = await keys.of_person(anna)
    new = await shown(await client.post(f"/account/keys/{listed.key.id}/rotate"))
    assert old != new
    assert [await works(web, headers) for headers in (old, new)] == [True, True]
    assert await newest() == ("anna", "127.0.0.1", "key rotated", "anna/ci")


async def test_a_key_that_is_revoked_works_no_more(
    web: httpx.AsyncClient, anna: Person, client: httpx.AsyncClient
) -> None:
    headers = await factories.key_of(anna, "read")
    [listed] = await keys.of_person(anna)
    answer = await client.post(f"/account/keys/{listed.key.id}/revoke")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert await newest() == ("anna", "127.0.0.1", "key revoked", "anna/ci")
    assert (await web.get("/jobs.json", headers=headers)).json()["code"] == "key_revoked"
    for action in ("rotate", "revoke"):
        assert (await client.post(f"/account/keys/{listed.key.id}/{action}")).status_code == 404


@pytest.mark.parametrize("action", ["rotate", "revoke"])
async def test_anothers_key_is_no_key(web: httpx.AsyncClient, client: httpx.AsyncClient, action: str) -> None:
    ben = await factories.person("ben")
    headers = await factories.key_of(ben, "read")
    [listed] = await keys.of_person(ben)
    key_ids: tuple[UUID, ...] = (listed.key.id, uuid4())
    for key_id in key_ids:
        answer = await client.post(f"/account/keys/{key_id}/{action}")
        assert answer.status_code == 404
        assert not KEY.search(answer.text)
    assert await works(web, headers)
    assert len((await keys.of_person(ben))[0].secrets) == 1

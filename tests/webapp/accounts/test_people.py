"""Admins invite people, change what they may do and disable them; services get keys, and no link."""

import re
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from tasks.accounts import audit, keys, people
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db.account_tables import Person
from tasks.settings import settings
from tests import factories
from tests.webapp.browsers import browser
from webapp.http import clients

BY = By()
KEY = re.compile(r"dk_[0-9A-Za-z]{38}")
LINK = re.compile(r"https?://[^/<\s]+/welcome/[A-Za-z0-9_-]{43}")


@pytest.fixture
async def boss() -> Person:
    return await factories.person("boss", Role.ADMIN)


@pytest.fixture
async def client(web: httpx.AsyncClient, boss: Person) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a browser in which an admin is signed in."""
    async with browser(web) as client:
        client.headers["Cookie"] = (await factories.session_of(boss))["Cookie"]
        yield client


async def changed(client: httpx.AsyncClient, person: Person, action: str, **more: str) -> httpx.Response:
    return await client.post(f"/people/{person.id}", data={"action": action, **more})


async def now_is(person: Person) -> Person:
    stored = await people.named(person.name)
    assert stored is not None
    return stored


async def newest() -> tuple[str, str, str, str]:
    [entry] = await audit.latest(1)
    return entry.actor, entry.address, entry.action, entry.subject


@pytest.mark.parametrize("role", ["viewer", "member", "admin"])
async def test_who_is_added_gets_a_link_with_which_they_sign_in(
    web: httpx.AsyncClient, client: httpx.AsyncClient, role: str
) -> None:
    answer = await client.post("/people", data={"name": " Anna ", "role": role})
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    [link] = LINK.findall(answer.text)
    assert link.startswith("http://darkroom.test/")
    assert not LINK.search((await client.get("/people")).text)
    anna = await people.named("anna")
    assert anna is not None
    assert anna.role == role
    async with browser(web) as other:
        answer = await other.post(link, data={"password": factories.PASSWORD})
        assert answer.status_code == 303
        assert (await other.get("/people")).status_code == (200 if role == "admin" else 403)
    added, made = [entry for entry in await audit.latest(10) if entry.actor == "boss"][::-1]
    assert [(entry.action, entry.subject, entry.address) for entry in (added, made)] == [
        ("person added", "anna", "127.0.0.1"),
        ("link made", "anna", "127.0.0.1"),
    ]


async def test_the_link_is_at_the_address_that_visitors_use(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = settings.model_copy(update={"public_url": "https://pictures.example"})
    monkeypatch.setattr(clients, "settings", public)
    answer = await client.post("/people", data={"name": "anna", "role": "member"})
    assert LINK.findall(answer.text)[0].startswith("https://pictures.example/welcome/")


@pytest.mark.parametrize("name", ["", "boss", "Boss", "a b", "-anna", "<b>", "x" * 65, "a\0b"])
async def test_a_name_that_is_taken_or_none_is_refused_with_a_reason(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.post("/people", data={"name": name, "role": "member"})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert "<b>" not in answer.text.replace("<b></b>", "")
    assert await Person.count() == 1


@pytest.mark.parametrize("role", ["", "owner", "Admin"])
async def test_a_role_that_there_is_not_is_refused(client: httpx.AsyncClient, boss: Person, role: str) -> None:
    assert (await client.post("/people", data={"name": "anna", "role": role})).status_code == 400
    assert (await changed(client, boss, "role", role=role)).status_code == 400
    assert await Person.count() == 1


async def test_a_service_gets_keys_and_no_link(web: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    answer = await client.post("/people", data={"name": "robot", "role": "service"})
    assert answer.status_code == 200
    robot = await people.named("robot")
    assert robot is not None
    for page in (answer, await changed(client, robot, "link")):
        assert not LINK.search(page.text)
    assert (await now_is(robot)).link_hash is None
    answer = await changed(client, robot, "key", name="nightly", scope="read")
    assert answer.headers["cache-control"] == "no-store"
    [secret] = set(KEY.findall(answer.text))
    assert (await web.get("/jobs.json", headers={"Authorization": f"Bearer {secret}"})).status_code == 200
    assert await newest() == ("boss", "127.0.0.1", "key added", "robot/nightly")
    listed = (await client.get("/people")).text
    assert "nightly" in listed
    assert not KEY.search(listed)


async def test_a_key_that_cannot_be_is_refused_with_a_reason(client: httpx.AsyncClient) -> None:
    robot = await factories.person("robot", Role.SERVICE)
    answer = await changed(client, robot, "key", name="a/b", scope="read")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert await keys.of_person(robot) == []


async def test_a_new_link_replaces_the_one_before(client: httpx.AsyncClient) -> None:
    anna = await factories.person()
    first, second = [LINK.findall((await changed(client, anna, "link")).text)[0] for _ in range(2)]
    assert (await client.get(first)).status_code == 410
    assert (await client.get(second)).status_code == 200
    assert await newest() == ("boss", "127.0.0.1", "link made", "anna")


async def test_who_is_disabled_is_signed_out_at_once_until_enabled_again(
    web: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    anna = await factories.with_password()
    session, key = await factories.session_of(anna), await factories.key_of(anna, "read")
    for _ in range(2):
        answer = await changed(client, anna, "disable")
        assert (answer.status_code, "last admin" in answer.text) == (200, False)
    assert await newest() == ("boss", "127.0.0.1", "person disabled", "anna")
    for headers in (session, key):
        assert (await web.get("/jobs.json", headers=headers)).status_code == 401
    assert not LINK.search((await changed(client, anna, "link")).text)
    async with browser(web) as other:
        form = {"name": "anna", "password": factories.PASSWORD}
        assert (await other.post("/sign-in", data=form)).status_code == 422
        assert (await changed(client, anna, "enable")).status_code == 200
        assert await newest() == ("boss", "127.0.0.1", "person enabled", "anna")
        assert (await other.post("/sign-in", data=form)).status_code == 303
    assert (await web.get("/jobs.json", headers=key)).status_code == 200


async def test_another_role_counts_from_the_next_request_on(web: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    anna = await factories.person(role=Role.VIEWER)
    headers = await factories.session_of(anna)
    for role, status in (("member", 202), ("viewer", 403)):
        assert (await changed(client, anna, "role", role=role)).status_code == 200
        assert await newest() == ("boss", "127.0.0.1", "role changed", "anna")
        answer = await web.post("/generate", json={"prompt": "a fox"}, headers=headers)
        assert answer.status_code == status


async def test_who_is_no_admin_any_more_manages_nobody(client: httpx.AsyncClient, boss: Person) -> None:
    await factories.person("anna", Role.ADMIN)
    assert (await changed(client, boss, "role", role="member")).status_code == 200
    assert (await client.get("/people")).status_code == 403
    assert (await client.post("/people", data={"name": "ben", "role": "admin"})).status_code == 403
    assert await people.named("ben") is None


@pytest.mark.parametrize(("action", "role"), [("disable", ""), ("role", "member"), ("role", "viewer")])
async def test_the_last_admin_stays_one(client: httpx.AsyncClient, boss: Person, action: str, role: str) -> None:
    await factories.person("anna", Role.MEMBER)
    await people.disable(await factories.person("gone", Role.ADMIN), BY)
    answer = await changed(client, boss, action, role=role)
    assert answer.status_code == 422
    assert "This is the last admin" in answer.text
    stored = await now_is(boss)
    assert stored.role == Role.ADMIN
    assert stored.disabled_at is None
    assert (await client.get("/people")).status_code == 200


@pytest.mark.parametrize("role", list(Role))
async def test_a_service_becomes_no_person(client: httpx.AsyncClient, role: Role) -> None:
    robot = await factories.person("robot", Role.SERVICE)
    answer = await changed(client, robot, "role", role=role)
    assert answer.status_code == 422
    assert "robot is a service, and has no role to change." in answer.text
    assert (await now_is(robot)).role == Role.SERVICE


async def test_a_person_becomes_no_service(client: httpx.AsyncClient, boss: Person) -> None:
    for person in (boss, await factories.person("anna")):
        answer = await changed(client, person, "role", role="service")
        assert answer.status_code == 422
        assert f"{person.name} is a person, and cannot become a service." in answer.text
        assert (await now_is(person)).role == person.role


async def test_a_person_or_an_action_that_there_is_not_is_refused(client: httpx.AsyncClient, boss: Person) -> None:
    assert (await client.post(f"/people/{uuid4()}", data={"action": "link"})).status_code == 404
    for action in ("", "delete"):
        assert (await changed(client, boss, action)).status_code == 400


async def test_a_key_is_changed_at_its_owner_alone(web: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    robot, other = await factories.person("robot", Role.SERVICE), await factories.person("other", Role.SERVICE)
    headers = await factories.key_of(robot, "read")
    [listed] = await keys.of_person(robot)
    for key in (str(listed.key.id), str(uuid4()), "nonsense", ""):
        assert (await changed(client, other, "revoke", key=key)).status_code == 404
    assert (await web.get("/jobs.json", headers=headers)).status_code == 200
    [secret] = set(KEY.findall((await changed(client, robot, "rotate", key=str(listed.key.id))).text))
    assert secret not in headers["Authorization"]
    assert await newest() == ("boss", "127.0.0.1", "key rotated", "robot/ci")
    assert (await changed(client, robot, "revoke", key=str(listed.key.id))).status_code == 200
    assert await newest() == ("boss", "127.0.0.1", "key revoked", "robot/ci")
    assert (await web.get("/jobs.json", headers=headers)).json()["code"] == "key_revoked"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER])
async def test_who_is_no_admin_changes_nobody(web: httpx.AsyncClient, role: Role) -> None:
    anna = await factories.person(role=role)
    headers = await factories.session_of(anna)
    for path, form in (
        (f"/people/{anna.id}", {"action": "role", "role": "admin"}),
        ("/people", {"name": "evil", "role": "admin"}),
    ):
        answer = await web.post(path, data=form, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert (await now_is(anna)).role == role
    assert await people.named("evil") is None


async def test_the_menu_offers_people_to_admins_alone(web: httpx.AsyncClient) -> None:
    for role in (Role.VIEWER, Role.MEMBER, Role.ADMIN):
        page = await web.get("/docs", headers=await factories.session_of(await factories.person(role, role)))
        assert ('href="/people"' in page.text) == (role == Role.ADMIN)
        assert 'href="/account"' in page.text

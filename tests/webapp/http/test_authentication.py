"""Who sends a request: the open house, a person by their session or by a trusted proxy, a program by its key."""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextvars import Context
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from tasks.accounts import audit, keys, people, secrets, sessions
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db.account_tables import ApiKey, ApiSecret, AuditEntry, Person, Session
from tasks.db.database import now
from tasks.errors import DatabaseAway
from tasks.settings import settings
from tests import factories
from tests.webapp.browsers import PAGES, browser
from webapp.http import authentication

BY = By()
JSON = "application/json"
PROBLEM = "application/problem+json"
HTMX = {"HX-Request": "true"}
NOBODYS = "019ab0c4-5d1e-7b36-9533-e50ac26d7632"
"""The id of no job."""


# Without people, and from the first one on.


async def test_without_people_everything_is_open_whatever_a_request_shows(web: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Bearer nonsense"}, {"Cookie": "darkroom-signed-in=nonsense"}, PAGES):
        assert (await web.get("/", headers=headers)).status_code == 200
    answer = await web.post("/generate", json={"prompt": "a fox in the snow"})
    assert answer.status_code == 202
    job = answer.json()
    assert (await web.get(f"/status/{job['job_id']}")).json()["status"] == "queued"
    answer = await web.get("/people")
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert "darkroom people add NAME --admin" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/", "/?q=fox&sort=oldest", "/collections", "/docs", f"/jobs/{NOBODYS}", "/people"])
async def test_from_the_first_person_on_pages_lead_to_where_one_signs_in(web: httpx.AsyncClient, path: str) -> None:
    await factories.person()
    for ask in (web.get, web.head):
        answer = await ask(path, headers=PAGES)
        assert answer.status_code == 303
        assert answer.headers["cache-control"] == "no-store"
        leads = urlsplit(answer.headers["location"])
        assert (leads.path, parse_qs(leads.query)) == ("/sign-in", {"next": [path]})


async def test_a_form_leads_to_where_one_signs_in_and_then_back_to_its_page(web: httpx.AsyncClient) -> None:
    await factories.person()
    answer = await web.post("/jobs", data={"prompt": "a fox"}, headers=PAGES)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/")
    at = {"Referer": "http://darkroom.test/collections?q=x", "Origin": "http://darkroom.test"}
    answer = await web.post("/jobs", data={"prompt": "a fox"}, headers=PAGES | at)
    assert answer.headers["location"] == "/sign-in?next=/collections%3Fq%3Dx"


async def test_a_download_is_refused_so_that_no_page_is_saved_as_the_file(web: httpx.AsyncClient) -> None:
    await factories.person()
    assert (await web.get("/media/a.png?download", headers=PAGES)).status_code == 401


async def test_a_page_that_was_left_open_is_led_there_too(web: httpx.AsyncClient) -> None:
    await factories.person()
    on = PAGES | HTMX | {"HX-Current-URL": "http://darkroom.test/?q=fox"}
    for answer in (
        await web.get("/composer?model=a/b", headers=on),
        await web.post(f"/jobs/{NOBODYS}/cancel", headers=on),
    ):
        assert (answer.status_code, answer.text) == (401, "")
        assert answer.headers["hx-redirect"] == "/sign-in?next=/%3Fq%3Dfox"
    answer = await web.get("/composer", headers=on | {"HX-Current-URL": "https://evil.example//evil"})
    assert answer.headers["hx-redirect"] == "/sign-in?next=/"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/jobs.json"), ("POST", "/generate"), ("GET", "/events"), ("GET", "/media/a.png")]
)
async def test_programs_are_told_that_they_need_a_key(web: httpx.AsyncClient, method: str, path: str) -> None:
    await factories.person()
    answer = await web.request(method, path, headers={"Accept": "*/*"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, PROBLEM)
    assert answer.json()["code"] == "sign_in_required"
    assert answer.headers["www-authenticate"] == 'Bearer realm="Darkroom"'


@pytest.mark.parametrize("path", ["/static/favicon.svg", "/healthz", "/sign-in", "/errors/key_unknown"])
async def test_some_pages_are_for_everyone(web: httpx.AsyncClient, path: str) -> None:
    await factories.person()
    answer = await web.get(path, headers=PAGES)
    assert answer.status_code in (200, 401)  # a code's page has the status that it explains
    assert "hx-redirect" not in answer.headers
    assert "www-authenticate" not in answer.headers


async def page_of(web: httpx.AsyncClient, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Request a page in a context of its own, as servers do: no other request has said who the viewer is."""
    request = web.request(method, path, headers=PAGES | headers)
    return await asyncio.create_task(request, context=Context())


def menu_of(page: httpx.Response) -> str:
    """Return the top of a page, without what it says itself."""
    return page.text.partition("<header>")[2].partition("</header>")[0]


@pytest.mark.parametrize(
    ("method", "path", "more"),
    [("GET", "/nowhere", {}), ("PUT", "/docs", {}), ("GET", "/", {"Sec-Fetch-Site": "cross-site"})],
)
async def test_a_page_that_says_what_went_wrong_offers_a_stranger_nothing(
    web: httpx.AsyncClient, method: str, path: str, more: dict[str, str]
) -> None:
    await factories.person()
    page = await page_of(web, path, method, **more)
    assert page.status_code in (403, 404, 405)
    assert menu_of(page) == menu_of(await page_of(web, "/sign-in"))
    assert "Collections" not in page.text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/docs", 405)])
async def test_it_has_ones_own_menu(web: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    headers: dict[str, str] = {}
    for name, role in (("", None), ("vic", Role.VIEWER), ("boss", Role.ADMIN)):
        if role is not None:
            headers = await factories.session_of(await factories.person(name, role))
        page = await page_of(web, path, method, **headers)
        assert page.status_code == status
        assert menu_of(page) == menu_of(await page_of(web, "/docs", **headers))
        assert "Collections" in menu_of(page)
        assert name in menu_of(page)
        assert ('href="/people"' in page.text) == (role == Role.ADMIN)


async def test_what_there_is_not_is_told_without_the_database(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = await factories.session_of(await factories.person())

    def away(*_: object) -> None:
        raise DatabaseAway("down")

    monkeypatch.setattr(Session, "raw", away)
    page = await page_of(web, "/nowhere", **cookie)
    assert page.status_code == 404
    assert "Collections" not in page.text


# Sessions.


async def test_a_cookie_signs_in_wherever_it_is_among_others(web: httpx.AsyncClient) -> None:
    cookie = (await factories.session_of(await factories.person()))["Cookie"]
    for sent in (cookie, f"a=b; {cookie}; c=d", f"a=b;{cookie}"):
        answer = await web.get("/account", headers={"Cookie": sent})
        assert answer.status_code == 200
        assert "<h1>anna</h1>" in answer.text


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 5000, '"', "a=b", "%00"])
async def test_a_cookie_that_is_none_of_ours_signs_nobody_in(web: httpx.AsyncClient, token: str) -> None:
    await factories.person()
    assert (await web.get("/jobs.json", headers={"Cookie": f"darkroom-signed-in={token}"})).status_code == 401


async def test_a_session_that_has_ended_signs_nobody_in(web: httpx.AsyncClient) -> None:
    anna = await factories.person()
    headers = await factories.session_of(anna)
    [session] = await sessions.of(anna.id)
    assert (await web.get("/jobs.json", headers=headers)).status_code == 200
    await sessions.end(session.id, anna.id)
    assert (await web.get("/jobs.json", headers=headers)).status_code == 401


async def test_over_https_only_the_cookie_counts_that_browsers_keep_to_https(web: httpx.AsyncClient) -> None:
    """A page on plain http can set the other one, or steal it."""
    plain = (await factories.session_of(await factories.person()))["Cookie"]
    async with browser(web, "https://darkroom.test") as client:
        assert (await client.get("/account", headers={"Cookie": plain})).status_code == 303
        assert (await client.get("/account", headers={"Cookie": f"__Host-{plain}"})).status_code == 200
    assert (await web.get("/account", headers={"Cookie": f"__Host-{plain}"})).status_code == 401


# Names from a proxy.

PROXIES = "10.0.0.0/8, fd00::7"
OF_PROXY, OF_ANYONE = "10.0.0.1", "203.0.113.9"
ANNA = ("Remote-User", "anna")


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that changes the settings, in which proxies are trusted."""

    def change(**changes: object) -> None:
        trust = {"trusted_user_header": "Remote-User", "trusted_proxies": PROXIES}
        monkeypatch.setattr(authentication, "settings", settings.model_copy(update=trust | changes))

    change()
    return change


async def name_of(web: httpx.AsyncClient, peer: str, *headers: tuple[str, str], proxies: str = PROXIES) -> str | None:
    """Return who is signed in, as their page shows it, or None."""
    async with browser(web, peer=peer, proxies=proxies) as client:
        answer = await client.get("/account", headers=headers)
    if answer.status_code == 303:
        return None
    assert answer.status_code == 200, answer.text
    return answer.text.partition("<h1>")[2].partition("</h1>")[0]


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        (OF_PROXY, [ANNA]),
        (OF_PROXY, [("remote-user", " Anna ")]),
        ("fd00::7", [ANNA]),
        (OF_PROXY, [ANNA, ("X-Forwarded-For", OF_ANYONE)]),
        (OF_PROXY, [ANNA, ("X-Forwarded-For", f"{OF_ANYONE}, 10.0.0.2")]),
    ],
)
async def test_a_trusted_proxy_says_who_is_signed_in(
    web: httpx.AsyncClient, peer: str, headers: Sequence[tuple[str, str]]
) -> None:
    await factories.person()
    assert await name_of(web, peer, *headers) == "anna"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        (OF_ANYONE, [ANNA]),
        (OF_ANYONE, [ANNA, ("X-Forwarded-For", OF_PROXY)]),
        (OF_ANYONE, [ANNA, ("X-Forwarded-For", f"{OF_PROXY}, {OF_PROXY}")]),
        (OF_ANYONE, [ANNA, ("Forwarded", f"for={OF_PROXY}"), ("X-Real-IP", OF_PROXY)]),
        ("10.0.0.1.evil.example", [ANNA]),
        ("::ffff:203.0.113.9", [ANNA]),
        ("", [ANNA]),
        (OF_PROXY, [ANNA, ("Remote-User", "ben")]),
        (OF_PROXY, [ANNA, ("Remote-User", "anna")]),
        (OF_PROXY, [ANNA, ("REMOTE-USER", "boss")]),
        (OF_PROXY, [("Remote-User", "anna, boss")]),
        (OF_PROXY, [("Remote-User", "")]),
        (OF_PROXY, [("Remote-User", "nobody")]),
        (OF_PROXY, [("Remote_User", "anna")]),
        (OF_PROXY, [("X-Remote-User", "anna")]),
        (OF_PROXY, []),
    ],
)
async def test_no_one_else_says_it_and_nothing_but_one_name(
    web: httpx.AsyncClient, peer: str, headers: Sequence[tuple[str, str]]
) -> None:
    await factories.person()
    await factories.person("boss", Role.ADMIN)
    assert await name_of(web, peer, *headers) is None


@pytest.mark.parametrize("changes", [{"trusted_user_header": ""}, {"trusted_proxies": ""}])
async def test_a_proxy_is_trusted_only_with_both_settings(
    web: httpx.AsyncClient, trusted: Callable[..., None], changes: dict[str, str]
) -> None:
    await factories.person()
    trusted(**changes)
    assert await name_of(web, OF_PROXY, ANNA, proxies=changes.get("trusted_proxies", PROXIES)) is None


@pytest.mark.usefixtures("trusted")
async def test_who_is_disabled_or_a_service_is_not_signed_in_by_a_proxy(web: httpx.AsyncClient) -> None:
    assert await people.disable(await factories.person(), BY)
    await factories.person("robot", Role.SERVICE)
    for name in ("anna", "robot"):
        assert await name_of(web, OF_PROXY, ("Remote-User", name)) is None


@pytest.mark.usefixtures("trusted")
async def test_who_came_by_a_proxy_keeps_no_session_and_is_gone_with_the_header(web: httpx.AsyncClient) -> None:
    anna = await factories.person()
    async with browser(web, peer=OF_PROXY, proxies=PROXIES) as client:
        answer = await client.get("/account", headers={"Remote-User": "anna"})
        assert answer.status_code == 200
        assert "darkroom-signed-in" not in client.cookies
        assert (await client.get("/account")).status_code == 303
    assert await sessions.of(anna.id) == []


async def test_who_is_not_known_is_added_as_a_member_where_that_is_set(
    web: httpx.AsyncClient, trusted: Callable[..., None]
) -> None:
    await factories.person()
    assert await name_of(web, OF_PROXY, ("Remote-User", "ben")) is None
    trusted(trusted_signup=True)
    assert await name_of(web, OF_ANYONE, ("Remote-User", "ben")) is None
    assert await people.named("ben") is None
    arrived = await asyncio.gather(*(name_of(web, OF_PROXY, ("Remote-User", "Ben")) for _ in range(4)))
    assert arrived == ["ben"] * 4
    ben = await people.named("ben")
    assert ben is not None
    assert ben.role == Role.MEMBER
    added = [(entry.actor, entry.subject) for entry in await audit.latest(10) if entry.action == "person added"]
    assert added == [("ben", "ben"), ("command line", "anna")]


@pytest.mark.parametrize("name", ["a b", "-ben", "x" * 65, "anna/ci", "<b>"])
async def test_a_name_that_is_none_is_not_added(
    web: httpx.AsyncClient, trusted: Callable[..., None], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    await factories.person()
    trusted(trusted_signup=True)
    assert await name_of(web, OF_PROXY, ("Remote-User", name)) is None
    assert await Person.count() == 1
    assert "cannot be added" in caplog.text


# Keys.


async def a_key(*scopes: str, name: str = "ci", **more: Any) -> tuple[ApiKey, str]:
    someone = await people.named("anna") or await factories.person()
    made = await keys.add(someone, name, scopes or ["read"], BY, **more)
    return made.key, made.secret


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"}


async def test_a_key_is_shown_as_a_token_or_as_a_password(web: httpx.AsyncClient) -> None:
    _, secret = await a_key()
    in_other_words = [
        f"bearer {secret}",
        f"BEARER  {secret} ",
        basic("x", secret)["Authorization"].replace("B", "b", 1),
    ]
    shown = [bearer(secret), basic("", secret), basic("anna", secret)]
    for headers in [*shown, *({"Authorization": words} for words in in_other_words)]:
        assert (await web.get("/jobs.json", headers=headers)).status_code == 200


@pytest.mark.parametrize("name", ["key", "token", "access_token", "api_key", "authorization", "Authorization"])
async def test_a_key_in_an_address_is_never_accepted(web: httpx.AsyncClient, name: str) -> None:
    _, secret = await a_key()
    for value in (secret, f"Bearer {secret}"):
        answer = await web.get("/jobs.json", params={name: value})
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")


async def test_a_key_in_a_form_a_body_or_a_cookie_is_not_accepted_either(web: httpx.AsyncClient) -> None:
    _, secret = await a_key("read", "submit")
    sent: list[dict[str, Any]] = [
        {"data": {"access_token": secret}}, {"json": {"prompt": "a fox", "key": secret}},
        {"headers": {"Cookie": f"darkroom-signed-in={secret}"}}, {"headers": {"X-Api-Key": secret}},
    ]  # fmt: skip
    for more in sent:
        answer = await web.post("/generate", **more)
        assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")


async def mistyped() -> str:
    _, secret = await a_key()
    return secret[:9] + ("a" if secret[9] != "a" else "b") + secret[10:]


async def truncated() -> str:
    return (await a_key())[1][:-1]


async def unknown() -> str:
    await a_key()
    return secrets.new_key()


async def revoked() -> str:
    key, secret = await a_key()
    assert await keys.revoke(key, "anna", BY)
    return secret


async def replaced() -> str:
    key, secret = await a_key()
    for _ in range(2):
        assert await keys.rotate(key, "anna", BY)
    return secret


async def of_someone_disabled() -> str:
    _, secret = await a_key()
    anna = await people.named("anna")
    assert anna is not None
    assert await people.disable(anna, BY)
    return secret


async def expired() -> str:
    return (await a_key(expires_at=now() - timedelta(seconds=1)))[1]


REFUSED = [
    (mistyped, "key_mistyped"), (truncated, "key_mistyped"), (unknown, "key_unknown"), (revoked, "key_revoked"),
    (replaced, "key_revoked"), (of_someone_disabled, "key_revoked"), (expired, "key_expired"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "code"), REFUSED)
async def test_a_key_that_does_not_work_is_refused_with_its_own_code(
    web: httpx.AsyncClient, make: Callable[[], Any], code: str
) -> None:
    secret = await make()
    for headers in (shown | more for shown in (bearer(secret), basic("anna", secret)) for more in ({}, PAGES, HTMX)):
        answer = await web.get("/jobs.json", headers=headers)
        assert (answer.status_code, answer.headers["content-type"], answer.json()["code"]) == (401, PROBLEM, code)
        assert answer.headers["www-authenticate"] == 'Bearer realm="Darkroom", error="invalid_token"'
        assert secret not in answer.text


async def test_a_key_that_does_not_work_is_no_anonymous_request(web: httpx.AsyncClient) -> None:
    secret = await mistyped()
    cookie = await factories.session_of(await factories.person("ben"))
    assert (await web.get("/jobs.json", headers=cookie | bearer(secret))).status_code == 401
    assert (await web.get("/healthz", headers=bearer(secret))).status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer", "Bearer ", "Bearer x", "Bearer " + "x" * 10_000, "Bearer dk_" + "狐" * 38,
        "Basic " + b64encode(b":dk_").decode(), "Basic " + b64encode(b"anna:dk_short").decode(),
    ],
)  # fmt: skip
async def test_what_is_no_key_is_a_mistyped_one(web: httpx.AsyncClient, authorization: str) -> None:
    await factories.person()
    answer = await web.get("/jobs.json", headers=[(b"Authorization", authorization.encode())])
    assert (answer.status_code, answer.json()["code"]) == (401, "key_mistyped")


@pytest.mark.parametrize(
    "authorization",
    [
        "dk_", "Digest x", "Basic", "Basic !!!", "Basic " + b64encode(b"\xff:\xfe").decode(), "\x7f",
        "Basic " + b64encode(b"nothing").decode(), "Basic " + b64encode(b"anna:of a proxy").decode(),
    ],
)  # fmt: skip
async def test_what_is_for_a_proxy_is_no_key(web: httpx.AsyncClient, authorization: str) -> None:
    anna = await factories.person()
    given = {b"Authorization": authorization.encode()}
    answer = await web.get("/jobs.json", headers=list(given.items()))
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")
    session = {name.encode(): value.encode() for name, value in (await factories.session_of(anna)).items()}
    assert (await web.get("/jobs.json", headers=list((given | session).items()))).status_code == 200


async def test_a_typo_is_noticed_without_a_look_into_the_database(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await mistyped()
    assert await people.exist()

    def away(*_: object) -> None:
        raise DatabaseAway("down")

    monkeypatch.setattr(ApiSecret, "raw", away)
    assert (await web.get("/jobs.json", headers=bearer(secret))).json()["code"] == "key_mistyped"
    assert (await web.get("/jobs.json", headers=bearer(secrets.new_key()))).json()["code"] == "database_unavailable"


async def test_a_refusal_is_noted_once_a_minute_and_only_of_a_key_that_was_one(web: httpx.AsyncClient) -> None:
    secret = await expired()
    for shown in (secret[:-1], secrets.new_key(), secret, secret, secret):
        assert (await web.get("/jobs.json", headers=bearer(shown))).status_code == 401
    [entry] = await AuditEntry.objects().where(AuditEntry.action == "key refused")
    assert (entry.actor, entry.address, entry.after) == ("anna/ci", "127.0.0.1", '{"code": "key_expired"}')


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/generate", "submit"),
        ("GET", "/searches", "read:all"),
        ("PATCH", f"/jobs/{NOBODYS}", "tidy"),
        ("POST", "/selection", "tidy"),
    ],
)
async def test_a_key_without_the_scope_is_told_which_one_it_lacks(
    web: httpx.AsyncClient, method: str, path: str, scope: str
) -> None:
    _, secret = await a_key("read")
    for accept in (JSON, "text/html"):
        answer = await web.request(method, path, headers=bearer(secret) | {"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (403, PROBLEM)
        assert (answer.json()["code"], answer.json()["detail"]) == (
            "missing_scope",
            f"The key lacks the scope {scope}.",
        )
        challenge = f'Bearer realm="Darkroom", error="insufficient_scope", scope="{scope}"'
        assert answer.headers["www-authenticate"] == challenge


@pytest.mark.parametrize("path", ["/account", "/people"])
async def test_no_key_is_told_to_get_a_scope_that_there_is_not(web: httpx.AsyncClient, path: str) -> None:
    someone = await factories.person("boss", Role.ADMIN)
    headers = await factories.key_of(someone, "submit", "read", "read:all", "tidy", "operate")
    answer = await web.get(path, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert "www-authenticate" not in answer.headers


async def refusals() -> list[tuple[str, str, str]]:
    """Return who was refused, from where, and what, oldest first."""
    rows = await AuditEntry.objects().where(AuditEntry.action == "permission refused").order_by(AuditEntry.id)
    return [(row.actor, row.address, row.subject) for row in rows]


async def test_what_a_key_or_a_person_may_not_do_is_noted(web: httpx.AsyncClient) -> None:
    key, ben = bearer((await a_key("tidy", "read:all"))[1]), await factories.person("ben", Role.VIEWER)
    retry = {"action": "retry", "job": NOBODYS}
    async with browser(web, peer="203.0.113.9") as client:
        assert (await client.post("/generate", json={"prompt": "a fox"}, headers=key)).status_code == 403
        assert (await client.post("/selection", data=retry, headers=key)).status_code == 403
        assert (await client.get(f"/people?q={NOBODYS}", headers=await factories.session_of(ben))).status_code == 403
        assert (await client.get("/people")).status_code == 303
    here = "203.0.113.9"
    assert await refusals() == [
        ("anna/ci", here, "submit: /generate"),
        ("anna/ci", here, "submit: /selection"),
        ("ben", here, "manage: /people"),
    ]


async def test_what_is_refused_again_and_again_is_noted_once_in_ten_minutes(web: httpx.AsyncClient) -> None:
    headers = bearer((await a_key("read"))[1])
    paths = ["/generate", f"/jobs/{NOBODYS}/retry", *(f"/jobs/{uuid4()}/retry" for _ in range(8))]

    async def refused_everywhere() -> None:
        answers = await asyncio.gather(*(web.post(path, headers=headers) for path in paths))
        assert {answer.status_code for answer in answers} == {403}

    await refused_everywhere()
    each = sorted(await refusals())
    assert [subject for _, _, subject in each] == ["submit: /generate", "submit: /jobs/{job_id}/retry"]
    await refused_everywhere()
    assert sorted(await refusals()) == each
    await AuditEntry.update({AuditEntry.at: now() - timedelta(minutes=10)}, force=True)
    await refused_everywhere()
    assert sorted(await refusals()) == sorted([*each, *each])


async def test_a_key_gets_json_wherever_there_is_some(web: httpx.AsyncClient) -> None:
    _, secret = await a_key("read", "read:all", "submit", "tidy")
    shows = bearer(secret) | PAGES
    batch = (await web.post("/batches", json={"prompt": "a {red|blue} fox"}, headers=shows)).json()
    job_id = batch["jobs"][0]["job_id"]
    job, cancel = f"/jobs/{job_id}", f"/jobs/{job_id}/cancel"
    asked = [
        ("GET", job), ("GET", f"/batches/{batch['batch_id']}"), ("GET", "/collections"), ("POST", cancel),
        ("POST", f"/batches/{batch['batch_id']}/cancel"), ("POST", f"/jobs/{job_id}/retry"),
    ]  # fmt: skip
    for method, path in asked:
        for headers in (shows, shows | HTMX):
            answer = await web.request(method, path, headers=headers)
            assert answer.status_code in (200, 202), (path, answer.text)
            assert answer.headers["content-type"] == JSON, path
    for method, path in [("GET", f"/jobs/{NOBODYS}"), ("GET", "/nowhere"), ("PUT", job), ("POST", "/generate")]:
        answer = await web.request(method, path, headers=shows)
        assert answer.status_code in (404, 405, 415)
        assert answer.headers["content-type"] == PROBLEM, path


async def test_a_selection_and_its_undo_are_json_for_a_key_too(web: httpx.AsyncClient) -> None:
    job = await factories.submitted()
    _, secret = await a_key("read:all", "tidy")
    for headers in (bearer(secret) | PAGES, bearer(secret) | PAGES | HTMX):
        sent = {"action": "tag", "tag": str(uuid4()), "job": str(job.id)}
        answer = await web.post("/selection", data=sent, headers=headers)
        assert (answer.status_code, answer.json()["changed"]) == (200, 1)
        assert (await web.post(answer.json()["undo"], headers=headers)).json()["changed"] == 1

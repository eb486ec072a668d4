"""The client that takes its turn in the queue, identified by its header or by its browser's session."""

import re
from typing import Any

import httpx
import pytest

from tasks.db.tables import Job
from tasks.settings import settings
from webapp.http import clients, direct_peer
from webapp.http.clients import COOKIE, COOKIE_SECONDS

PROMPT = {"prompt": "a fox in the snow"}
SESSION = "abcdefghijklmnopqrstuv"


def a_peer(web: httpx.AsyncClient, address: str) -> httpx.AsyncClient:
    """Return a client that sends requests from another address."""
    transport = web._transport
    assert isinstance(transport, httpx.ASGITransport)
    elsewhere = httpx.ASGITransport(app=transport.app, client=(address, 50000))
    return httpx.AsyncClient(transport=elsewhere, base_url="http://darkroom.test")


async def client() -> str:
    [job] = await Job.objects()
    return str(job.client)


@pytest.fixture(autouse=True)
def new_browser(web: httpx.AsyncClient) -> None:
    web.cookies.clear()


@pytest.mark.parametrize("name", ["nightly-report", "x", "a" * 100, "ops@example.org"])
async def test_a_program_says_who_it_is(web: httpx.AsyncClient, name: str) -> None:
    assert (await web.post("/generate", json=PROMPT, headers={"X-Client": name})).status_code == 202
    assert await client() == name


@pytest.mark.parametrize("name", ["", "a" * 101, "two words", "a\tb", "Zo\u00eb".encode("latin-1"), b"\x7f"])
@pytest.mark.parametrize("path", ["/generate", "/jobs"])
async def test_a_client_without_a_clients_name_is_refused(web: httpx.AsyncClient, path: str, name: str | bytes) -> None:
    body = {"json": PROMPT} if path == "/generate" else {"data": PROMPT}
    headers = {b"X-Client": name if isinstance(name, bytes) else name.encode()}
    answer = await web.post(path, headers=headers, **body)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_client")
    assert await Job.count() == 0


async def test_who_says_nothing_is_one_client_with_all_others_who_do_not(web: httpx.AsyncClient) -> None:
    await web.post("/generate", json=PROMPT)
    assert await client() == ""


@pytest.mark.parametrize(
    ("address", "peer"),
    [
        ("192.0.2.7", "192.0.2.7 "),
        ("127.0.0.2", "127.0.0.2 "),
        ("::ffff:192.0.2.7", "192.0.2.7 "),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64 "),
        ("::5", "::/64 "),
        ("::1", ""),
        ("127.0.0.1", ""),
        ("nonsense", ""),
    ],
)
async def test_who_asks_from_elsewhere_is_known_by_the_address(web: httpx.AsyncClient, address: str, peer: str) -> None:
    async with a_peer(web, address) as elsewhere:
        await elsewhere.post("/generate", json=PROMPT, headers={"X-Forwarded-For": "198.51.100.9"})
    assert await client() == peer


async def test_a_name_stands_behind_the_address_as_far_as_there_is_room(web: httpx.AsyncClient) -> None:
    async with a_peer(web, "192.0.2.7") as elsewhere:
        await elsewhere.post("/generate", json=PROMPT, headers={"X-Client": "a" * 100})
    assert await client() == f"192.0.2.7 {'a' * 90}"


async def test_the_gallery_gives_a_browser_a_session_that_no_script_reads(web: httpx.AsyncClient) -> None:
    first = (await web.get("/")).headers["set-cookie"]
    assert re.match(rf"{COOKIE}=[A-Za-z0-9_-]{{22}};", first)
    assert f"Max-Age={COOKIE_SECONDS}" in first
    for word in ("HttpOnly", "Path=/", "SameSite=lax"):
        assert word in first
    assert "Secure" not in first
    assert "set-cookie" not in (await web.get("/")).headers, "it is kept"
    await web.post("/jobs", data=PROMPT)
    assert await client() == web.cookies[COOKIE]


async def test_over_https_the_session_stays_there(web: httpx.AsyncClient) -> None:
    assert "Secure" in (await web.get("https://darkroom.test/")).headers["set-cookie"]


async def test_where_visitors_come_by_https_through_a_proxy_the_session_stays_there(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "settings", settings.model_copy(update={"public_url": "https://darkroom.test"}))
    assert "Secure" in (await web.get("/")).headers["set-cookie"]


async def test_a_header_goes_before_the_session(web: httpx.AsyncClient) -> None:
    web.cookies.set(COOKIE, SESSION)
    await web.post("/generate", json=PROMPT, headers={"X-Client": "a-program"})
    assert await client() == "a-program"


@pytest.mark.parametrize("nonsense", ["", "short", "x" * 23, "x" * 3000, "semi%3Bcolon%20and%20so%20on"])
async def test_a_session_that_is_none_of_ours_is_given_anew(web: httpx.AsyncClient, nonsense: str) -> None:
    headers = {"Cookie": f"{COOKIE}={nonsense}"}
    assert (await web.post("/jobs", data=PROMPT, headers=headers)).status_code == 303
    assert await client() == ""
    assert COOKIE in (await web.get("/", headers=headers)).headers["set-cookie"]


@pytest.mark.parametrize(
    ("proxies", "known_as"), [("", "10.1.2.3"), ("10.0.0.1", "10.1.2.3"), ("10.0.0.1, 10.1.0.0/16", "198.51.100.9")]
)
async def test_an_address_that_is_passed_on_is_believed_from_proxies_that_the_operator_names_alone(
    monkeypatch: pytest.MonkeyPatch, proxies: str, known_as: str
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    seen: list[tuple[str, str]] = []

    async def app(scope: dict[str, Any], receive: object, send: object) -> None:
        seen.append((scope["client"][0], scope["state"][direct_peer.KEY]))

    headers = [(b"x-forwarded-for", b"198.51.100.9")]
    scope = {"type": "http", "client": ("10.1.2.3", 50000), "scheme": "http", "headers": headers}
    await direct_peer.NotedPeer(app, proxies)(scope, None, None)
    assert seen == [(known_as, "10.1.2.3")]


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/composer", "/?q=on:1999"])
async def test_what_is_no_page_of_the_gallery_sets_no_cookie(web: httpx.AsyncClient, path: str) -> None:
    answer = await web.get(path, headers={"HX-Request": "true"})
    assert "set-cookie" not in answer.headers

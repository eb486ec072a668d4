"""Forms are accepted from our own pages and from programs."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tasks.jobs import lifecycle
from tasks.settings import settings
from webapp.app import create_app
from webapp.http import csrf

pytestmark = pytest.mark.once

FORM = {"prompt": "a fox in the snow"}
OURS = "http://darkroom.test"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": OURS},
        {"Origin": "http://Darkroom.test:80"},
        {"Origin": OURS, "Host": "darkroom.test:80"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    ],
)
async def test_our_own_pages_and_programs_are_let_through(web: httpx.AsyncClient, headers: dict[str, str]) -> None:
    assert (await web.post("/jobs", data=FORM, headers=headers)).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": OURS},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://darkroom.test.evil.example"},
        {"Origin": "http://darkroom.test:8080"},
        {"Origin": "http://darkroom.test@evil.example"},
        {"Origin": ""},
        {"Origin": "darkroom.test"},
        {"Origin": "http://[::1"},
        {"Origin": "http://\u2100.example".encode()},
        {"Origin": b"\xff\xfe"},
        {"Origin": "http://" + "x" * 5000},
    ],
)
@pytest.mark.parametrize("path", ["/jobs", "/generate"])
async def test_pages_of_other_sites_are_refused(web: httpx.AsyncClient, headers: dict[str, Any], path: str) -> None:
    answer = await web.post(path, data=FORM, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")


LINK = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/", "/docs", "/schema/openapi.json"])
async def test_links_from_other_sites_are_followed(web: httpx.AsyncClient, site: str, path: str) -> None:
    assert (await web.get(path, headers=LINK | {"Sec-Fetch-Site": site})).status_code == 200
    assert (await web.head(path, headers=LINK | {"Sec-Fetch-Site": site})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Dest": "embed"},
        {"Sec-Fetch-Mode": ""},
        {"Sec-Fetch-Site": "nonsense", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Dest": "video"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/?prompt={a|b}", "/compare", "/events", "/media/a.png", "/healthz", "/nothing"])
async def test_other_sites_pages_embed_nothing_of_ours(
    web: httpx.AsyncClient, headers: dict[str, str], path: str
) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        answer = await web.request(method, path, headers=LINK | headers)
        assert answer.status_code == 403
        assert method == "HEAD" or answer.json()["code"] == "cross_site"


@pytest.mark.parametrize("site", ["same-origin", "none"])
async def test_our_own_pages_embed_what_they_like(web: httpx.AsyncClient, site: str) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    assert (await web.get("/static/favicon.svg", headers=headers)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/static/favicon.svg", "/nothing", "/healthz"])
async def test_browsers_are_told_to_give_our_answers_to_our_own_pages_alone(web: httpx.AsyncClient, path: str) -> None:
    assert (await web.get(path)).headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize("route", create_app().routes, ids=lambda route: route.path)
async def test_whoever_calls_us_by_anothers_name_hears_nothing(web: httpx.AsyncClient, route: Any) -> None:
    for method in route.methods:
        answer = await web.request(method, route.path, headers={"Host": "evil.example"})
        assert answer.status_code == 421
        assert method == "HEAD" or '"code":"wrong_host"' in answer.text


async def test_anothers_name_leads_nowhere_where_there_is_nothing_either(web: httpx.AsyncClient) -> None:
    answer = await web.get("/nothing", headers={"Host": "evil.example:8000", "Accept": "text/html"})
    assert answer.status_code == 421
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "not known as evil.example" in answer.text


async def test_a_request_has_one_host(web: httpx.AsyncClient) -> None:
    answer = await web.get("/", headers=[("Host", "darkroom.test"), ("Host", "darkroom.test")])
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_host")


async def test_behind_a_proxy_the_public_url_counts_as_ours(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csrf, "settings", settings.model_copy(update={"public_url": "https://pictures.example"}))
    assert (await web.post("/jobs", data=FORM, headers={"Origin": "https://pictures.example"})).status_code == 303


async def test_a_form_that_comes_from_nonsense_leads_to_the_gallery(web: httpx.AsyncClient) -> None:
    job = await lifecycle.submit("a fox", "m/m", {})
    sent = {"Accept": "text/html", "Referer": "http://[::1"}
    answer = await web.post(f"/selection?job={job.id}", data={"action": "favorite:yes"}, headers=sent)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


async def test_behind_a_proxy_forms_lead_back_to_their_page(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csrf, "settings", settings.model_copy(update={"public_url": "https://pictures.example"}))
    job = await lifecycle.submit("a fox", "m/m", {})
    page = f"https://pictures.example/jobs/{job.id}"
    sent = {"Accept": "text/html", "Origin": "https://pictures.example", "Referer": page}
    answer = await web.post(f"/selection?job={job.id}", data={"action": "favorite:yes"}, headers=sent)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/jobs/{job.id}")


# Behind a proxy that requests another host, while PUBLIC_URL is not set.

PROXIED = {"Origin": "https://pictures.example"}


@pytest.mark.parametrize(
    "headers", [{"Accept": "text/html"}, {"Accept": "text/html", "HX-Request": "true"}, {"Accept": "application/json"}]
)
async def test_visitors_are_told_what_the_operator_has_to_do(web: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await web.post("/jobs", data=FORM, headers=PROXIED | headers)
    assert answer.status_code == 403
    assert "the operator must set PUBLIC_URL to the address in the browser" in answer.text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
async def test_what_a_browser_knows_to_be_another_site_hears_nothing_of_proxies(
    web: httpx.AsyncClient, site: str
) -> None:
    answer = await web.post("/jobs", data=FORM, headers=PROXIED | {"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    assert "PUBLIC_URL" not in answer.text


async def test_the_log_says_once_what_the_operator_has_to_do(fresh: httpx.AsyncClient, caplog: Any) -> None:
    for _ in range(2):
        assert (await fresh.post("/jobs", data=FORM, headers=PROXIED)).status_code == 403
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    for words in ("'https://pictures.example'", "'darkroom.test'", "PUBLIC_URL"):
        assert words in record.getMessage()


async def test_the_log_holds_little_of_what_a_stranger_says(fresh: httpx.AsyncClient, caplog: Any) -> None:
    headers: dict[str, Any] = {"Origin": "http://é\x1b".encode() + b"x" * 5000}
    assert (await fresh.post("/jobs", data=FORM, headers=headers)).status_code == 403
    (record,) = caplog.records
    assert record.getMessage().isascii()
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) < 800


@pytest.mark.parametrize("nonsense", ["null", "", "http://[::1", "nonsense"])
async def test_the_log_says_nothing_of_nonsense(fresh: httpx.AsyncClient, nonsense: str, caplog: Any) -> None:
    assert (await fresh.post("/jobs", data=FORM, headers={"Origin": nonsense})).status_code == 403
    assert caplog.records == []


@pytest.fixture
async def fresh() -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of an application that has refused nothing yet.

    The application is not started, because a refusal needs no database.
    """
    transport = httpx.ASGITransport(app=create_app())  # type: ignore[arg-type]  # Litestar's names for the same types
    async with httpx.AsyncClient(transport=transport, base_url=OURS) as client:
        yield client

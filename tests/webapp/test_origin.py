"""Forms are taken from our own pages, and from programs."""

import httpx
import pytest

from tasks.settings import settings
from webapp import origin

FORM = {"prompt": "a fox in the snow"}
OURS = "http://darkroom.test"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": OURS},
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
    ],
)
@pytest.mark.parametrize("path", ["/jobs", "/generate"])
async def test_pages_of_other_sites_are_refused(web: httpx.AsyncClient, headers: dict[str, str], path: str) -> None:
    answer = await web.post(path, data=FORM, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")


async def test_links_from_other_sites_are_followed(web: httpx.AsyncClient) -> None:
    assert (await web.get("/", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 200


async def test_behind_a_proxy_the_public_url_counts_as_ours(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(origin, "settings", settings.model_copy(update={"public_url": "https://pictures.example"}))
    assert (await web.post("/jobs", data=FORM, headers={"Origin": "https://pictures.example"})).status_code == 303

"""The menu of how prints and pages look: its form, the cookie that keeps it, and the pages that follow it."""

from collections.abc import Iterator

import httpx
import pytest

from tests import factories
from webapp.render.appearance import COOKIE

CHOSEN = {"size": "xl", "layout": "list", "theme": "light"}


@pytest.fixture(autouse=True)
def new_browser(web: httpx.AsyncClient) -> Iterator[None]:
    web.cookies.clear()
    yield
    web.cookies.clear()  # tests share the client


async def test_what_is_chosen_is_kept_and_leads_back_to_the_page(web: httpx.AsyncClient) -> None:
    before = {"Referer": f"{web.base_url}/?q=fox"}
    answer = await web.post("/view", data=CHOSEN, headers=before)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/?q=fox")
    assert answer.cookies[COOKIE] == "xl.list.light"
    page = (await web.get("/")).text
    assert '<html lang="en" data-size="xl" data-layout="list" data-theme="light">' in page
    assert '<meta name="color-scheme" content="light">' in page
    assert all(
        f'id="view-{name}-{value}" name="{name}" value="{value}" autocomplete="off" checked' in page
        for name, value in CHOSEN.items()
    )
    assert 'data-theme="light"' in (await web.get("/nowhere", headers={"Accept": "text/html"})).text


@pytest.mark.parametrize("changed", [{"size": "xxl"}, {"layout": ""}, {"theme": "sepia"}])
async def test_what_is_not_offered_is_refused(web: httpx.AsyncClient, changed: dict[str, str]) -> None:
    answer = await web.post("/view", data=CHOSEN | changed)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert COOKIE not in answer.cookies
    assert (await web.post("/view", data={"size": "m"})).status_code == 422


@pytest.mark.parametrize("cookie", ["", "xl", "xl.list.sepia", "xl.list.light.more", "<b>.list.dark"])
async def test_a_cookie_that_is_not_ours_changes_nothing(web: httpx.AsyncClient, cookie: str) -> None:
    page = (await web.get("/", headers={"Cookie": f"a=b; {COOKIE}={cookie}; c=d"})).text
    assert '<html lang="en" data-size="m" data-layout="rows" data-theme="system">' in page


async def test_one_browser_does_not_see_what_another_has_chosen(web: httpx.AsyncClient) -> None:
    assert 'data-theme="dark"' in (await web.get("/", headers={"Cookie": f"{COOKIE}=m.rows.dark"})).text
    assert 'data-theme="system"' in (await web.get("/")).text


async def test_the_columns_of_the_list_sort_the_same_search(web: httpx.AsyncClient) -> None:
    await factories.completed("a fox")
    as_list = {"Cookie": f"{COOKIE}=m.list.system"}
    assert 'id="list-head"' not in (await web.get("/")).text
    newest = (await web.get("/?q=fox", headers=as_list)).text
    assert '<a id="list-by-oldest" href="/?q=fox&amp;sort=oldest"' in newest
    assert '<a id="list-by-favorites" href="/?q=fox&amp;sort=favorites"' in newest
    oldest = (await web.get("/?q=fox&sort=oldest", headers=as_list)).text
    assert '<a id="list-by-newest" href="/?q=fox"' in oldest
    assert 'aria-current="true">Created ↑' not in newest

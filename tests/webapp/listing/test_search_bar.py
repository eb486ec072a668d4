"""The search bar: searching, sorting and jumping with plain links and forms, and the fragments for htmx."""

import re
from html import unescape
from typing import Any
from uuid import UUID

import httpx
import pytest

from tasks.accounts.actors import Role
from tasks.curation import saved_searches
from tasks.db.database import now
from tasks.db.tables import Job
from tasks.jobs import lifecycle
from tests import factories
from tests.webapp.browsers import PAGES
from webapp.listing.query import PAGE
from webapp.render.numbers import figures

HTMX = {"HX-Request": "true", "HX-Target": "form#search-bar-form"}


def card_ids(html: str) -> list[str]:
    return re.findall(r'<article id="job-([0-9a-f-]{36})"', html)


def links(html: str) -> dict[str, str]:
    """Return the addresses of the links, by their label or text."""
    found = re.findall(r'<a [^>]*?href="([^"]+)"([^>]*)>(.*?)</a>', html, re.S)
    named = {re.search(r'aria-label="([^"]+)"', more) or text: href for href, more, text in found}
    return {
        unescape(name[1] if isinstance(name, re.Match) else re.sub(r"<[^>]+>", "", name)).strip(): unescape(href)
        for name, href in named.items()
    }


async def submitted(prompt: str, **more: Any) -> str:
    job = await lifecycle.submit(prompt, "m/m", {})
    if more:
        changes: dict[Any, Any] = more
        await Job.update(changes).where(Job.id == job.id)
    return str(job.id)


async def test_what_is_searched_for_is_shown_and_stays_in_the_box(web: httpx.AsyncClient) -> None:
    fox = await submitted("a fox")
    await submitted("an owl")
    page = await web.get("/", params={"q": 'fox -"red owl"'})
    assert card_ids(page.text) == [fox]
    assert 'value="fox -&#34;red owl&#34;"' in page.text
    assert "1 print<" in page.text


async def test_each_term_has_a_chip_that_takes_it_out(web: httpx.AsyncClient) -> None:
    await submitted("a fox", favorite=True)
    page = await web.get("/", params={"q": "fox fav:yes", "sort": "oldest"})
    found = links(page.text)
    assert found["Remove fox"] == "/?q=fav%3Ayes&sort=oldest"
    assert found["Remove fav:yes"] == "/?q=fox&sort=oldest"
    assert found["Clear"] == "/?sort=oldest"


@pytest.mark.parametrize(
    ("sort", "order"), [("newest", [2, 1, 0]), ("oldest", [0, 1, 2]), ("favorites", [1, 2, 0]), ("", [2, 1, 0])]
)
async def test_prints_are_sorted_as_asked_for(web: httpx.AsyncClient, sort: str, order: list[int]) -> None:
    ids = [await submitted(f"fox {number}", favorite=number == 1) for number in range(3)]
    page = await web.get("/", params={"q": "fox", "sort": sort})
    assert card_ids(page.text) == [ids[number] for number in order]
    assert f'data-sort="{sort or "newest"}"' in page.text, "only there new prints have a place"


async def test_more_of_what_was_found_is_a_link_away_and_keeps_the_search(web: httpx.AsyncClient) -> None:
    ids = [await submitted(f"fox {number}") for number in range(PAGE + 2)]
    first = await web.get("/", params={"q": "fox", "sort": "oldest"})
    further = await web.get(links(first.text)["More prints"])
    assert card_ids(first.text) + card_ids(further.text) == ids
    assert links(further.text)["Back to the oldest"] == "/?q=fox&sort=oldest"


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
async def test_what_is_wrong_with_a_search_is_explained_and_what_was_typed_is_kept(
    web: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    await submitted("a fox")
    page = await web.get("/", params={"q": "fox <b> status:tired"}, headers=headers)
    assert page.status_code == 200
    assert "&#34;status:&#34; must be one of queued, running" in page.text
    assert 'value="fox &lt;b&gt; status:tired"' in page.text
    assert card_ids(page.text) == []
    assert ("Invalid search." in page.text) == (not headers), "htmx leaves the prints that are there"
    assert links(page.text)["Clear"] == "/"


@pytest.mark.parametrize("query", ["sort=best", "cursor=nonsense", "until=nonsense", "at=nonsense"])
async def test_an_order_or_a_place_that_there_is_not_is_explained(web: httpx.AsyncClient, query: str) -> None:
    page = await web.get(f"/?{query}")
    assert page.status_code == 200
    assert 'id="search-bar-faults"' in page.text


async def test_nothing_found_says_so_with_a_way_out(web: httpx.AsyncClient) -> None:
    page = await web.get("/?q=zebra")
    assert "Nothing found." in page.text
    assert links(page.text)["clear the search"] == "/"
    assert "The trash is empty." in (await web.get("/?q=in:trash")).text


async def test_htmx_gets_the_search_bar_the_prints_and_their_stream(web: httpx.AsyncClient) -> None:
    fox = await submitted("a fox")
    answer = await web.get("/", params={"q": "fox", "sort": "oldest"}, headers=HTMX)
    replaced = re.findall(r'<hx-partial hx-target="(#[\w-]+)"', answer.text)
    assert replaced == ["#search-bar", "#live", "#timeline", "#prints"]
    assert card_ids(answer.text) == [fox]
    assert 'data-address="/?q=fox&amp;sort=oldest"' in answer.text
    assert re.search(r'hx-sse:connect="/events\?since=[^"]+&amp;q=fox&amp;sort=oldest"', answer.text)
    assert "<!doctype" not in answer.text


async def test_what_a_search_finds_is_counted_anew(web: httpx.AsyncClient) -> None:
    await submitted("a fox")
    page = await web.get("/?q=fox&sort=oldest")
    [address] = re.findall(r'<span id="search-bar-count"[^>]* hx-get="([^"]+)"', page.text)
    await submitted("a red fox")
    answer = await web.get(unescape(address))
    assert answer.text == "2 prints"
    assert (await web.get("/searches/count?q=status:tired")).status_code == 422


async def test_a_search_is_saved_listed_and_forgotten_by_forms(web: httpx.AsyncClient) -> None:
    answer = await web.post("/searches", data={"name": "My <foxes>", "q": "fox fav:yes"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/?q=fox+fav%3Ayes")
    page = await web.get("/")
    assert links(page.text)["My <foxes>"] == "/?q=fox+fav%3Ayes"
    [search] = await saved_searches.saved()
    back = await web.post(
        f"/searches/{search.id}/delete", headers={"Referer": "http://darkroom.test/?q=fox", "Host": "darkroom.test"}
    )
    assert (back.status_code, back.headers["location"]) == (303, "/?q=fox")
    assert await saved_searches.saved() == []


async def test_a_search_is_saved_with_its_order(web: httpx.AsyncClient) -> None:
    page = await web.get("/?q=fox&sort=favorites")
    [form] = re.findall(r'<form class="search-bar-save".*?</form>', page.text, re.S)
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="(\w+)">', form))
    answer = await web.post("/searches", data=fields | {"name": "Foxes"})
    assert answer.headers["location"] == "/?q=fox&sort=favorites"
    assert links((await web.get("/")).text)["Foxes"] == "/?q=fox&sort=favorites"


async def test_htmx_gets_the_search_bar_of_its_page_when_a_search_was_saved(web: httpx.AsyncClient) -> None:
    headers = HTMX | {"HX-Current-URL": "http://darkroom.test/?q=fox&sort=oldest"}
    answer = await web.post("/searches", data={"name": "Foxes", "q": "fox"}, headers=headers)
    assert re.findall(r'<hx-partial hx-target="(#[\w-]+)"', answer.text) == ["#search-bar"]
    assert 'data-address="/?q=fox&amp;sort=oldest"' in answer.text
    assert links(answer.text)["Foxes"] == "/?q=fox"


@pytest.mark.parametrize(
    "form",
    [
        {"name": "", "q": "fox"},
        {"name": "x", "q": ""},
        {"name": "x", "q": "a:b"},
        {"name": "x", "q": "fox", "sort": "best"},
        {},
    ],
)
async def test_a_search_that_cannot_be_saved_is_refused(web: httpx.AsyncClient, form: dict[str, str]) -> None:
    assert (await web.post("/searches", data=form)).status_code == 422
    assert await saved_searches.saved() == []


async def test_what_filters_and_selects_comes_with_the_fifth_print(web: httpx.AsyncClient) -> None:
    few = 'class="search-bar" data-few="5"'
    assert few in (await web.get("/")).text
    for number in range(4):
        await submitted(f"fox {number}")
    await submitted("fox", trashed_at=now())
    assert few in (await web.get("/")).text
    assert few not in (await web.get("/?q=fox")).text, "what is searched for can be changed"
    await submitted("a fox")
    assert few not in (await web.get("/")).text


async def test_a_job_of_another_search_is_not_on_the_page(web: httpx.AsyncClient) -> None:
    trashed = await submitted("a fox", trashed_at=now())
    assert trashed not in (await web.get("/?q=fox")).text
    assert card_ids((await web.get("/?q=in:trash")).text) == [str(UUID(trashed))]


def test_a_number_of_prints_that_is_not_known_exactly_has_a_plus() -> None:
    assert [figures(number) for number in (0, 318, 10_000, 10_001)] == ["0", "318", "10,000", "10,000+"]


async def test_who_makes_prints_is_led_to_their_own(web: httpx.AsyncClient) -> None:
    assert "Mine" not in links((await web.get("/")).text)
    anna, vic = await factories.person(), await factories.person("vic", Role.VIEWER)
    page = (await web.get("/?q=fox", headers=PAGES | await factories.session_of(anna))).text
    mine = links(page)["Mine"]
    assert mine == "/?q=fox+by%3Aanna"
    assert "Mine" not in links((await web.get(mine, headers=PAGES | await factories.session_of(anna))).text)
    assert "Mine" not in links((await web.get("/", headers=PAGES | await factories.session_of(vic))).text)

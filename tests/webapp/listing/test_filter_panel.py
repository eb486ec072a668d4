"""The filter panel: what it offers for a search, and where its links lead."""

import re
from html import unescape
from typing import Any

import httpx
import pytest

from tasks.accounts.actors import Role
from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Job, JobTag
from tests import factories
from tests.webapp.listing.test_search_bar import HTMX
from webapp.listing.filter_panel import MAX_VALUES, written


async def made(model: str = "m/fox", tags: tuple[str, ...] = (), **more: Any) -> None:
    job = Job(prompt="a fox", model=model, created_at=now(), changed_at=now(), due_at=now(), **more)
    await job.save()
    if tags:
        await JobTag.insert(*(JobTag(id=ids.new(), job=job.id, name=name) for name in tags))


@pytest.fixture
async def library(empty: None) -> None:
    await made("black-forest-labs/flux-schnell", ("cat",), kind="image", status="completed", rating=5, favorite=True)
    await made("black-forest-labs/flux-pro", ("far away",), kind="image", status="completed", rating=3)
    await made("meta/musicgen", kind="audio", status="completed")
    await made("meta/musicgen", status="failed")


async def panel(web: httpx.AsyncClient, q: str = "", **more: str) -> dict[str, str]:
    """Return the addresses that the panel's links lead to, decoded, by their words."""
    answer = await web.get("/searches/filter", params={"q": q, **more}, headers=HTMX)
    assert answer.status_code == 200
    links = re.findall(r'<a class="filter-value"[^>]* href="([^"]*)"[^>]*>(.*?)</a>', answer.text)
    return {
        re.sub(r"<[^>]+>", "", words): str(httpx.URL(unescape(address)).params.get("q", "")) for address, words in links
    }


async def test_each_value_leads_to_the_search_with_it(web: httpx.AsyncClient, library: None) -> None:
    found = await panel(web)
    this_month = f"{now():%Y-%m}"
    assert found == {
        "Pictures 2 prints": "kind:image",
        "Audio 1 print": "kind:audio",
        "musicgen 2 prints": "model:musicgen",
        "flux-pro 1 print": "model:flux-pro",
        "flux-schnell 1 print": "model:flux-schnell",
        "cat 1 print": "tag:cat",
        "far away 1 print": 'tag:"far away"',
        "Favorites 1 print": "fav:yes",
        "5 stars 1 print": "rating:5",
        "4 stars or more 1 print": "rating:>=4",
        "3 stars or more 2 prints": "rating:>=3",
        "2 stars or more 2 prints": "rating:>=2",
        "1 star or more 2 prints": "rating:>=1",
        f"{now():%Y} 4 prints": f"on:{now():%Y}",
        f"{now():%b %Y} 4 prints": f"on:{this_month}",
        "Completed 3 prints": "status:completed",
        "Failed 1 print": "status:failed",
    }


async def test_values_of_one_field_are_joined_and_taken_out_again(web: httpx.AsyncClient, library: None) -> None:
    found = await panel(web, "fox kind:image -tag:dog status:completed")
    assert found["Remove Pictures 2 prints"] == "fox -tag:dog status:completed"
    assert found["Audio 1 print"] == "fox kind:image,audio -tag:dog status:completed"
    assert found["cat 1 print"] == "fox kind:image -tag:dog status:completed tag:cat"
    both = await panel(web, "kind:image,audio fox")
    assert both["Remove Pictures 2 prints"] == "kind:audio fox"


async def test_ratings_which_include_one_another_take_each_others_place(web: httpx.AsyncClient, library: None) -> None:
    found = await panel(web, "rating:>=3")
    assert found["5 stars 1 print"] == "rating:5"
    assert found["Remove 3 stars or more 2 prints"] == ""
    assert found["Favorites 1 print"] == "rating:>=3 fav:yes"
    assert (await panel(web, "fox is:favorite"))["Remove Favorites 1 print"] == "fox"
    assert (await panel(web, "fav:1"))["Remove Favorites 1 print"] == ""
    assert (await panel(web, "fav:no"))["Favorites 1 print"] == "fav:yes"


async def test_a_part_of_a_models_name_marks_every_model_that_it_finds(web: httpx.AsyncClient, library: None) -> None:
    found = await panel(web, "model:flux")
    assert found["Remove flux-pro 1 print"] == ""
    assert found["Remove flux-schnell 1 print"] == ""
    assert found["musicgen 2 prints"] == "model:flux,musicgen"


def test_a_model_is_written_so_that_it_finds_no_other() -> None:
    models = ["a/flux", "a/flux-pro", "b/sdxl", "bare"]
    assert [written(model, models) for model in models] == ["a/flux", "flux-pro", "sdxl", "bare"]


async def test_the_order_stays_and_the_place_does_not(web: httpx.AsyncClient, library: None) -> None:
    answer = await web.get("/searches/filter", params={"sort": "oldest"}, headers=HTMX)
    assert 'href="/?q=tag%3Acat&amp;sort=oldest"' in answer.text


async def test_more_than_eight_values_are_behind_a_fold_but_none_that_is_chosen(web: httpx.AsyncClient) -> None:
    for number in range(11):
        await made(tags=tuple(f"tag {number:02}" for number in range(number, 11)))
    answer = await web.get("/searches/filter", params={"q": 'tag:"tag 00"'}, headers=HTMX)
    sight, fold = answer.text.split('<details class="filter-more" id="filter-more-tag">')
    assert len(re.findall('id="filter-tag-', sight)) == MAX_VALUES
    assert 'id="filter-tag-tag%2000"' in sight, "that of the fewest prints"
    assert ">3 more<" in fold
    assert len(re.findall('id="filter-tag-', fold)) == 3


async def test_people_are_listed_where_there_are_people(web: httpx.AsyncClient, library: None) -> None:
    anna = await factories.with_password("anna", Role.ADMIN)
    await made(owner=anna.id)
    answer = await web.get("/searches/filter", headers=HTMX | await factories.session_of(anna))
    assert 'href="/?q=by%3Aanna"' in answer.text


async def test_without_htmx_it_is_a_page_that_leads_back(web: httpx.AsyncClient, library: None) -> None:
    page = await web.get("/searches/filter", params={"q": "fox", "sort": "oldest"})
    assert "<!doctype html>" in page.text
    assert 'href="/?q=fox&amp;sort=oldest"' in page.text
    assert 'href="/?q=fox+tag%3Acat&amp;sort=oldest"' in page.text


async def test_an_unclear_search_is_refused_and_an_empty_library_has_nothing(web: httpx.AsyncClient) -> None:
    assert (await web.get("/searches/filter", params={"q": "status:tired"})).status_code == 422
    assert "There is nothing to filter by." in (await web.get("/searches/filter")).text

"""A page that has not changed is not sent again."""

import httpx
import pytest

from tasks.curation import edits
from tasks.jobs import lifecycle
from tests.factories import completed


async def test_a_page_that_has_not_changed_is_not_sent_again(web: httpx.AsyncClient) -> None:
    job = await completed()
    for path in ("/", f"/jobs/{job.id}"):
        first = await web.get(path)
        again = await web.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b""), path
        assert again.headers["etag"] == first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"


async def test_a_page_that_has_changed_is(web: httpx.AsyncClient) -> None:
    first = await web.get("/")
    await lifecycle.submit("a new fox", "stability-ai/sdxl", {})
    again = await web.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 200
    assert "a new fox" in again.text


async def test_a_piece_of_a_page_is_not_taken_for_the_page(web: httpx.AsyncClient) -> None:
    page = await web.get("/")
    piece = await web.get("/", headers={"HX-Request": "true", "If-None-Match": page.headers["etag"]})
    assert piece.status_code == 200
    assert "etag" not in piece.headers
    for answer in (page, piece):
        assert "HX-Request" in answer.headers["vary"]


async def test_a_program_that_polls_is_not_sent_what_it_has(web: httpx.AsyncClient) -> None:
    job = await lifecycle.submit("a polled fox", "stability-ai/sdxl", {})
    for path in (f"/status/{job.id}", "/jobs.json?q=polled"):
        first = await web.get(path)
        again = await web.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert again.headers["cache-control"] == first.headers["cache-control"] == "private, no-cache"
        assert again.headers.get("retry-after") == first.headers.get("retry-after")
        assert (await web.get(path, headers={"If-None-Match": '"another"'})).json() == first.json()
    before = await web.get(f"/status/{job.id}")
    await lifecycle.cancel(job.id)
    after = await web.get(f"/status/{job.id}", headers={"If-None-Match": before.headers["etag"]})
    assert (after.status_code, after.json()["status"]) == (200, "canceled")


@pytest.mark.parametrize("path", ["/", "/docs", "/composer", "/schema/openapi.json", "/nothing", "/readyz"])
async def test_what_may_be_compressed_says_so_whether_it_is_or_not(web: httpx.AsyncClient, path: str) -> None:
    for coding in ("br", "gzip", "identity"):
        answer = await web.get(path, headers={"Accept-Encoding": coding})
        assert answer.headers["vary"].lower().count("accept-encoding") == 1, coding


async def test_an_error_says_that_it_depends_on_what_is_accepted(web: httpx.AsyncClient) -> None:
    for accept, kind in (("text/html", "text/html"), ("application/json", "application/problem+json")):
        answer = await web.get("/jobs/nothing", headers={"Accept": accept})
        assert answer.headers["content-type"].startswith(kind)
        assert "Accept" in [name.strip() for name in answer.headers["vary"].split(",")]


async def test_what_is_a_page_for_people_is_json_for_programs(web: httpx.AsyncClient) -> None:
    job = await completed()
    await edits.collect(edits.by_ids([job.id]), "For the wall")
    batch = (await web.post("/batches", json={"prompt": "a {red|blue} fox"})).json()["batch_id"]
    await web.post("/searches", data={"name": "Foxes", "q": "fox", "sort": "oldest"})
    json_of = {}
    for path in (f"/jobs/{job.id}", f"/batches/{batch}", "/collections"):
        page = await web.get(path, headers={"Accept": "text/html,application/json;q=0.9"})
        answer = await web.get(path, headers={"Accept": "application/json"})
        for each in (page, answer):
            assert "Accept" in [name.strip() for name in each.headers["vary"].split(",")]
        assert page.headers["content-type"].startswith("text/html")
        json_of[path] = answer.json()
        again = await web.get(path, headers={"Accept": "application/json", "If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
    assert json_of[f"/jobs/{job.id}"] == (await web.get(f"/status/{job.id}")).json()
    assert json_of[f"/batches/{batch}"] == (await web.get(f"/batches/{batch}.json")).json()
    assert json_of["/collections"] == {"collections": [{"name": "For the wall", "jobs": 1}]}
    assert json_of["/collections"] == (await web.get("/collections.json")).json()
    searches = (await web.get("/searches")).json()
    assert searches == {"searches": [{"name": "Foxes", "q": "fox", "sort": "oldest"}]}

"""A page that has not changed is not sent again."""

import httpx

from tasks.jobs import lifecycle
from tests.webapp.made import completed


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
    assert "HX-Request" in page.headers["vary"]

"""GET /jobs.json: the results of a search, page by page."""

import re

import httpx
import pytest

from tasks.jobs import lifecycle
from tests.factories import completed


async def test_a_program_follows_the_links_through_all_that_its_search_finds(web: httpx.AsyncClient) -> None:
    ids = [str((await lifecycle.submit(f"fox {number}", "m/m", {})).id) for number in range(5)]
    await lifecycle.submit("an owl", "m/m", {})
    found, address = [], "/jobs.json?q=fox&sort=oldest&limit=2"
    while address:
        answer = await web.get(address)
        assert answer.status_code == 200
        found += [job["job_id"] for job in answer.json()["jobs"]]
        linked = re.fullmatch(r'<([^>]+)>; rel="next"', answer.headers.get("link", ""))
        address = answer.json().get("next", "")
        assert address == (linked[1] if linked else "")
    assert found == ids


async def test_a_job_has_the_shape_that_it_has_everywhere(web: httpx.AsyncClient) -> None:
    job = await completed()
    [listed] = (await web.get("/jobs.json")).json()["jobs"]
    assert listed == (await web.get(f"/status/{job.id}")).json()


async def test_nothing_found_is_an_empty_page(web: httpx.AsyncClient) -> None:
    answer = await web.get("/jobs.json", params={"q": "zebra"})
    assert answer.json() == {"jobs": []}
    assert "link" not in answer.headers


@pytest.mark.parametrize(
    ("query", "code", "pointers"),
    [
        ({"q": "status:tired colour:red"}, "invalid_query", ["#/q", "#/q"]),
        ({"q": "a\x00b"}, "invalid_query", ["#/q"]),
        ({"sort": "best"}, "invalid_query", ["#/sort"]),
        ({"cursor": "nonsense"}, "invalid_cursor", ["#/cursor"]),
        ({"limit": "0"}, "invalid_query", ["#/limit"]),
        ({"limit": "201"}, "invalid_query", ["#/limit"]),
        ({"limit": "many"}, "invalid_query", ["#/limit"]),
    ],
)
async def test_what_is_wrong_with_a_query_is_told(
    web: httpx.AsyncClient, query: dict[str, str], code: str, pointers: list[str]
) -> None:
    answer = await web.get("/jobs.json", params=query)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers

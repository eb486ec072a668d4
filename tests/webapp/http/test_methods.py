"""The methods that OPTIONS and a 405 response list for an address."""

import re

import httpx
import pytest

from webapp.app import create_app

pytestmark = pytest.mark.once

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE")
SAMPLES = {"uuid": "019ab0c4-5d1e-7b36-9533-e50ac26d7632", "str": "019ab0c4-5d1e-7b36-9533-e50ac26d7632", "path": "x"}
PATHS = [re.sub(r"\{\w+:(\w+)\}", lambda kind: SAMPLES[kind[1]], route.path) for route in create_app().routes]
ACCEPT = {"programs": "application/json", "people": "text/html"}


@pytest.mark.parametrize("accept", ACCEPT.values(), ids=ACCEPT.keys())
@pytest.mark.parametrize("path", PATHS)
async def test_options_tells_what_is_taken_and_so_does_what_is_refused(
    web: httpx.AsyncClient, path: str, accept: str
) -> None:
    answer = await web.options(path, headers={"Accept": accept})
    assert (answer.status_code, answer.content) == (204, b"")
    told = set(answer.headers["allow"].split(", "))
    refused = [method for method in METHODS if method not in told]
    assert refused
    for method in refused:
        answer = await web.request(method, path, headers={"Accept": accept})
        assert answer.status_code == 405, f"{method} is taken, though OPTIONS does not say so"
        assert {*answer.headers["allow"].split(", "), "OPTIONS"} == told


async def test_there_is_an_address_for_what_is_said_of_jobs_undo_and_collections(web: httpx.AsyncClient) -> None:
    job = f"/jobs/{SAMPLES['str']}"
    assert (await web.options(job)).headers["allow"] == "GET, HEAD, OPTIONS, PATCH"
    assert (await web.options("/collections")).headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert (await web.options("/events")).headers["allow"] == "GET, OPTIONS"
    assert (await web.options("/nowhere")).status_code == 404

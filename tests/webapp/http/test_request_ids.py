"""Each request has an id, which is in its response, in what tells of a problem, and in the log."""

import io
import json
import logging
import re
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest

from tasks.db.tables import Job
from tests import factories
from tests.tasks import samples
from webapp.cli import logs

NEW = re.compile(r"[0-9a-f]{12}7[0-9a-f]{19}")
PAGE = {"Accept": "text/html"}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Yield what the application logs, as `darkroom web` writes it with LOG_FORMAT=json."""
    stream, ours = io.StringIO(), logging.getLogger("webapp")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.formatter("json"))
    ours.addHandler(handler)
    yield stream
    ours.removeHandler(handler)


async def broken_job() -> Job:
    """Return a job that cannot be shown: an internal error, whoever asks for it."""
    job = await factories.submitted()
    await Job.update({Job.parameters: "[7]"}).where(Job.id == job.id)
    return job


@pytest.mark.parametrize(
    ("method", "path", "status", "more"),
    [
        ("GET", "/", 200, {}),
        ("HEAD", "/healthz", 200, {}),
        ("GET", "/static/js/keys.js", 200, {}),
        ("GET", "/static/js/none.js", 404, {}),
        ("GET", "/schema/openapi.json", 200, {}),
        ("OPTIONS", "/generate", 204, {}),
        ("POST", "/batches/x/cancel", 404, {}),
        ("GET", "/nope", 404, {}),
        ("GET", "/nope", 404, {"headers": PAGE}),
        ("DELETE", "/generate", 405, {}),
        ("GET", "/status/x", 404, {}),
        ("GET", "/media/none.png", 404, {}),
        ("POST", "/generate", 422, {"json": {}}),
        ("POST", "/generate", 413, {"content": b" " * (2**20 + 1)}),
        ("GET", "/jobs.json?" + "&".join("a" * 1001), 400, {}),
        ("GET", "/", 421, {"headers": {"Host": "elsewhere.example"}}),
        ("POST", "/generate", 403, {"headers": {"Sec-Fetch-Site": "cross-site"}}),
        ("GET", "/people", 403, {}),
        ("POST", "/mcp", 400, {"content": b"{"}),
        ("GET", "/v1/models/none", 404, {}),
        ("GET", "/replicate/v1/predictions/none", 404, {}),
    ],
)
async def test_every_response_has_an_id(
    web: httpx.AsyncClient, standin: str, method: str, path: str, status: int, more: dict[str, object]
) -> None:
    answer = await web.request(method, path, **more)  # type: ignore[arg-type]
    assert answer.status_code == status, answer.text
    [own] = answer.headers.get_list("X-Request-ID")
    assert NEW.fullmatch(own)
    if answer.headers.get("content-type") == "application/problem+json":
        assert answer.json()["request_id"] == own
    again = await web.request(method, path, **more)  # type: ignore[arg-type]
    assert again.headers["X-Request-ID"] != own


async def test_a_stream_has_an_id(web: httpx.AsyncClient, standin: str) -> None:
    job = await factories.completed(content=samples.picture(8, 8))
    for path in (f"/media/{job.id}.png", f"/jobs/{job.id}/events", "/selection.zip?all=1"):
        async with web.stream("GET", path, headers={"X-Request-ID": "a"}) as answer:
            assert (answer.status_code, answer.headers["X-Request-ID"]) == (200, "a"), path


@pytest.mark.parametrize("given", ["a", "Edge-7:f_0.1", "x" * 128, UUID(int=7).hex, str(UUID(int=7))])
async def test_the_id_that_a_client_gives_is_kept(web: httpx.AsyncClient, given: str) -> None:
    answer = await web.get("/nope", headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"], answer.json()["request_id"]) == (given, given)


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"a b", b"a\tb", b"a+b", b"<b>", b"a,b", b'"a"', b"\xe9", b"a\x85"])
async def test_an_id_that_could_be_anything_is_replaced(web: httpx.AsyncClient, given: bytes) -> None:
    answer = await web.get("/nope", headers=[(b"X-Request-ID", given)])
    assert NEW.fullmatch(answer.headers["X-Request-ID"])


async def test_of_two_ids_neither_is_kept(web: httpx.AsyncClient) -> None:
    answer = await web.get("/nope", headers=[("X-Request-ID", "a"), ("X-Request-ID", "b")])
    assert NEW.fullmatch(answer.headers["X-Request-ID"])


@pytest.mark.parametrize("path", ["/", "/jobs.json", "/static/js/keys.js", "/docs", "/errors/queue_full"])
async def test_what_a_client_has_is_not_sent_again_because_of_the_id(web: httpx.AsyncClient, path: str) -> None:
    first = await web.get(path, headers={"X-Request-ID": "id-of-the-first"})
    second = await web.get(path, headers={"X-Request-ID": "second", "If-None-Match": first.headers["ETag"]})
    assert (second.status_code, second.headers["X-Request-ID"]) == (304, "second")
    assert "id-of-the-first" not in first.text


async def test_the_doors_of_other_apis_tell_of_problems_in_their_own_shapes(
    web: httpx.AsyncClient, standin: str
) -> None:
    for path in ("/v1/models/none", "/replicate/v1/predictions/none"):
        assert "request_id" not in (await web.get(path)).json()


async def test_an_internal_error_is_found_in_the_log_by_what_programs_and_people_are_told(
    web: httpx.AsyncClient, log: io.StringIO
) -> None:
    job = await broken_job()
    for_program = await web.get(f"/status/{job.id}", headers={"X-Request-ID": "of-a-program"})
    page = await web.get(f"/jobs/{job.id}", headers={**PAGE, "X-Request-ID": "of-a-person"})
    assert (for_program.status_code, for_program.json()["request_id"]) == (500, "of-a-program")
    assert page.status_code == 500
    assert "Quote this id to the operator: <code>of-a-person</code>" in page.text
    told = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [(each["request_id"], each["event"]) for each in told] == [
        ("of-a-program", f"GET /status/{job.id} failed"),
        ("of-a-person", f"GET /jobs/{job.id} failed"),
    ]
    assert all(each["exception"].startswith("Traceback") for each in told)


async def test_a_page_that_tells_what_the_visitor_can_mend_has_no_id(web: httpx.AsyncClient) -> None:
    page = await web.get("/nope", headers={**PAGE, "X-Request-ID": "of-a-person"})
    assert (page.status_code, "of-a-person" in page.text) == (404, False)

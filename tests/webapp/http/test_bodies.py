"""Bodies that are too large or have too many small parts: refused on every route, before they are read whole."""

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import httpx
import pytest
from litestar.handlers.http_handlers import HTTPRouteHandler

from tasks.accounts.actors import Role
from tasks.db.tables import Upload
from tests import factories
from tests.tasks.samples import picture
from tests.webapp.http.test_methods import PATHS
from webapp.app import create_app
from webapp.http.bodies import MAX_BODY_BYTES, MAX_QUERY_FIELDS
from webapp.http.forms import MAX_FIELDS, MAX_FILES, MAX_TEXT_BYTES, _of_text

pytestmark = pytest.mark.once

FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=x"

SAFE = ("GET", "HEAD", "OPTIONS")


class Pieces:
    """A body of unknown length. sent: the number of bytes that were requested of it."""

    def __init__(self, size: int, piece: bytes = b"a" * 65536) -> None:
        self.sent, self._size, self._piece = 0, size, piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.sent < self._size:
            self.sent += len(self._piece)
            yield self._piece


def part(name: str, content: bytes, file: str | None = None) -> bytes:
    """Return a part of a form, up to the next boundary x."""
    named = f'; filename="{file}"' if file else ""
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"


def _routes() -> list[tuple[str, str]]:
    routes = []
    for path, route in zip(PATHS, create_app().routes, strict=True):
        for handler in getattr(route, "route_handlers", []):
            assert isinstance(handler, HTTPRouteHandler)
            routes += [(str(method), path) for method in handler.http_methods if method not in SAFE]
    return routes


@pytest.mark.parametrize(("method", "path"), _routes())
async def test_a_body_that_says_it_is_too_large_is_refused_before_anything_is_done(
    web: httpx.AsyncClient, method: str, path: str
) -> None:
    body, admin = Pieces(2**30), await factories.session_of(await factories.person(role=Role.ADMIN))
    headers = {"Content-Length": str(2**30), "Content-Type": FORM, **admin}
    answer = await web.request(method, path, content=body, headers=headers)
    assert (answer.status_code, body.sent) == (413, 0)
    assert '"code":"body_too_large"' in answer.text


@pytest.mark.parametrize("path", ["/jobs", "/selection", "/uploads", "/searches", "/batches/count", "/selection.zip"])
@pytest.mark.parametrize("length", [{}, {"Content-Length": str(100 * 2**20)}], ids=["chunked", "declared"])
async def test_a_form_without_files_stays_small_however_it_is_sent(
    web: httpx.AsyncClient, path: str, length: dict[str, str]
) -> None:
    body = Pieces(100 * 2**20, b"a=1&" * 16384)
    answer = await web.post(path, content=body, headers={"Content-Type": FORM, **length})
    if path == "/uploads" and not length:
        assert answer.status_code == 415
    else:
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
        assert "1 MiB" in answer.json()["detail"]
    assert body.sent <= MAX_BODY_BYTES + 65536


@pytest.mark.parametrize(
    ("path", "content_type", "limit"),
    [
        ("/generate", "application/json", 2**20),
        ("/batches", "application/json", 2**20),
        ("/mcp", "application/json", 2**20),
        ("/imprint", "image/png", 20 * 2**20),
        ("/uploads", PARTS, 101 * 2**20),
    ],
)
async def test_bytes_are_counted_whoever_reads_them(
    web: httpx.AsyncClient, path: str, content_type: str, limit: int
) -> None:
    body = Pieces(200 * 2**20)
    answer = await web.post(path, content=body, headers={"Content-Type": content_type})
    assert answer.status_code == 413
    assert body.sent <= limit + 65536


async def test_people_are_told_in_a_page(web: httpx.AsyncClient) -> None:
    headers = {"Content-Type": FORM, "Accept": "text/html"}
    answer = await web.post("/jobs", content=Pieces(2 * MAX_BODY_BYTES), headers=headers)
    assert answer.status_code == 413
    assert "<!doctype html>" in answer.text
    assert "larger than 1 MiB" in answer.text


@pytest.mark.parametrize("length", ["-1", "1.5", "one", "9" * 30])
async def test_a_length_that_is_none_is_refused(web: httpx.AsyncClient, length: str) -> None:
    answer = await web.post("/jobs", content=Pieces(10), headers={"Content-Type": FORM, "Content-Length": length})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("path", ["/jobs", "/selection", "/collections", "/batches/count"])
async def test_fields_are_counted_before_they_are_taken_apart(web: httpx.AsyncClient, path: str) -> None:
    begun = time.thread_time()
    answer = await web.post(path, content=b"a&" * (MAX_BODY_BYTES // 2), headers={"Content-Type": FORM})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_fields")
    assert time.thread_time() - begun < 1


@pytest.mark.parametrize("shift", range(4))
async def test_long_texts_are_unquoted_as_short_ones(shift: int) -> None:
    value = "x" * shift + "ä+& %41" * 20_000
    fields = [("a", "1"), ("long", value), ("a", ""), ("ü", "+ "), ("b", "\ufffd")]
    body = urlencode(fields[:-1]) + "&&b=%ff"
    assert await _of_text(body.encode()) == {"a": ["1", ""], "long": [value], "ü": ["+ "], "b": ["\ufffd"]}


@pytest.mark.parametrize(
    "body", [b"a=" + b"%41" * 340_000, b"&".join([b"a=" + b"%30" * 33] * 10_000)], ids=["long", "many"]
)
async def test_others_have_their_turn_while_a_large_form_is_read(body: bytes) -> None:
    turns, reading = 0, asyncio.create_task(_of_text(body))
    while not reading.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > len(body) / 2**15


async def test_fields_of_an_address_are_counted_too(web: httpx.AsyncClient) -> None:
    answer = await web.get("/?" + "a&" * MAX_QUERY_FIELDS)
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_fields")
    assert (await web.get("/?" + "a&" * (MAX_QUERY_FIELDS - 1))).status_code == 200


@pytest.mark.parametrize("path", ["/jobs", "/uploads", "/selection", "/imprint"])
async def test_parts_are_counted(web: httpx.AsyncClient, path: str) -> None:
    parts = part("a", b"") * (MAX_FIELDS + 1) + b"--x--\r\n"
    answer = await web.post(path, content=parts, headers={"Content-Type": PARTS})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_fields")
    files = part("a", picture(9, 9), "a.png") * (MAX_FILES + 1) + b"--x--\r\n"
    answer = await web.post(path, content=files, headers={"Content-Type": PARTS})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_fields")
    assert await Upload.count() == 0


async def test_fields_among_files_may_not_hold_what_files_may(web: httpx.AsyncClient) -> None:
    body = part("a", b"a" * (MAX_TEXT_BYTES // 2)) + part("b", b"a" * (MAX_TEXT_BYTES // 2 + 1)) + b"--x--\r\n"
    answer = await web.post("/jobs", content=body, headers={"Content-Type": PARTS})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--x",
        b"no boundary",
        part("a", b"b"),
        part("a", b"\xff") + b"--x--\r\n",
        b"--x\r\n" + b"A" * 5000 + b": 1\r\n\r\n\r\n--x--\r\n",
        b"--x\r\n" + b"A: 1\r\n" * 9 + b"\r\n\r\n--x--\r\n",
        b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: a/b; charset=idna\r\n\r\n\xff\r\n--x--',
    ],
    ids=["empty", "begun", "none", "unended", "bytes", "long head", "many heads", "name", "charset"],
)
@pytest.mark.parametrize("path", ["/jobs", "/uploads", "/selection", "/collections", "/imprint", "/selection.zip"])
async def test_a_form_that_cannot_be_read_is_the_fault_of_who_sent_it(
    web: httpx.AsyncClient, path: str, body: bytes
) -> None:
    answer = await web.post(path, content=body, headers={"Content-Type": PARTS})
    assert answer.status_code in (400, 413), answer.text
    assert answer.json()["code"] in ("bad_request", "too_many_fields")
    assert (await web.post(path, content=body, headers={"Content-Type": "multipart/form-data"})).status_code == 400


async def test_a_form_by_parts_is_read_as_one_without(web: httpx.AsyncClient) -> None:
    body = part("prompt", "ein Füchslein".encode()) + part("model", b"stability-ai/sdxl") + b"--x--\r\nafterwards"
    answer = await web.post("/jobs", content=Pieces(len(body), body), headers={"Content-Type": PARTS})
    assert answer.status_code == 303
    assert "ein Füchslein" in (await web.get("/")).text


async def test_forms_are_not_remembered(web: httpx.AsyncClient) -> None:
    async def send(mark: int) -> None:
        content = b"%d=" % mark + b"a" * (MAX_BODY_BYTES - 10)
        await web.post("/batches/count", content=content, headers={"Content-Type": FORM})

    await send(0)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for mark in range(1, 11):
        await send(mark)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 3 * MAX_BODY_BYTES

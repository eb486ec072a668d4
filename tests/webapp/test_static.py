"""Styles and scripts: compressed once, kept by browsers, and nothing else is told from the disk."""

import gzip

import brotli
import httpx
import pytest

from tasks.settings import ROOT

CSS = "/static/css/base.css"
CONTENT = (ROOT / "static/css/base.css").read_bytes()


async def raw(web: httpx.AsyncClient, path: str, accepted: str, **headers: str) -> httpx.Response:
    """An answer with its bytes as they came."""
    async with web.stream("GET", path, headers={"Accept-Encoding": accepted, **headers}) as answer:
        answer._content = b"".join([piece async for piece in answer.aiter_raw()])
    return answer


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [("br, gzip", "br"), ("gzip, deflate", "gzip"), ("gzip;q=0.5, br;q=0", "gzip"), ("", None), ("zstd", None)],
)
async def test_a_file_comes_packed_as_the_browser_takes_it(
    web: httpx.AsyncClient, accepted: str, coding: str | None
) -> None:
    answer = await raw(web, CSS, accepted)
    assert answer.headers.get("content-encoding") == coding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    unpack = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[coding]
    assert unpack(answer.content) == CONTENT


async def test_what_is_small_already_comes_as_it_is(web: httpx.AsyncClient) -> None:
    answer = await raw(web, "/static/vendor/instrument-sans-5.3.0-latin.woff2", "br, gzip")
    assert "content-encoding" not in answer.headers
    assert answer.headers["content-type"] == "font/woff2"


async def test_a_browser_that_has_it_is_told_so(web: httpx.AsyncClient) -> None:
    first = await raw(web, CSS, "br")
    again = await raw(web, CSS, "br", **{"If-None-Match": f'"other", W/{first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert (await raw(web, CSS, "gzip", **{"If-None-Match": first.headers["etag"]})).status_code == 200


@pytest.mark.parametrize(
    "path", ["/static/nothing.css", "/static/../README.md", "/static/%2e%2e/README.md", "/static/"]
)
async def test_nothing_else_is_there(web: httpx.AsyncClient, path: str) -> None:
    assert (await web.get(path)).status_code == 404


async def test_a_head_tells_what_a_get_would(web: httpx.AsyncClient) -> None:
    head, get = await web.head(CSS), await web.get(CSS)
    assert head.content == b""
    assert head.headers["etag"] == get.headers["etag"]
    assert head.headers["content-length"] == get.headers["content-length"]

"""Styles and scripts: compressed once, cached by browsers, and nothing else is served from the disk."""

import gzip
import re

import brotli
import httpx
import pytest

from tasks.settings import ROOT
from webapp.render import assets, templates

CSS = "/static/css/base.css"
CONTENT = (ROOT / "static/css/base.css").read_bytes()


async def raw(web: httpx.AsyncClient, path: str, accepted: str, **headers: str) -> httpx.Response:
    """Return a response with its bytes as they were received, not decompressed."""
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


@pytest.mark.parametrize("page", sorted(assets.PAGES))
async def test_a_page_has_one_style_sheet_of_all_its_files_which_browsers_keep(
    web: httpx.AsyncClient, page: str
) -> None:
    address = templates.static(f"pages/{page}.css")
    answer = await web.get(address)
    assert answer.headers["cache-control"] == "max-age=31536000, immutable"
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    files = [ROOT / f"static/css/{name}.css" for name in ("tokens", "base", *assets.PAGES[page])]
    assert answer.text == assets.NOTES.sub("", "".join(file.read_text() for file in files))
    assert "/*" not in answer.text
    assert f"'pages/{page}.css'" in (ROOT / f"templates/pages/{page}.html").read_text()
    for url in re.findall(r'url\("?(.*?)"?\)', answer.text):
        assert (await web.get(f"/static/pages/{url}")).status_code == 200


def test_files_that_are_put_together_begin_with_nothing_that_has_to_come_first() -> None:
    for files in assets.SHEETS.values():
        for file in files:
            assert not re.search(r"@(import|charset|namespace)", file.read_text()), file
            strings = re.findall(r'"[^"\n]*"', re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.DOTALL))
            assert not any("/*" in string for string in strings), "this would be taken for a comment"


async def test_the_gallery_waits_for_one_style_sheet_and_for_no_script(web: httpx.AsyncClient) -> None:
    gallery = (await web.get("/", headers={"Accept": "text/html"})).text
    assert re.findall(r'<link rel="stylesheet" href="(.*?)"', gallery) == [templates.static("pages/gallery.css")]
    assert re.findall(r'<script type="module" (.*?)>', gallery) == [
        f'fetchpriority="low" src="{templates.static(assets.SCRIPT)}"'
    ], "it would take the line from what is painted"


async def test_the_script_of_live_pages_is_their_modules_each_after_those_that_it_imports(
    web: httpx.AsyncClient,
) -> None:
    answer = await web.get(templates.static(assets.SCRIPT))
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "max-age=31536000, immutable"
    assert re.findall(r"\bexport\s*\{.*", answer.text) == [answer.text[answer.text.rindex("export") :]]
    assert not re.search(r"\bimport\s*[\"{]|/\*\*", answer.text), "what is imported on first use is called"
    for number, name in enumerate(assets.MODULES):
        assert _imported(name) <= set(assets.MODULES[:number]), name


def test_what_is_imported_on_first_use_shares_no_state_with_the_script() -> None:
    """If it imported one of the script's modules, there would be two of it."""
    js = ROOT / "static/js"
    others = {path.relative_to(js).with_suffix("").as_posix() for path in js.rglob("*.js")} - set(assets.MODULES)
    assert {"lightbox/viewer", "keys/help", "uses/menu"} < others
    for name in others:
        assert not _imported(name) & set(assets.MODULES), name


def _imported(name: str) -> set[str]:
    """Return the modules below static/js that a module imports, by their names."""
    js = ROOT / "static/js"
    found = re.findall(r'^import (?:.* from )?"(\..*?)";', (js / f"{name}.js").read_text(), re.MULTILINE)
    files = [((js / name).parent / path).resolve() for path in found]
    return {file.relative_to(js).with_suffix("").as_posix() for file in files if file.is_relative_to(js)}


def test_nothing_that_holds_all_cards_is_asked_what_it_has_while_there_is_a_script() -> None:
    for file in (ROOT / "static/css").glob("*.css"):
        scripted = re.sub(r"@media \(scripting: none\) \{.*?\n  \}", "", file.read_text(), flags=re.DOTALL)
        assert not re.search(r"(?<![\w-])(html|body|main|:root|#main|\.page|\.gallery)[^\s,{]*:has\(", scripted), file

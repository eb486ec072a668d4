"""Finished files are served in whole or in part, cached permanently, and never executed."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient, Response
from litestar import Litestar
from obstore.store import MemoryStore

from tasks.files.media_types import MEDIA_TYPES
from tasks.files.storage import PIECE, Storage, unavailable
from tests.factories import named
from tests.tasks import samples
from webapp.http import media
from webapp.http.authentication import Authentication
from webapp.http.errors import EXCEPTION_HANDLERS

pytestmark = pytest.mark.once

KEY = "0192f0c1-2b3c-7def-8123-456789abcdef.mp4"
CONTENT = bytes(range(256)) * 16


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    (tmp_path / "media").mkdir()
    return Storage.open(str(tmp_path / "media")) if request.param == "folder" else Storage(MemoryStore())


@pytest.fixture
async def client(storage: Storage) -> AsyncIterator[AsyncClient]:
    await named(storage, KEY, CONTENT)
    async with serving(storage) as client:
        yield client


def serving(storage: Storage) -> AsyncClient:
    app = Litestar(
        media.routes, middleware=[Authentication()], exception_handlers=EXCEPTION_HANDLERS, logging_config=None
    )
    app.state.storage = storage
    transport = ASGITransport(app=app)  # type: ignore[arg-type]  # Litestar's names for the same types
    return AsyncClient(transport=transport, base_url="http://darkroom.test")


async def get(client: AsyncClient, key: str = KEY, **headers: str) -> Response:
    return await client.get(f"/media/{key}", headers={name.replace("_", "-"): value for name, value in headers.items()})


async def test_a_file_comes_whole_with_headers_for_a_long_life(client: AsyncClient) -> None:
    answer = await get(client)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["content-length"] == str(len(CONTENT))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox allow-same-origin; default-src 'none'; ")
    assert answer.headers["etag"].startswith('"')
    assert "content-disposition" not in answer.headers


async def test_a_large_file_comes_whole(client: AsyncClient, storage: Storage) -> None:
    large = b"0123456789abcdef" * (PIECE // 16) * 2 + b"the end"
    await named(storage, "large.bin", large)
    assert (await get(client, "large.bin")).content == large
    part = await get(client, "large.bin", Range=f"bytes={PIECE - 1}-{2 * PIECE}")
    assert part.content == large[PIECE - 1 : 2 * PIECE + 1]


async def test_an_empty_file_comes_empty(client: AsyncClient, storage: Storage) -> None:
    await named(storage, "empty.txt", b"")
    answer = await get(client, "empty.txt")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "0")
    assert (await get(client, "empty.txt", Range="bytes=0-")).status_code == 416


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-99", 0, 100),
        ("bytes=0-0", 0, 1),
        ("bytes=4000-", 4000, 4096),
        ("bytes=4000-9999", 4000, 4096),
        ("bytes=-96", 4000, 4096),
        ("bytes=-9999", 0, 4096),
        ("bytes = 5 - 9", 5, 10),
    ],
)
async def test_a_range_gets_that_part(asked: str, start: int, end: int, client: AsyncClient) -> None:
    answer = await get(client, Range=asked)
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/4096"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("asked", ["bytes=4096-", "bytes=9999-10000", "bytes=-0", f"bytes={10**17}-"])
async def test_a_range_beyond_the_end_is_refused_with_the_size(asked: str, client: AsyncClient) -> None:
    answer = await get(client, Range=asked)
    assert (answer.status_code, answer.content) == (416, b"")
    assert answer.headers["content-range"] == "bytes */4096"


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,4-5", "bytes=9-3", "bytes=-", "bytes=a-b", "lines=1-2", "", f"bytes={'9' * 5000}-"]
)
async def test_several_ranges_and_nonsense_get_the_whole_file(asked: str, client: AsyncClient) -> None:
    answer = await get(client, Range=asked)
    assert (answer.status_code, answer.content) == (200, CONTENT)


async def test_what_the_browser_has_is_not_sent_again(client: AsyncClient) -> None:
    etag = (await get(client)).headers["etag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = await get(client, If_None_Match=known, Range="bytes=0-9")
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
        assert "immutable" in answer.headers["cache-control"]
    assert (await get(client, If_None_Match='"other"')).status_code == 200


async def test_without_an_etag_the_date_says_what_a_client_has(client: AsyncClient) -> None:
    changed = (await get(client)).headers["last-modified"]
    later = format_datetime(parsedate_to_datetime(changed) + timedelta(days=1), usegmt=True)
    earlier = format_datetime(parsedate_to_datetime(changed) - timedelta(seconds=1), usegmt=True)
    for since, status in ((changed, 304), (later, 304), (earlier, 200), ("soon", 200), ("", 200)):
        answer = await get(client, If_Modified_Since=since)
        assert (answer.status_code, answer.content) == (status, CONTENT if status == 200 else b""), since
    answer = await get(client, If_Modified_Since=later, If_None_Match='"another"')
    assert answer.status_code == 200, "an ETag counts more than a date"


async def test_a_part_is_only_sent_where_it_fits_what_the_browser_has(client: AsyncClient) -> None:
    whole = await get(client)
    for same in (whole.headers["etag"], whole.headers["last-modified"]):
        assert (await get(client, Range="bytes=0-9", If_Range=same)).status_code == 206
    for other in ('"other"', f"W/{whole.headers['etag']}", "Mon, 01 Jan 2024 00:00:00 GMT", "nonsense"):
        assert (await get(client, Range="bytes=0-9", If_Range=other)).content == CONTENT


async def test_head_tells_the_size_and_sends_nothing(client: AsyncClient) -> None:
    answer = await client.head(f"/media/{KEY}", headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "4096"
    assert answer.headers["etag"] == (await get(client)).headers["etag"]


@pytest.mark.parametrize("extension", sorted(MEDIA_TYPES))
async def test_every_type_is_named_and_only_harmless_ones_are_shown(
    extension: str, client: AsyncClient, storage: Storage
) -> None:
    await named(storage, f"a.{extension}", b"x")
    answer = await get(client, f"a.{extension}")
    assert answer.headers["content-type"] == MEDIA_TYPES[extension].name
    shown = "content-disposition" not in answer.headers
    kind = MEDIA_TYPES[extension].name.partition("/")[0]
    assert shown == (extension == "txt" or (kind in ("image", "video", "audio") and extension != "svg"))
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox") if shown else policy == "sandbox; default-src 'none'"
    assert "script" not in policy


@pytest.mark.parametrize("content", [samples.SVG, samples.HTML], ids=["svg", "html"])
async def test_svg_and_html_are_only_downloaded(content: bytes, client: AsyncClient, storage: Storage) -> None:
    extension = "svg" if content is samples.SVG else "html"
    await named(storage, f"a.{extension}", content)
    answer = await get(client, f"a.{extension}")
    assert answer.headers["content-disposition"] == f'attachment; filename="darkroom-a.{extension}"'
    assert answer.content == content


async def test_an_unknown_extension_is_bytes_to_download(client: AsyncClient, storage: Storage) -> None:
    await named(storage, "a.exe", b"MZ")
    answer = await get(client, "a.exe")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")


async def test_download_gives_the_file_a_name(client: AsyncClient) -> None:
    answer = await get(client, f"{KEY}?download")
    assert answer.headers["content-disposition"].startswith('attachment; filename="a-fox-with-a-file-')


@pytest.mark.parametrize(
    "key",
    [
        "absent.png",
        ".probe",
        ".gitkeep",
        "..",
        "%2e%2e",
        "..%2fsettings.py",
        "a%2fb.png",
        "a%5cb.png",
        "a.png%00",
        "a b.png",
        "noextension",
        "x.mp4%231",
        "a..png",
        "a" * 200 + ".png",
    ],
)
async def test_what_is_no_file_of_ours_is_not_found(key: str, client: AsyncClient, storage: Storage) -> None:
    await storage.put(".probe", b"hidden")
    await storage.put("noextension", b"hidden")
    await storage.put("a b.png", b"hidden")
    assert (await get(client, key)).status_code == 404


async def test_what_no_row_names_is_not_found_although_storage_has_it(client: AsyncClient, storage: Storage) -> None:
    for key in ("nobodys.png", f"stored-{KEY}", KEY.replace(".mp4", ".preview.webp"), "upload-nobodys.png"):
        await storage.put(key, b"left by somebody")
        for path in (key, f"{key}?download"):
            assert (await get(client, path)).status_code == 404


async def test_what_a_row_names_and_storage_does_not_have_is_unavailable(client: AsyncClient, storage: Storage) -> None:
    await storage.delete([f"stored-{KEY}"])
    for path in (KEY, f"{KEY}?download"):
        told_to_come_back(await get(client, path))


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path))
    await named(storage, "folder.png", b"x")
    (tmp_path / "stored-folder.png").unlink()
    (tmp_path / "stored-folder.png").mkdir()
    async with serving(storage) as client:
        told_to_come_back(await get(client, "folder.png"))


async def test_storage_that_fails_is_said_to_be_unavailable_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    storage = Storage.open(str(folder))
    await named(storage, KEY, CONTENT)
    (folder / f"stored-{KEY}").unlink()
    folder.rmdir()
    folder.write_text("no folder any more")
    async with serving(storage) as client:
        told_to_come_back(await get(client))
    [told] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert (told.levelno, told.exc_info) == (logging.WARNING, None)
    assert "Not a directory" in told.getMessage()
    assert "\n" not in told.getMessage()


class Unreadable(Storage):
    """Storage that knows its files but cannot read them."""

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        raise unavailable()
        yield b""


async def test_what_cannot_be_read_is_unavailable_although_it_is_there() -> None:
    storage = Unreadable(MemoryStore())
    await named(storage, KEY, CONTENT)
    async with serving(storage) as client:
        for headers in ({}, {"Range": "bytes=5-9"}):
            told_to_come_back(await get(client, **headers))
        told_to_come_back(await get(client, f"{KEY}?download"))
        assert (await client.head(f"/media/{KEY}")).status_code == 200


def told_to_come_back(answer: Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "storage_unavailable"
    assert int(answer.headers["retry-after"]) > 0
    assert "cache-control" not in answer.headers


async def test_fifty_readers_who_leave_early_leave_nothing_open(tmp_path: Path) -> None:
    storage = Storage.open(str(tmp_path))
    await storage.put("large.mp4", bytes(8 * PIECE))
    before = _open_files()

    async def glance() -> None:
        async for _ in storage.read("large.mp4", 0, 8 * PIECE):
            break

    await asyncio.gather(*(glance() for _ in range(50)))
    assert _open_files() <= before


def _open_files() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())

"""The zip of a selection: whole, readable, told in metadata.json, and made while it is sent."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tasks import tidying
from tasks.failures import Failure
from tasks.settings import settings
from tasks.storage import Storage
from tests.webapp.made import completed, failed
from webapp import archive


def opened(content: bytes) -> tuple[zipfile.ZipFile, list[dict[str, Any]]]:
    found = zipfile.ZipFile(io.BytesIO(content))
    assert found.testzip() is None
    return found, json.loads(found.read("metadata.json"))


async def test_a_zip_holds_the_files_under_readable_names_and_tells_of_every_job(web: httpx.AsyncClient) -> None:
    fox, again, bad = await completed("A red fox/../snow!"), await completed("A red fox/../snow!"), await failed()
    await tidying.tag(tidying.these([fox.id]), "cat")
    answer = await web.get("/selection.zip", params={"all": "1", "q": ""}, headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert "attachment" in answer.headers["content-disposition"]
    assert "content-encoding" not in answer.headers
    found, metadata = opened(answer.content)
    assert [shape["job_id"] for shape in metadata] == [str(bad.id), str(again.id), str(fox.id)]
    assert metadata[2]["tags"] == ["cat"]
    [name] = metadata[2]["files"]
    assert name.endswith(f" a-red-fox-snow {fox.id.hex[-14:]}.png")
    assert found.read(name) == b"picture"
    assert {entry.compress_type for entry in found.infolist()} == {zipfile.ZIP_STORED}
    assert len(found.namelist()) == 3


async def test_a_missing_file_is_told_and_breaks_nothing(web: httpx.AsyncClient) -> None:
    lost, kept = await completed("lost"), await completed("kept")
    await Storage.open(settings.storage_url).delete([f"{lost.id}-0123456789ab.png"])
    answer = await web.post("/selection.zip", data={"job": [str(lost.id), str(kept.id)]})
    found, metadata = opened(answer.content)
    assert len(found.namelist()) == 2
    [missing] = [shape for shape in metadata if shape["job_id"] == str(lost.id)]
    assert missing["files"] == []
    assert "lost" in str(missing["missing_files"])


async def test_storage_that_fails_on_the_way_is_told_too(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await completed()

    async def fails(self: Storage, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        yield b"pic"
        raise Failure("storage_unavailable", "The storage for finished files is not available.", passing=True)

    monkeypatch.setattr(Storage, "read", fails)
    _, metadata = opened((await web.get("/selection.zip?all=1")).content)
    assert metadata[0]["files"] == []


async def test_a_zip_is_made_in_portions_and_never_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PORTION", 2)
    ids = [(await completed()).id for _ in range(5)]
    pieces = [piece async for piece in archive.archive(tidying.these(ids), Storage.open(settings.storage_url))]
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 3
    _, metadata = opened(b"".join(pieces))
    assert [shape["job_id"] for shape in metadata] == [str(job_id) for job_id in reversed(ids)]


async def test_no_selection_is_no_zip(web: httpx.AsyncClient) -> None:
    assert (await web.get("/selection.zip")).json()["code"] == "nothing_selected"
    _, metadata = opened((await web.get("/selection.zip?all=1&q=nothing")).content)
    assert metadata == []

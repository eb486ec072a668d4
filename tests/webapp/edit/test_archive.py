"""The zip of a selection: complete, readable, api_document in metadata.json, and made while it is sent."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tasks.curation import edits
from tasks.errors import Failure
from tasks.files.storage import Storage, unavailable
from tasks.settings import settings
from tests.factories import completed, failed
from webapp.edit import archive


def opened(content: bytes) -> tuple[zipfile.ZipFile, list[dict[str, Any]]]:
    found = zipfile.ZipFile(io.BytesIO(content))
    assert found.testzip() is None
    return found, json.loads(found.read("metadata.json"))


async def test_a_zip_holds_the_files_under_readable_names_and_tells_of_every_job(web: httpx.AsyncClient) -> None:
    fox, again, bad = await completed("A red fox/../snow!"), await completed("A red fox/../snow!"), await failed()
    await edits.tag(edits.by_ids([fox.id]), "cat")
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


async def test_where_not_one_of_the_files_is_there_storage_is_said_to_be_away(web: httpx.AsyncClient) -> None:
    jobs = [await completed(), await completed()]
    await Storage.open(settings.storage_url).delete([f"{job.id}-0123456789ab.png" for job in jobs])
    answer = await web.get("/selection.zip?all=1")
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_zip_that_storage_keeps_from_being_whole_is_never_taken_for_whole(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [(await completed()).id for _ in range(2)]
    read, reads = Storage.read, list[str]()

    async def fails(self: Storage, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        reads.append(key)
        if len(reads) != 1:
            raise unavailable()
        async for piece in read(self, key, start, end):
            yield piece

    monkeypatch.setattr(Storage, "read", fails)
    with pytest.raises(Failure):  # the server then cuts the connection: see test_storage_away.py
        assert [piece async for piece in archive.archive(edits.by_ids(ids), Storage.open(settings.storage_url))]
    assert len(reads) == 2
    answer = await web.get("/selection.zip?all=1")
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")


async def test_a_zip_is_made_in_portions_and_never_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "JOBS_PER_CHUNK", 2)
    ids = [(await completed()).id for _ in range(5)]
    pieces = [piece async for piece in archive.archive(edits.by_ids(ids), Storage.open(settings.storage_url))]
    assert max(map(len, pieces)) < sum(map(len, pieces)) / 3
    _, metadata = opened(b"".join(pieces))
    assert [shape["job_id"] for shape in metadata] == [str(job_id) for job_id in reversed(ids)]


async def test_no_selection_is_no_zip(web: httpx.AsyncClient) -> None:
    assert (await web.get("/selection.zip")).json()["code"] == "nothing_selected"
    _, metadata = opened((await web.get("/selection.zip?all=1&q=nothing")).content)
    assert metadata == []

"""Tests that Darkroom's rows are read as they are, on both databases."""

from typing import Any
from uuid import uuid4

import pytest

from tasks.db import ids
from tasks.db.database import now
from tasks.db.dialect import from_now
from tasks.db.tables import Halt, Job, Output, PendingFile, Stage, Status, Upload
from tasks.settings import settings
from tests.chaos.records import Records


@pytest.fixture
def records() -> Records:
    return Records(settings.database_url)


async def job(**columns: Any) -> Job:
    moment = now()
    made = Job(prompt="a fox", model="a/b", created_at=moment, changed_at=moment, due_at=moment, **columns)
    await made.save()
    return made


async def test_every_name_in_storage_is_read_that_a_row_gives(records: Records) -> None:
    made = await job()
    common: dict[str, Any] = {"job": made.id, "kind": "image", "media_type": "image/png", "bytes": 1, "sha256": "0"}
    await Output(position=0, key="a.png", preview_key="a.preview.webp", **common).save()
    await Output(
        position=1, key="b.png", stored_key="b-1.png", preview_key="b.preview.webp",
        stored_preview_key="b-1.preview.webp", **common,
    ).save()  # fmt: skip
    await Output(position=2, key="c.txt", stored_key="c-1.txt", **common).save()
    await Upload(key="upload-1.png", media_type="image/png", bytes=1, sha256="0", created_at=now()).save()
    assert await records.named() == {
        "a.png", "a.preview.webp", "b-1.png", "b-1.preview.webp", "c-1.txt", "upload-1.png", "upload-1.preview.webp",
    }  # fmt: skip


async def test_notes_of_files_are_read_and_made_old_with_their_removals(records: Records) -> None:
    for key, removed_at in (("a", None), ("b", now())):
        await PendingFile(key=key, job=ids.new(), claim=uuid4(), noted_at=now(), removed_at=removed_at).save()
    assert await records.pending() == {"a"}
    old = (PendingFile.noted_at < from_now(-7000)) & (PendingFile.noted_at > from_now(-7400))
    assert await PendingFile.count().where(old) == 0
    await records.make_pending_old(7200)
    assert await PendingFile.count().where(old) == 2
    removed = await PendingFile.select(PendingFile.key).where(PendingFile.removed_at < from_now(-7000))
    assert removed == [{"key": "b"}]
    assert await records.pending() == {"a"}


async def test_jobs_tell_how_much_time_they_had_left(records: Records) -> None:
    moment = now()
    await job(status=Status.FAILED, error_code="deadline", finished_at=moment, deadline_at=moment)
    await job(status=Status.QUEUED)
    assert sorted((row.status, row.error_code, row.spare) for row in await records.jobs()) == [
        ("failed", "deadline", 0.0),
        ("queued", None, float("inf")),
    ]


async def test_a_halt_is_read_and_so_is_which_jobs_are_being_stored(records: Records) -> None:
    assert await records.halts() == set()
    await Halt(code="provider_away", message="", since=now(), probe_at=now()).save()
    assert await records.halts() == {"provider_away"}
    lease = uuid4()
    running = {"status": Status.RUNNING, "lease_token": lease, "lease_until": from_now(60)}
    stored = await job(**running, stage=Stage.DOWNLOADING)
    await job(**running, stage=Stage.PROCESSING)
    assert await records.downloading() == {stored.id: str(lease)}
    assert await records.storing() == {}
    for key, claim in (("a", lease), ("b", lease), ("c", uuid4())):
        await PendingFile(key=key, job=stored.id, claim=claim, noted_at=now()).save()
    assert await records.storing() == {stored.id: str(lease)}

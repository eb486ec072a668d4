"""A library recognizes its storage by a mark, which also reveals that a database was restored from a backup."""

import asyncio
import json
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from obstore.store import MemoryStore

from tasks.db.tables import Library
from tasks.errors import Failure
from tasks.files import library_mark
from tasks.files.storage import MARK, Storage
from tasks.jobs import lifecycle
from tasks.replicate import circuit
from tests.conftest import Faults
from tests.tasks.states import an_output, claimed, submitted
from tests.tasks.work import at_work, ended, existing, until
from tests.tasks.work import submitted as for_a_worker
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("new_library")

LATER = timedelta(minutes=10)
NO_TIME_ZONE = '{"uuid": "019ab0c4-5d1e-7b36-9533-e50ac26d7632", "alive_at": "2026-11-29T00:00:00"}'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "media"


def opened(folder: Path) -> Storage:
    """Return storage as another process sees it."""
    return Storage.open(str(folder))


async def row() -> Library:
    found = await Library.objects().first()
    assert found is not None
    return found


def take_away(folder: Path, left: str = "nothing") -> None:
    """Make the folder look as if its disk is not mounted."""
    folder.rename(folder.with_name("elsewhere"))
    if left == "an empty folder":
        folder.mkdir()


def bring_back(folder: Path) -> None:
    with suppress(FileNotFoundError):
        folder.rmdir()
    folder.with_name("elsewhere").rename(folder)


def made_before_marks(folder: Path) -> Path:
    """Create the folder of an earlier version, with the file of a job."""
    folder.mkdir(exist_ok=True)
    (folder / "stored-a.png").write_bytes(b"picture")
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def marked(folder: Path) -> dict[str, str]:
    return dict(json.loads((folder / MARK).read_text()))


async def completed(key: str = "a.png") -> None:
    job = await claimed()
    await lifecycle.complete(job, [an_output(key)])


async def restored_from(row: Library) -> None:
    """Change the library's row as a restored backup does."""
    await Library.update({Library.alive_at: row.alive_at}, force=True)


async def why_halted() -> str:
    halt = await circuit.current()
    return f"{halt.code}: {halt.message}" if halt else ""


async def test_a_new_library_gets_its_folder_and_its_mark(folder: Path) -> None:
    storage = opened(folder / "below")
    assert await library_mark.begin(storage) is None
    assert storage.ours
    assert marked(folder / "below")["uuid"] == str((await row()).uuid)
    await storage.put("a.txt", b"a")


async def test_processes_that_start_at_once_make_one_mark(folder: Path) -> None:
    storages = [opened(folder) for _ in range(10)]
    assert set(await asyncio.gather(*map(library_mark.begin, storages))) == {None}
    assert all(storage.ours for storage in storages)
    assert marked(folder)["uuid"] == str((await row()).uuid)
    assert await Library.count() == 1
    assert await why_halted() == ""


async def test_while_workers_leave_signs_of_life_who_starts_sees_no_restored_backup(folder: Path) -> None:
    storage = opened(folder)
    await library_mark.begin(storage)
    for _ in range(10):
        signs = [library_mark.leave_sign_of_life(storage) for _ in range(3)]
        starts = [library_mark.begin(opened(folder)) for _ in range(3)]
        assert set(await asyncio.gather(*signs, *starts)) == {None}
    assert await why_halted() == ""


async def test_a_sign_of_life_that_waited_for_a_later_one_does_not_set_the_library_back(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = opened(folder)
    await library_mark.begin(storage)
    await library_mark.leave_sign_of_life(storage)
    before = await row()
    monkeypatch.setattr(library_mark, "from_now", lambda: before.alive_at - timedelta(seconds=1))
    await library_mark.leave_sign_of_life(storage)
    assert (await row()).alive_at == before.alive_at
    assert await library_mark.begin(opened(folder)) is None
    assert await why_halted() == ""


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
async def test_a_folder_that_is_not_mounted_is_told_and_neither_made_nor_used(folder: Path, left: str) -> None:
    storage = opened(folder)
    await library_mark.begin(storage)
    take_away(folder, left)
    for seen in (storage, opened(folder)):
        reason = await library_mark.begin(seen)
        assert reason == (
            f"{folder} is not this library's storage, which has {(await row()).uuid} in its file {MARK}: is it mounted?"
        )
        assert not seen.ours
        with pytest.raises(Failure):
            await seen.put("a.txt", b"a")
    assert names(folder) == []
    bring_back(folder)
    assert await library_mark.check(storage) is None
    await storage.put("a.txt", b"a")


async def test_another_librarys_storage_is_told_and_not_used(folder: Path) -> None:
    storage = opened(folder)
    await library_mark.begin(storage)
    (folder / MARK).write_text(json.dumps({"uuid": str(uuid4()), "alive_at": "2999-01-01T00:00:00Z"}))
    assert str(await library_mark.check(storage)).startswith(f"{folder} is not this library's storage, which has ")
    with pytest.raises(Failure):
        await storage.put("a.txt", b"a")
    assert await why_halted() == "", "that the database is older is not known from another's mark"


async def test_files_may_move_with_their_mark(folder: Path) -> None:
    await library_mark.begin(opened(folder))
    take_away(folder)
    elsewhere = folder.with_name("elsewhere")
    assert await library_mark.begin(opened(elsewhere)) is None
    (elsewhere / MARK).write_text(json.dumps({"uuid": str((await row()).uuid)}))
    assert await library_mark.begin(opened(elsewhere)) is None, "one that was written by hand"


@pytest.mark.parametrize("content", ["", '{"uuid": 1}', NO_TIME_ZONE])
async def test_a_mark_that_is_damaged_is_told(content: str, folder: Path) -> None:
    await library_mark.begin(opened(folder))
    (folder / MARK).write_text(content)
    storage = opened(folder)
    assert str(await library_mark.begin(storage)).startswith(f"The file {MARK} in {folder} cannot be read: ")
    assert not storage.ours


async def test_a_bucket_is_known_by_its_mark_as_well() -> None:
    bucket = MemoryStore()
    assert await library_mark.begin(Storage(bucket)) is None
    storage, wrong = Storage(bucket), Storage(MemoryStore(), "s3://wrong")
    assert await library_mark.begin(storage) is None
    assert storage.ours
    assert str(await library_mark.begin(wrong)).startswith("s3://wrong is not this library's storage")
    with pytest.raises(Failure):
        await wrong.put("a.txt", b"a")
    assert await wrong.mark() is None


async def test_a_library_of_an_earlier_version_has_its_storage_marked(folder: Path) -> None:
    await completed("a.png")
    storage = opened(made_before_marks(folder))
    assert await library_mark.begin(storage) is None
    assert storage.ours
    assert marked(folder)["uuid"] == str((await row()).uuid)
    assert await why_halted() == ""


@pytest.mark.parametrize("left", ["nothing", "an empty folder"])
async def test_a_library_of_an_earlier_version_whose_folder_is_not_mounted_waits_for_it(
    folder: Path, left: str
) -> None:
    await completed("a.png")
    take_away(made_before_marks(folder), left)
    storage = opened(folder)
    assert await library_mark.begin(storage) == f"{folder} has none of this library's files: is it mounted?"
    assert not storage.ours
    assert names(folder) == []
    bring_back(folder)
    assert await library_mark.check(storage) is None
    assert storage.ours


async def test_a_restored_backup_begins_halted_once(folder: Path) -> None:
    storage = opened(folder)
    await library_mark.begin(storage)
    backup = await row()
    await library_mark.leave_sign_of_life(storage)
    await restored_from(backup)
    await library_mark.begin(opened(folder))
    moment = backup.alive_at.astimezone(UTC)
    assert (await why_halted()).startswith(
        f"restored: This library was restored from a backup of {moment:%Y-%m-%d %H:%M} UTC. Its waiting jobs may"
    )
    for _ in range(2):  # a restart leaves it halted
        await library_mark.begin(opened(folder))
        await library_mark.leave_sign_of_life(storage)
        assert await circuit.current() is not None
    assert await circuit.resume() is not None
    await library_mark.begin(opened(folder))
    assert await why_halted() == "", "it is told once"


async def test_a_library_that_went_on_as_it_was_is_not_halted(folder: Path) -> None:
    storage = opened(folder)
    await library_mark.begin(storage)
    await library_mark.leave_sign_of_life(storage)
    await library_mark.begin(opened(folder))
    mark = (folder / MARK).read_bytes()
    await library_mark.leave_sign_of_life(storage)
    (folder / MARK).write_bytes(mark)  # storage that is older than the database is no danger
    await library_mark.begin(opened(folder))
    assert await why_halted() == ""


async def test_a_database_that_is_restored_under_a_running_process_is_noticed(folder: Path) -> None:
    storage = opened(folder)
    await library_mark.begin(storage)
    await library_mark.leave_sign_of_life(storage)
    await Library.update({Library.alive_at: (await row()).alive_at - timedelta(minutes=1)}, force=True)
    await library_mark.check(storage)
    assert await why_halted() == "", "another library may share the storage by mistake"
    await Library.update({Library.alive_at: (await row()).alive_at - LATER}, force=True)
    await library_mark.check(storage)
    assert (await why_halted()).startswith("restored: ")


async def test_a_backup_from_before_the_first_mark_begins_halted(folder: Path) -> None:
    await submitted()
    await library_mark.begin(opened(folder))
    before = (await row()).uuid
    await Library.delete(force=True)
    storage = opened(folder)
    assert await library_mark.begin(storage) is None
    assert (await why_halted()).startswith("restored: This library was restored from a backup. Its waiting jobs")
    assert (await row()).uuid == before
    assert storage.ours


async def test_an_empty_database_goes_on_with_the_storage_that_it_finds(folder: Path) -> None:
    await library_mark.begin(opened(folder))
    before = (await row()).uuid
    await Library.delete(force=True)
    assert await library_mark.begin(opened(folder)) is None
    assert (await row()).uuid == before
    assert await why_halted() == ""


async def test_what_storage_cannot_do_is_warned_of_in_one_line_and_not_raised(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = made_before_marks(folder) / "stored-a.png"
    with caplog.at_level(logging.WARNING):
        await library_mark.begin(opened(file))
    [record] = [record for record in caplog.records if record.name == library_mark.log.name]
    assert record.getMessage().startswith("STORAGE_URL: ")
    assert "Not a directory" in record.getMessage()
    await library_mark.leave_sign_of_life(opened(file))


async def test_a_sign_of_life_is_left_in_row_and_mark_alike(folder: Path) -> None:
    storage = opened(folder)
    await library_mark.begin(storage)
    before = datetime.now(UTC)
    await library_mark.leave_sign_of_life(storage)
    moment = (await row()).alive_at
    assert datetime.fromisoformat(marked(folder)["alive_at"]) == moment
    assert abs(moment - before) < LATER


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_mark, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(library_mark, "RECHECK_SECONDS", 0.1)


async def test_while_the_folder_is_away_jobs_wait_and_when_it_is_back_they_go_on(
    soon: None, faults: Faults, folder: Path
) -> None:
    async with at_work(storage=opened(folder)) as worker:
        await faults.script({"on": "create", "match": "unplugged", "do": "run", "seconds": 2.0})
        early = await for_a_worker("a fox of an unplugged disk")
        await until(early.id, lambda card: card.job.stage == "processing")
        take_away(folder)
        waits = await until(early.id, lambda card: card.job.error_code == "storage_unavailable")
        assert waits.job.status in ("queued", "running")

        async def noticed() -> bool:
            return worker.storage.ours is False

        await eventually(noticed)
        late = await for_a_worker("a fox after that")
        await worker.generate()
        assert (await existing(late.id)).job.status == "queued"
        assert await faults.created("a fox after that") == [], "nothing is created that could not be kept"
        assert names(folder.parent) == ["elsewhere"]
        bring_back(folder)
        for job in (early, late):
            assert (await ended(job)).job.status == "completed"
        assert len(await faults.created("a fox of an unplugged disk")) == 1

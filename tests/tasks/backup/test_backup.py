"""A backup has each file that its rows name, whatever happens meanwhile; until it is made, the one before is there."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from msgspec import structs

from tasks.backup import backup, databases
from tasks.backup.errors import BackupError
from tasks.backup.folder import opened_for_writing
from tasks.backup.manifest import Manifest
from tasks.curation import trash
from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import BackupLease, Job, Library, Output
from tasks.files import uploads
from tasks.jobs import lifecycle
from tasks.settings import settings
from tests.factories import submitted
from tests.tasks.backup.places import Place, Slow, a_job_with, a_job_with_files, an_upload, complete, copied, ignored
from tests.waiting import eventually

LIMITED = """-c import resource, runpy
resource.setrlimit(resource.RLIMIT_FSIZE, (8 * 2**20, resource.RLIM_INFINITY))
runpy.run_module("webapp", run_name="__main__")"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backup"


def written(file: Path) -> tuple[int, int]:
    """Return which file it is, and when it was written: another one has taken its place if this changes."""
    found = file.stat()
    return found.st_ino, found.st_mtime_ns


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def made(folder: Path, storage: Slow, lines: list[str] | None = None) -> Manifest:
    say = ignored if lines is None else lines.append
    return await backup.make(folder, databases.configured(settings), storage, say, ignored)


async def output_of(job: Job) -> Output:
    [output] = await Output.objects().where(Output.job == job.id)
    return output


async def deleted_for_good(job: Job, storage: Slow) -> None:
    await lifecycle.delete(job.id)
    await trash.clear(storage, job.id)
    await trash.clear_all(storage)


async def test_the_manifest_names_what_is_in_the_backup(folder: Path, storage: Slow) -> None:
    begun = now()
    job = await a_job_with(storage, b"four")
    await deleted_for_good(await a_job_with(storage), storage)
    manifest = await made(folder, storage)
    assert complete(folder) == manifest
    [library] = await Library.objects()
    assert (manifest.library, manifest.jobs, manifest.files, manifest.bytes) == (library.uuid, 1, 1, 4)
    assert (manifest.missing, manifest.damaged) == (0, 0)
    assert begun < manifest.made_at < now()
    assert (folder / "files" / (await output_of(job)).stored_key).read_bytes() == b"four"
    assert names(folder) == {
        "backup.json", "backup.lock", "files", manifest.database.name, manifest.list.name
    }  # fmt: skip


async def test_a_file_that_is_deleted_for_good_while_the_backup_runs_is_in_it(folder: Path, storage: Slow) -> None:
    job = await a_job_with(storage)
    name = (await output_of(job)).stored_key
    storage.meanwhile = lambda: deleted_for_good(job, storage)
    assert (await made(folder, storage)).files == 1
    assert copied(folder) == {name}
    await trash.clear_all(storage)
    assert await storage.head(name) is None, "it is removed when the backup is over"
    assert (await made(folder, storage)).files == 0
    assert copied(folder) == set(), "what is deleted for good goes from the next backup"


async def test_what_was_deleted_but_is_not_removed_yet_is_not_copied(folder: Path, storage: Slow) -> None:
    await lifecycle.delete((await a_job_with(storage)).id)
    assert (await made(folder, storage)).files == 0


async def test_the_next_backup_copies_only_what_is_new(folder: Path, storage: Slow) -> None:
    first = await a_job_with(storage)
    await made(folder, storage)
    copy = folder / "files" / (await output_of(first)).stored_key
    before = written(copy)
    second = await a_job_with(storage)
    assert (await made(folder, storage)).files == 2
    assert copied(folder) == {(await output_of(job)).stored_key for job in (first, second)}
    assert written(copy) == before


async def test_a_copy_that_is_shorter_than_it_was_is_made_again(folder: Path, storage: Slow) -> None:
    name = (await output_of(await a_job_with(storage))).stored_key
    await made(folder, storage)
    (folder / "files" / name).write_bytes(b"pic")
    await made(folder, storage)
    assert (folder / "files" / name).read_bytes() == b"picture"


async def test_a_file_that_storage_has_lost_or_changed_is_said_and_the_rest_is_backed_up(
    folder: Path, storage: Slow
) -> None:
    lost, changed, good = [await output_of(await a_job_with(storage)) for _ in range(3)]
    await storage.delete([lost.stored_key])
    await storage.put(changed.stored_key, b"another")
    lines: list[str] = []
    manifest = await made(folder, storage, lines)
    assert lines == [
        f"missing  {lost.stored_key} (file of job {lost.job})",
        f"damaged  {changed.stored_key} (file of job {changed.job})",
    ]
    assert (manifest.files, manifest.missing, manifest.damaged) == (2, 1, 1)
    assert copied(folder) == {changed.stored_key, good.stored_key}


async def test_an_upload_that_is_being_stored_is_not_missing(folder: Path, storage: Slow) -> None:
    await an_upload(b"picture")
    lines: list[str] = []
    manifest = await made(folder, storage, lines)
    assert (lines, manifest.files, manifest.missing) == ([], 0, 0)


async def test_an_upload_that_is_stored_meanwhile_is_copied_with_its_preview(folder: Path, storage: Slow) -> None:
    key = await an_upload(b"picture")
    preview = uploads.preview_key(key)

    async def preview_is_looked_for() -> None:
        storage.meanwhile = upload_is_stored

    async def upload_is_stored() -> None:
        await storage.put(preview, b"small")
        await storage.put(key, b"picture")

    storage.meanwhile = preview_is_looked_for
    assert (await made(folder, storage)).files == 2
    assert copied(folder) == {key, preview}


async def test_an_upload_that_is_lost_although_a_job_names_it_is_said(folder: Path, storage: Slow) -> None:
    key = await an_upload(b"picture")
    await submitted(parameters={"image": f"/media/{key}"})
    lines: list[str] = []
    assert (await made(folder, storage, lines)).missing == 2
    assert lines == [
        f"missing  {key} (file of an upload)",
        f"missing  {uploads.preview_key(key)} (preview of an upload)",
    ]


async def test_a_backup_that_stood_still_for_too_long_does_not_count(folder: Path, storage: Slow) -> None:
    await a_job_with(storage)
    before = await made(folder, storage)
    await a_job_with(storage)

    async def lapse() -> None:
        await BackupLease.delete(force=True)

    storage.meanwhile = lapse
    with pytest.raises(BackupError, match=r"stood still for more than 60 s.*run it again"):
        await made(folder, storage)
    assert complete(folder) == before
    assert (await made(folder, storage)).files == 2


async def test_a_folder_of_something_else_is_refused_and_left_as_it_is(folder: Path, storage: Slow) -> None:
    await asyncio.to_thread(folder.mkdir)
    (folder / "letter.txt").touch()
    with pytest.raises(BackupError, match="is not empty, and has no backup"):
        await made(folder, storage)
    assert names(folder) == {"letter.txt"}


async def test_the_backup_of_another_library_is_not_replaced(folder: Path, storage: Slow) -> None:
    manifest = await made(folder, storage)
    other = structs.replace(manifest, library=ids.new())
    with opened_for_writing(folder) as opened:
        opened.finish(other)
    with pytest.raises(BackupError, match="has the backup of another library"):
        await made(folder, storage)
    assert complete(folder) == other


async def test_storage_of_another_library_is_not_backed_up(folder: Path, storage: Slow) -> None:
    before = await made(folder, storage)
    await Library.update({Library.uuid: ids.new()}, force=True)
    with pytest.raises(BackupError, match=r"^STORAGE_URL: .* is not this library's storage"):
        await made(folder, storage)
    assert complete(folder) == before


async def test_two_backups_into_one_folder_do_not_run_at_once(folder: Path, storage: Slow) -> None:
    with opened_for_writing(folder), pytest.raises(BackupError, match=r"A backup into .* is under way"):
        await made(folder, storage)


@pytest.mark.once
async def test_a_full_disk_leaves_the_backup_before_as_it_was(folder: Path, here: Place) -> None:
    await a_job_with(here.storage)
    await Library.raw("VACUUM")  # earlier tests may have left the file of the database larger than the limit
    assert (await here.run("backup", folder)).code == 0
    before, there = complete(folder), names(folder)
    await a_job_with(here.storage, bytes(12 * 2**20))
    ended = await here.run("backup", folder, start=LIMITED)
    assert ended.code == 2, ended.errors
    assert ended.errors.splitlines()[-1] == f"darkroom: Cannot write to {folder}: File too large"
    assert complete(folder) == before
    assert names(folder) == there, "nothing takes up room that is of no use"
    assert await BackupLease.count() == 0
    assert (await here.run("backup", folder)).code == 0
    assert complete(folder).files == 2


async def test_a_backup_that_is_killed_leaves_the_one_before_and_the_next_one_goes_on(
    folder: Path, here: Place
) -> None:
    await a_job_with(here.storage)
    before = await made(folder, here.storage)
    await a_job_with_files(600, here)

    async def copying_files(at_least: int) -> bool:
        return len(copied(folder)) >= at_least

    async def copying_the_database() -> bool:
        return sum(name.startswith("database-") for name in names(folder)) > 1

    kills: list[Callable[[], Awaitable[bool]]] = [copying_the_database]
    kills += [partial(copying_files, at_least) for at_least in (2, 100, 200)]
    for reached in kills:
        process = await here.started("backup", folder)
        await eventually(reached)
        process.kill()
        await process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert complete(folder) == before
    left = {name: written(folder / "files" / name) for name in copied(folder) if "#" not in name}
    assert len(left) > 100
    assert (await made(folder, here.storage)).files == 601
    assert complete(folder) != before
    assert {name: written(folder / "files" / name) for name in left} == left
    assert len(copied(folder)) == 601


async def test_what_killed_backups_left_is_removed_by_the_next(folder: Path, storage: Slow) -> None:
    name = (await output_of(await a_job_with(storage))).stored_key
    await made(folder, storage)
    for left in ("database-1.dump", "list-1.sqlite-journal", "backup.json#1", f"files/{name}#1", "files/gone.png"):
        (folder / left).touch()
    manifest = await made(folder, storage)
    assert names(folder) == {"backup.json", "backup.lock", "files", manifest.database.name, manifest.list.name}
    assert copied(folder) == {name}


async def test_a_copy_that_a_killed_backup_left_is_not_taken_for_whole(folder: Path, storage: Slow) -> None:
    name = (await output_of(await a_job_with(storage))).stored_key
    with opened_for_writing(folder) as opened:
        opened.copy_of(name).write_bytes(b"pictuer")
    await made(folder, storage)
    assert (folder / "files" / name).read_bytes() == b"picture"

"""A backup is restored with every row and every file into an empty place; what cannot be restored is refused."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import asyncpg
import pytest
from msgspec import structs

from tasks.backup import backup, restore
from tasks.backup.errors import BackupError
from tasks.backup.folder import BackupFolder, opened_for_writing
from tasks.backup.manifest import Manifest, Part
from tasks.backup.rows import only
from tasks.db import ids
from tasks.db.tables import Output, Upload
from tests.factories import person, submitted
from tests.tasks.backup.places import Place, a_job_with, a_job_with_files, an_upload, complete, ignored
from tests.waiting import eventually

NewDatabase = Callable[[], Awaitable[str]]
UNDONE = "2026-12-01T03:06:25:134286"
"""A migration, of which all is undone by DROP TABLE backup_lease."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
async def manifest(folder: Path, here: Place) -> Manifest:
    """Back up a library with a completed and a waiting job."""
    await a_job_with(here.storage)
    await submitted()
    return await backed_up(here, folder)


async def backed_up(place: Place, folder: Path) -> Manifest:
    return await backup.make(folder, place.database, place.storage, ignored, ignored)


async def refused(folder: Path, place: Place) -> str:
    """Restore a backup, and return why it is refused. The database has no tables then, as before."""
    with pytest.raises(BackupError) as caught:
        await restore.restore(folder, place.database, place.storage, ignored)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def damage(path: Path) -> None:
    """Change one byte of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


async def tables_of(place: Place) -> set[str]:
    async with place.database.rows() as rows:
        return {row["name"] async for row in rows(place.database.tables)}


async def number_of(place: Place, table: str) -> int:
    async with place.database.rows() as rows:
        found = await only(rows, f"SELECT count(*) AS number FROM {table}")
        assert found is not None
        return int(found["number"])


async def execute(place: Place, *statements: str) -> None:
    if place.database_url.startswith("sqlite"):
        with closing(sqlite3.connect(place.database_url.removeprefix("sqlite:///"))) as file:
            file.executescript(";".join(statements))
        return
    server = await asyncpg.connect(place.database_url)
    try:
        await server.execute(";".join(statements))
    finally:
        await server.close()


async def test_what_is_said_after_a_restore(folder: Path, manifest: Manifest, elsewhere: Place) -> None:
    ended = await elsewhere.run("restore", folder)
    assert ended.code == 0, ended.errors
    restored, halted = ended.output.splitlines()
    assert restored == f"Restored 2 jobs and 1 file (0.0 MB) of {manifest.made_at:%Y-%m-%d %H:%M} UTC."
    assert halted.startswith("The queue is halted, so that nothing is paid for twice")
    assert "darkroom resume" in halted
    assert (await elsewhere.run("resume")).output.startswith("Resumed the queue. It was halted since")
    assert (await elsewhere.run("resume")).output == "The queue is not halted.\n"


async def test_a_database_that_is_migrated_and_has_no_jobs_is_empty(
    folder: Path, manifest: Manifest, elsewhere: Place
) -> None:
    assert (await elsewhere.run("migrate")).code == 0
    assert (await elsewhere.run("check-files")).code == 0, "it has a library and a storage of its own now"
    await elsewhere.restored(folder)
    assert await number_of(elsewhere, "job") == 2
    assert await elsewhere.wrong_files() == {}


async def test_a_restored_library_is_backed_up_into_the_same_folder(
    folder: Path, manifest: Manifest, elsewhere: Place
) -> None:
    await elsewhere.restored(folder)
    assert (await elsewhere.run("backup", folder)).code == 0
    assert complete(folder).library == manifest.library


async def test_a_backup_of_an_earlier_version_is_migrated(
    folder: Path, manifest: Manifest, elsewhere: Place, new_database: NewDatabase, tmp_path: Path
) -> None:
    await elsewhere.restored(folder)
    await execute(elsewhere, "DROP TABLE backup_lease", f"DELETE FROM migration WHERE name = '{UNDONE}'")
    with opened_for_writing(folder) as opened:
        earlier, _ = opened.new_parts(elsewhere.database.extension)
        async with elsewhere.database.copied(earlier):
            opened.finish(structs.replace(manifest, database=Part.of(earlier)))
    again = Place(await new_database(), tmp_path / "again")
    assert (await again.run("migrate")).code == 0, "it has the table that the backup does not have"
    await again.restored(folder)
    assert await number_of(again, "backup_lease") == 0
    assert await number_of(again, f"migration WHERE name = '{UNDONE}'") == 1
    assert await number_of(again, "job") == 2


@pytest.mark.once
async def test_a_restore_that_is_killed_is_done_again(folder: Path, here: Place, elsewhere: Place) -> None:
    await a_job_with_files(300, here)
    await backed_up(here, folder)

    async def putting() -> bool:
        return len(list(elsewhere.folder.glob("media/*"))) > 50

    process = await elsewhere.started("restore", folder)
    await eventually(putting)
    process.kill()
    await process.communicate()
    assert "job" not in await tables_of(elsewhere)
    await elsewhere.restored(folder)
    assert await number_of(elsewhere, "output") == 300
    assert await elsewhere.wrong_files() == {}


async def test_nobody_ever_sees_the_jobs_without_the_halt(folder: Path, here: Place, elsewhere: Place) -> None:
    await a_job_with_files(300, here)
    for _ in range(100):
        await submitted()
    await backed_up(here, folder)
    assert (await elsewhere.run("migrate")).code == 0
    restoring = asyncio.create_task(elsewhere.run("restore", folder))
    seen = set()
    while not restoring.done():
        async with elsewhere.database.rows() as rows:
            query = "SELECT EXISTS (SELECT 1 FROM job) AS jobs, EXISTS (SELECT 1 FROM halt) AS halted"
            seen |= {(bool(row["jobs"]), bool(row["halted"])) async for row in rows(query)}
    assert (await restoring).code == 0
    assert seen == {(False, False), (True, True)}


async def test_an_upload_that_was_not_stored_yet_is_not_there_after_a_restore(
    folder: Path, here: Place, elsewhere: Place
) -> None:
    key, stored = await an_upload(b"picture"), await an_upload(b"stored")
    await here.storage.put(stored, b"stored")
    await Upload.update({Upload.width: None}).where(Upload.key == stored)
    await backed_up(here, folder)
    await elsewhere.restored(folder)
    async with elsewhere.database.rows() as rows:
        query = "SELECT key, created_at < '1970-01-02' AS removed FROM upload"
        assert {row["key"]: bool(row["removed"]) async for row in rows(query)} == {key: True, stored: False}
    assert (await elsewhere.run("check-files", "--hash")).code == 0


# What is refused.


async def test_no_backup_and_one_that_never_ended_are_refused(folder: Path, elsewhere: Place) -> None:
    assert await refused(folder, elsewhere) == f"There is no folder {folder}"
    await asyncio.to_thread(folder.mkdir)
    assert await refused(folder, elsewhere) == f"{folder} has no backup"
    with opened_for_writing(folder):
        assert await refused(folder, elsewhere) == f"A backup into {folder} is under way"
    assert await refused(folder, elsewhere) == f"{folder} has no complete backup"


async def test_a_backup_of_a_newer_version_is_refused(folder: Path, manifest: Manifest, elsewhere: Place) -> None:
    newer = structs.replace(manifest, version="9.9", migration="2999-01-01T00:00:00:000000")
    with opened_for_writing(folder) as opened:
        opened.finish(newer)
    said = "This backup was made by Darkroom 9.9, which is newer than this one (0.1.0): install that version first"
    assert await refused(folder, elsewhere) == said
    with opened_for_writing(folder) as opened:
        opened.finish(structs.replace(newer, format=2))
    assert await refused(folder, elsewhere) == f"{folder} was written by a newer version of Darkroom: use that one"


async def test_a_backup_of_the_other_database_is_refused(folder: Path, manifest: Manifest, elsewhere: Place) -> None:
    with opened_for_writing(folder) as opened:
        opened.finish(structs.replace(manifest, kind="Oracle"))
    own = elsewhere.database.name
    said = f"This is a backup of Oracle, and DATABASE_URL is {own}: restore it into Oracle"
    assert await refused(folder, elsewhere) == said


@pytest.mark.parametrize("part", ["database", "list"])
async def test_a_damaged_database_or_list_is_refused(
    part: str, folder: Path, manifest: Manifest, elsewhere: Place
) -> None:
    path: Path = folder / getattr(manifest, part).name
    damage(path)
    assert await refused(folder, elsewhere) == f"The backup is damaged: {path} is not as it was written"
    await asyncio.to_thread(path.unlink)
    assert await refused(folder, elsewhere) == f"The backup is not complete: {path} is missing"
    assert await tables_of(elsewhere) == set()


async def test_a_damaged_manifest_is_refused(folder: Path, manifest: Manifest, elsewhere: Place) -> None:
    (folder / "backup.json").write_text('{"format": 1, "library": 5}')
    assert (await refused(folder, elsewhere)).startswith(f"{folder}/backup.json is damaged: ")


async def test_a_file_that_is_missing_or_damaged_is_refused(folder: Path, manifest: Manifest, elsewhere: Place) -> None:
    path = folder / "files" / (await Output.objects())[0].stored_key
    path.write_bytes(b"pictuer")
    assert await refused(folder, elsewhere) == f"The backup is damaged: {path} is not as it was written"
    path.write_bytes(b"pic")
    assert await refused(folder, elsewhere) == f"The backup is damaged: {path} has 3 bytes in place of 7"
    await asyncio.to_thread(path.unlink)
    assert await refused(folder, elsewhere) == f"The backup is not complete: {path} is missing"
    assert await tables_of(elsewhere) == set()
    assert list((elsewhere.folder / "media").iterdir()) == []


async def test_a_file_whose_name_leads_out_of_the_folder_is_refused(folder: Path, manifest: Manifest) -> None:
    with pytest.raises(BackupError, match="is not the name of a file"):
        BackupFolder(folder).copy_of("../backup.json")


async def test_a_database_that_is_not_empty_is_refused(
    folder: Path, manifest: Manifest, here: Place, elsewhere: Place
) -> None:
    taken = Place(here.database_url, elsewhere.folder)
    assert await refused(folder, taken) == "DATABASE_URL: the database is not empty: it has jobs"
    await execute(elsewhere, "CREATE TABLE of_another_program (id INTEGER)")
    said = "it has a table of_another_program, which is not Darkroom's"
    assert await refused(folder, elsewhere) == f"DATABASE_URL: the database is not empty: {said}"


async def test_a_database_with_people_is_not_empty(folder: Path, here: Place, elsewhere: Place) -> None:
    await person("anna")
    await backed_up(here, folder)
    taken = Place(here.database_url, elsewhere.folder)
    assert await refused(folder, taken) == "DATABASE_URL: the database is not empty: it has people"


async def test_a_refusal_is_one_line_and_an_exit_code_of_its_own(folder: Path, elsewhere: Place) -> None:
    ended = await elsewhere.run("restore", folder)
    assert (ended.code, ended.output) == (2, "")
    assert ended.errors.splitlines()[-1] == f"darkroom: There is no folder {folder}"


async def test_storage_that_is_not_empty_or_another_librarys_is_refused(
    folder: Path, manifest: Manifest, elsewhere: Place
) -> None:
    await elsewhere.storage.make_folder()
    await elsewhere.storage.put("other.png", b"other")
    name = elsewhere.storage.name
    said = f"STORAGE_URL: {name} is not empty: it has other.png, which is not of this backup"
    assert await refused(folder, elsewhere) == said
    await elsewhere.storage.delete(["other.png"])
    await elsewhere.storage.make(f'{{"uuid": "{ids.new()}"}}'.encode())
    assert await refused(folder, elsewhere) == f"STORAGE_URL: {name} is the storage of another library"

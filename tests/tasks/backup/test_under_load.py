"""A library is backed up and checked while people make, delete and upload; what is restored is all of one moment."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from tasks.backup import backup, check
from tasks.backup.manifest import Manifest
from tasks.backup.postgres_database import PostgresDatabase
from tasks.backup.sqlite_database import SQLiteDatabase
from tasks.curation import edits, trash
from tasks.db.tables import Job, Output
from tasks.files import uploads
from tests.conftest import POSTGRES, Faults
from tests.factories import person
from tests.tasks.backup.places import Place, Rows, complete, copied, everything_in, ignored
from tests.tasks.samples import picture
from tests.tasks.work import DECODERS, at_work, ended, submitted
from tests.waiting import eventually

ROUNDS = 3
OWN = {"halt", "library", "upload"}
"""The tables in which a restored library differs from the one that was backed up."""


@asynccontextmanager
async def visited(place: Place) -> AsyncIterator[None]:
    """Let visitors make prints, delete every other one for good, and upload files, while the block runs."""
    leaving = asyncio.Event()

    async def make(deletes: bool) -> None:
        while not leaving.is_set():
            job = await submitted("a fox under load")
            await ended(job)
            if deletes:
                await edits.trash(edits.by_ids([job.id]))
                await edits.delete(edits.by_ids([job.id]))
                await trash.clear(place.storage, job.id)

    async def upload(first: int) -> None:
        for width in count(first, 2):
            content = picture(width, 10)

            async def pieces(content: bytes = content) -> AsyncIterator[bytes]:
                yield content

            kept, _ = await uploads.keep(pieces(), place.storage, DECODERS)
            if first % 2:
                assert await uploads.delete(kept, place.storage)
            if leaving.is_set():
                return

    visitors = [asyncio.create_task(each) for each in (*(make(n % 2 == 1) for n in range(6)), upload(10), upload(11))]
    try:
        yield
    finally:
        leaving.set()
        await asyncio.gather(*visitors)


async def snapshot_in(folder: Path, manifest: Manifest, url: str) -> Rows:
    """Return all rows of the database in a backup. url: of an empty database for it, on PostgreSQL."""
    copy = folder / manifest.database.name
    if not POSTGRES:
        return await everything_in(SQLiteDatabase(copy))
    program = await asyncio.create_subprocess_exec("pg_restore", f"--dbname={url}", "--no-owner", copy)
    assert await program.wait() == 0
    return await everything_in(PostgresDatabase(url))


async def test_a_backup_under_load_is_restored_with_all_rows_and_files_of_its_moment(
    here: Place, elsewhere: Place, faults: Faults, new_database: Callable[[], Awaitable[str]], tmp_path: Path
) -> None:
    folder, reports = tmp_path / "backup", list[str]()
    await person("anna")
    async with at_work(storage=here.storage):
        before = await ended(await submitted("a fox that nobody touches"))
        async with visited(here):
            for _ in range(ROUNDS):
                already = await Output.count()

                async def more(already: int = already) -> bool:
                    return bool(await Output.count() > already + 3)

                await eventually(more)
                manifest = await backup.make(folder, here.database, here.storage, reports.append, ignored)
                assert complete(folder) == manifest
                assert manifest.files == len(copied(folder))
                found = await check.check(here.database, here.storage, True, reports.append, ignored)
                assert found.good, reports
        assert reports == []
    await elsewhere.restored(folder)
    was, restored = await snapshot_in(folder, manifest, await new_database()), await everything_in(elsewhere.database)
    assert was.keys() == restored.keys()
    assert {name: rows for name, rows in restored.items() if name not in OWN} == {
        name: rows for name, rows in was.items() if name not in OWN
    }
    assert len(restored["job"]) > ROUNDS
    assert (len(was["halt"]), len(restored["halt"]), len(restored["library"])) == (0, 1, 1)
    for row in set(was["upload"]) - set(restored["upload"]):  # they were not stored yet
        assert not any(name in row for name in copied(folder) if name.startswith("upload-"))
    assert str(before.job.id) in str(restored["job"])
    assert await elsewhere.wrong_files() == {}
    checked = await elsewhere.run("check-files", "--hash")
    assert checked.code == 0, checked.output
    assert " 0 missing, 0 with another size, 0 with another content. Files that no row names: 0." in checked.output
    assert await Job.count().where(Job.status == "running") == 0

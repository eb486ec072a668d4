"""`darkroom restore`: puts a backup into an empty place, where the queue is halted until a user resumes it.

The files come first, then the mark of the storage, and the database last, in one step together with the halt. So when a
restore is killed, the place still counts as empty, and the next one goes on.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib import metadata
from itertools import islice
from pathlib import Path
from uuid import UUID

from tasks.backup.copies import digest_of
from tasks.backup.databases import Database
from tasks.backup.errors import BackupError
from tasks.backup.file_list import Copy, FileList
from tasks.backup.folder import BackupFolder, opened_for_reading
from tasks.backup.manifest import Manifest
from tasks.backup.many import Progress, Tell, for_each
from tasks.backup.named_files import NamedFile
from tasks.backup.rows import Rows, only
from tasks.db.database import connected, known_migrations, now
from tasks.db.tables import TABLES
from tasks.errors import Failure
from tasks.files import library_mark, uploads
from tasks.files.storage import Storage, why

OWN_TABLES = {table._meta.tablename for table in TABLES} | {"migration", "job_words"}
OWN_PREFIXES = ("job_search", "sqlite_")  # the full-text search of SQLite, and what is its own
OCCUPANTS = {"job": "jobs", "upload": "uploaded files", "person": "people"}
"""The tables that are empty in an empty database, and what their rows are."""
UPLOADS_AT_ONCE = 100


async def restore(path: Path, database: Database, storage: Storage, tell: Tell) -> Manifest:
    """Restore a backup into an empty database and an empty storage. Returns what was in the backup.

    Call this before the database is opened: it is replaced, then migrated. Raises BackupError when the place is not
    empty, the backup is not complete, damaged, newer than this code or of another kind of database, or when storage
    fails. Raises DatabaseAway.
    """
    with _in_words(storage), opened_for_reading(path) as folder:
        tell("Checking the backup")
        manifest = _fitting(folder, database)
        copy = await asyncio.to_thread(folder.part, manifest.database)
        with FileList.read(await asyncio.to_thread(folder.part, manifest.list)) as files:
            _all_there(files, folder)
            await _empty(database, storage, manifest, files)
            await _put_files(files, folder, storage, tell)
            tell("Loading the database")
            await library_mark.mark_restored(storage, manifest.library)
            await database.load(copy, [_halt(manifest.made_at)])
            async with connected():
                if reason := await library_mark.begin(storage):
                    raise BackupError(f"STORAGE_URL: {reason}")
                await _write_off_uploads(files)
    return manifest


@contextmanager
def _in_words(storage: Storage) -> Iterator[None]:
    """Raise BackupError in place of the errors of storage, of SQLite and of files while the block runs."""
    try:
        yield
    except OSError as error:  # also a TimeoutError, which says nothing
        words = str(error.strerror or error) or "no answer in time"
        raise BackupError(f"{error.filename or storage.name}: {words}") from error
    except sqlite3.Error as error:
        raise BackupError(f"DATABASE_URL: {error}") from error
    except Failure as failure:
        raise BackupError(f"STORAGE_URL: {why(failure)}") from failure


def _fitting(folder: BackupFolder, database: Database) -> Manifest:
    """Return the manifest of a backup that this version can restore into this database. Raises BackupError."""
    manifest = folder.manifest()
    if manifest is None:
        raise BackupError(f"{folder.path} has no complete backup")
    if manifest.kind != database.name:
        raise BackupError(
            f"This is a backup of {manifest.kind}, and DATABASE_URL is {database.name}: restore it into {manifest.kind}"
        )
    if manifest.migration not in known_migrations():
        raise BackupError(
            f"This backup was made by Darkroom {manifest.version}, which is newer than this one"
            f" ({metadata.version('darkroom')}): install that version first"
        )
    return manifest


def _all_there(files: FileList, folder: BackupFolder) -> None:
    """Check that all copies are there with their sizes. Raises BackupError."""
    for file, copy in files.files():
        if copy is not None:
            path, size = folder.copy_of(file.name), folder.size_of(file.name)
            if size is None:
                raise BackupError(f"The backup is not complete: {path} is missing")
            if size != copy.bytes:
                raise BackupError(f"The backup is damaged: {path} has {size:,} bytes in place of {copy.bytes:,}")


async def _empty(database: Database, storage: Storage, manifest: Manifest, files: FileList) -> None:
    """Check that database and storage are empty, but for files of this very backup. Raises BackupError."""
    async with database.rows() as rows:
        tables = {row["name"] async for row in rows(database.tables)}
        library = await _library_of_empty(rows, tables)
    await storage.make_folder()
    if await library_mark.owner(storage) not in (None, library, manifest.library):
        raise BackupError(f"STORAGE_URL: {storage.name} is the storage of another library")
    async for portion in storage.listing():
        files.see(portion)
    for name, _ in files.strays():
        raise BackupError(f"STORAGE_URL: {storage.name} is not empty: it has {name}, which is not of this backup")


async def _library_of_empty(rows: Rows, tables: set[str]) -> UUID | None:
    """Return the id of the library that an empty database has, if there is one. Raises BackupError."""
    for table in sorted(tables - OWN_TABLES):
        if not table.startswith(OWN_PREFIXES):
            raise BackupError(
                f"DATABASE_URL: the database is not empty: it has a table {table}, which is not Darkroom's"
            )
    for table, what in OCCUPANTS.items():
        if table in tables and await only(rows, f"SELECT 1 FROM {table} LIMIT 1") is not None:
            raise BackupError(f"DATABASE_URL: the database is not empty: it has {what}")
    row = await only(rows, "SELECT uuid FROM library") if "library" in tables else None
    return UUID(str(row["uuid"])) if row else None


async def _put_files(files: FileList, folder: BackupFolder, storage: Storage, tell: Tell) -> None:
    """Put the files that storage does not have yet there. Each is read and compared with its hash first."""

    async def put(listed: tuple[NamedFile, Copy | None]) -> None:
        file, copy = listed
        if copy is None or files.saw(file.name) == copy.bytes:
            return
        path = folder.copy_of(file.name)
        if await digest_of(path) != copy.sha256:
            raise BackupError(f"The backup is damaged: {path} is not as it was written")
        with await asyncio.to_thread(path.open, "rb") as content:
            await storage.put(file.name, content)

    await for_each(files.files(), put, Progress("Files restored", files.number(), tell))


def _halt(made_at: datetime) -> str:
    """Return the statement that halts the queue, as library_mark.py does when it finds a database that is too old.

    It is part of the transaction that loads the jobs: a worker that runs already never sees them without it.
    """
    message, moment = library_mark.restored_message(made_at).replace("'", "''"), now()
    return (
        "INSERT INTO halt (id, code, message, since, probe_at)"
        f" VALUES (1, 'restored', '{message}', '{moment}', '{moment}')"
        f" ON CONFLICT (id) DO UPDATE SET code = 'restored', message = '{message}', since = '{moment}', job = NULL"
    )


async def _write_off_uploads(files: FileList) -> None:
    """Write off the uploads that were not stored yet when they were backed up. Nothing names them but their rows."""
    lost = (file.row for file in files.without_copy() if file.job is None and file.part == "file")
    while keys := list(islice(lost, UPLOADS_AT_ONCE)):
        await uploads.write_off(keys)

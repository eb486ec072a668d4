"""`darkroom backup`: copies the database as of one moment, then every file that its rows name, while the system works.

Files never change, and while the backup holds its lease none is removed. So all files of that moment are still there.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from uuid import UUID

from tasks.backup.copies import copy_files, fetched
from tasks.backup.databases import Database
from tasks.backup.errors import BackupError
from tasks.backup.file_list import FileList
from tasks.backup.folder import BackupFolder, opened_for_writing
from tasks.backup.manifest import FORMAT, Manifest, Part
from tasks.backup.many import Say, Tell
from tasks.backup.named_files import named
from tasks.backup.rows import Rows, only
from tasks.db.database import now
from tasks.db.tables import Library
from tasks.errors import Failure
from tasks.files import backup_leases, library_mark, uploads
from tasks.files.backup_leases import LEASE_SECONDS, LeaseLost
from tasks.files.storage import Storage, why


async def make(path: Path, database: Database, storage: Storage, say: Say, tell: Tell) -> Manifest:
    """Back up the library into a folder, which may have an earlier backup. Returns what is in it now.

    A file that rows name and that storage lacks, or has with another content, is said in a line and counted. Raises
    BackupError when no backup was made: the earlier one is still there then. Raises DatabaseAway.
    """
    with _in_words(path), opened_for_writing(path) as folder:
        try:
            before = folder.manifest()
            library = await _library(storage)
            if before is not None and before.library != library:
                raise BackupError(f"{path} has the backup of another library: choose another folder")
            folder.clear_leftovers()
            manifest, files = await _copied(folder, before, library, database, storage, say, tell)
            folder.finish(manifest)
            with FileList.read(files) as listed:
                folder.prune(listed)
        finally:
            with suppress(OSError, BackupError):  # of what was not finished, or of the backup before
                folder.clear_leftovers()
    return manifest


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Raise BackupError in place of the errors of the folder and of storage while the block runs."""
    try:
        yield
    except OSError as error:
        raise BackupError(f"Cannot write to {path}: {error.strerror or error}") from error
    except sqlite3.Error as error:
        raise BackupError(f"Cannot copy the database to {path}: {error}") from error
    except Failure as failure:
        raise BackupError(f"STORAGE_URL: {why(failure)}") from failure
    except LeaseLost:
        seconds = f"{LEASE_SECONDS:.0f} s"
        raise BackupError(
            f"The backup stood still for more than {seconds}, so files may be missing: run it again. It goes on with"
            " the files that it has copied"
        ) from None


async def _library(storage: Storage) -> UUID:
    """Return the id of the library. Raises BackupError when storage is not the library's."""
    reason, row = await library_mark.check(storage), await Library.objects().first()
    if reason or row is None:
        raise BackupError(f"STORAGE_URL: {reason}")
    return row.uuid


async def _copied(
    folder: BackupFolder,
    before: Manifest | None,
    library: UUID,
    database: Database,
    storage: Storage,
    say: Say,
    tell: Tell,
) -> tuple[Manifest, Path]:
    """Copy everything into the folder. Returns a manifest of it, and the path of the list of files."""
    copy, listed = folder.new_parts(database.extension)
    async with backup_leases.taken() as lease:
        with FileList.new(listed) as files:
            tell("Copying the database")
            made_at = now()
            async with database.copied(copy) as rows:
                migration, jobs = await _facts(rows)
                await files.add(named(rows))
            if before is not None:
                files.adopt(folder.path / before.list.name)
            await copy_files(files, folder, storage, tell)
            await _fetch_uploads(files, folder, storage)
            number, size = files.copies()
            missing, damaged = await _say_missing(files, say), _say_damaged(files, say)
        await lease.renew()
    manifest = Manifest(
        format=FORMAT, library=library, version=metadata.version("darkroom"), migration=migration, made_at=made_at,
        kind=database.name, database=Part.of(copy), list=Part.of(listed), jobs=jobs, files=number, bytes=size,
        missing=missing, damaged=damaged,
    )  # fmt: skip
    return manifest, listed


async def _facts(rows: Rows) -> tuple[str, int]:
    """Return the latest migration of the database, and how many jobs it has."""
    migration = await only(rows, "SELECT max(name) AS name FROM migration WHERE app_name = 'darkroom'")
    jobs = await only(rows, "SELECT count(*) AS number FROM job WHERE deleted_at IS NULL")
    assert migration is not None
    assert jobs is not None
    return migration["name"], jobs["number"]


async def _fetch_uploads(files: FileList, folder: BackupFolder, storage: Storage) -> None:
    """Look again for the files of uploads that were being stored: an upload's row is first, and its preview next.

    Files come before previews here, so that no upload is copied without its preview.
    """
    for file in [file for file in files.without_copy() if file.job is None]:
        files.set_copy(file.name, await fetched(file.name, storage, folder.copy_of(file.name)))


async def _say_missing(files: FileList, say: Say) -> int:
    """Say which files storage does not have. Uploads that no job uses yet may not be stored yet, and do not count."""
    missing = 0
    for file in files.without_copy():
        if file.job is not None or await uploads.is_used(file.row):
            say(f"missing  {file}")
            missing += 1
    return missing


def _say_damaged(files: FileList, say: Say) -> int:
    damaged = 0
    for file in files.with_other_copy():
        say(f"damaged  {file}")
        damaged += 1
    return damaged

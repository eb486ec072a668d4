"""Copies a SQLite database while others write to it, and loads such a copy."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from threading import Event

import aiosqlite

from tasks.backup.errors import BackupError
from tasks.backup.rows import Row, Rows

STEP_PAGES = 2000  # copied at a time: 8 MB
FETCHED_ROWS = 1000
BUSY_TIMEOUT = 30.0  # seconds


class SQLiteDatabase:
    """The database in a file. Its methods are those of PostgresDatabase."""

    name = "SQLite"
    extension = "sqlite"
    tables = "SELECT name FROM sqlite_master WHERE type = 'table'"

    def __init__(self, path: Path) -> None:
        self._path = path

    @asynccontextmanager
    async def rows(self) -> AsyncIterator[Rows]:
        """Yield what reads the database as of one moment."""
        async with _reader(str(self._path)) as rows:
            yield rows

    @asynccontextmanager
    async def copied(self, target: Path) -> AsyncIterator[Rows]:
        """Copy the database as of one moment to a new file, which is on the disk then, and yield what reads the copy.

        Raises BackupError when the database is damaged, and OSError or sqlite3.Error when it cannot be written.
        """
        called_off = Event()
        try:
            await asyncio.to_thread(_copy, self._path, target, called_off)
        finally:
            called_off.set()  # a thread continues when nothing waits for it any more
        async with _reader(unchanged(target)) as rows:
            yield rows

    async def load(self, copy: Path, changes: Sequence[str]) -> None:
        """Replace everything in the database with a copy, changed by some statements: all of it at once, or nothing."""
        await asyncio.to_thread(_load, copy, self._path, changes)


def unchanged(path: Path) -> str:
    """Return the URI of a database that nobody writes to: it is read without a lock, and without a file beside it."""
    return f"{path.absolute().as_uri()}?mode=ro&immutable=1"


@asynccontextmanager
async def _reader(uri: str) -> AsyncIterator[Rows]:
    async with aiosqlite.connect(
        uri, iter_chunk_size=FETCHED_ROWS, uri=uri.startswith("file:"), timeout=BUSY_TIMEOUT, isolation_level=None
    ) as connection:
        connection.row_factory = sqlite3.Row
        await connection.execute("PRAGMA query_only = ON")
        await connection.execute("BEGIN")

        async def rows(query: str) -> AsyncGenerator[Row, None]:
            async with connection.execute(query) as cursor:
                async for row in cursor:
                    yield dict(row)

        yield rows


def _copy(source: Path, target: Path, called_off: Event) -> None:
    def step(*_: int) -> None:
        if called_off.is_set():
            raise InterruptedError

    with closing(sqlite3.connect(source, isolation_level=None)) as running, closing(sqlite3.connect(target)) as copy:
        # A transaction keeps the moment: without it, SQLite begins again whenever another process has written.
        running.execute("BEGIN")
        running.execute("SELECT count(*) FROM sqlite_master").fetchone()
        running.backup(copy, pages=STEP_PAGES, progress=step)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        [found] = copy.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise BackupError(f"The database {source} is damaged: {found}")


def _load(copy: Path, target: Path, changes: Sequence[str]) -> None:
    changed = target.with_name(f"{target.name}.restoring")
    changed.unlink(missing_ok=True)
    try:
        shutil.copyfile(copy, changed)
        with closing(sqlite3.connect(changed)) as new, closing(sqlite3.connect(target, timeout=BUSY_TIMEOUT)) as old:
            for change in changes:
                new.execute(change)
            new.commit()
            new.backup(old)  # in one transaction, also for those who have the file open
    finally:
        changed.unlink(missing_ok=True)

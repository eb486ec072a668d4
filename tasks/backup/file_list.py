"""The list of a library's files, in a small SQLite database: hundreds of thousands of names need not fit in memory."""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tasks.backup.named_files import NamedFile
from tasks.backup.sqlite_database import unchanged

ROWS_PER_PAGE = 1000
NAMED = "file.name, file.row, file.job, file.part, file.bytes, file.sha256"
TABLE = (
    "CREATE TABLE file (name TEXT PRIMARY KEY, row TEXT NOT NULL, job TEXT, part TEXT NOT NULL, bytes INTEGER,"
    " sha256 TEXT, copy_bytes INTEGER, copy_sha256 TEXT) WITHOUT ROWID"
)
SEEN = "CREATE TEMP TABLE seen (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID"
ADOPT = (
    "UPDATE file SET (copy_bytes, copy_sha256) ="
    " (SELECT copy_bytes, copy_sha256 FROM earlier.file AS before WHERE before.name = file.name)"
)
WRONG = (
    f"SELECT {NAMED}, seen.bytes FROM file LEFT JOIN temp.seen ON seen.name = file.name WHERE seen.bytes IS NULL"
    " OR CASE WHEN file.bytes IS NULL THEN seen.bytes = 0 ELSE seen.bytes <> file.bytes END"
)
STRAYS = "SELECT name, bytes FROM temp.seen WHERE NOT EXISTS (SELECT 1 FROM file WHERE file.name = seen.name)"


@dataclass(frozen=True, slots=True)
class Copy:
    """The copy of a file in a backup. sha256: of the copy, in hexadecimal."""

    bytes: int
    sha256: str


class FileList:
    """The files that rows name, with their copies in a backup, and the files that were seen in a storage."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database
        self._db.execute(SEEN)

    @classmethod
    def new(cls, path: Path | None = None) -> Self:
        """Begin an empty list in a new file or, without a path, in a temporary one, which is gone when it is closed."""
        database = sqlite3.connect(path.absolute() if path else "", uri=True)
        database.execute(TABLE)
        return cls(database)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Open a list that is not changed any more."""
        return cls(sqlite3.connect(unchanged(path), uri=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is None:
            self._db.commit()
        self._db.close()

    async def add(self, files: AsyncIterator[NamedFile]) -> None:
        """Add files that rows name. A name that comes again is added once."""
        batch: list[tuple[Any, ...]] = []
        async for file in files:
            batch.append((file.name, file.row, file.job, file.part, file.bytes, file.sha256))
            if len(batch) == ROWS_PER_PAGE:
                self._insert(batch)
                batch.clear()
        self._insert(batch)

    def adopt(self, earlier: Path) -> None:
        """Take over the copies of an earlier list, as far as it can be read."""
        self._db.commit()
        with suppress(sqlite3.Error):  # it may be damaged: then the copies are looked at one by one
            self._db.execute("ATTACH ? AS earlier", (unchanged(earlier),))
            self._db.execute(ADOPT)
            self._db.commit()
            self._db.execute("DETACH earlier")

    def number(self) -> int:
        """Return how many files there are."""
        return int(self._db.execute("SELECT count(*) FROM file").fetchone()[0])

    def without_hash(self) -> int:
        """Return how many files have no hash in their row."""
        return int(self._db.execute("SELECT count(*) FROM file WHERE sha256 IS NULL").fetchone()[0])

    def copies(self) -> tuple[int, int]:
        """Return how many files have a copy, and how many bytes these copies have."""
        number, size = self._db.execute("SELECT count(copy_bytes), coalesce(sum(copy_bytes), 0) FROM file").fetchone()
        return int(number), int(size)

    def files(self) -> Iterator[tuple[NamedFile, Copy | None]]:
        """Yield the files in order of their names, each with its copy, if it has one. Copies may be set meanwhile."""
        last = ""
        page = f"SELECT {NAMED}, copy_bytes, copy_sha256 FROM file WHERE name > ? ORDER BY name LIMIT {ROWS_PER_PAGE}"
        while rows := self._db.execute(page, (last,)).fetchall():
            for *named, size, sha256 in rows:
                yield NamedFile(*named), None if size is None else Copy(size, sha256)
            last = rows[-1][0]

    def without_copy(self) -> Iterator[NamedFile]:
        """Yield the files that have no copy, previews and thumbnails last."""
        for named in self._db.execute(f"SELECT {NAMED} FROM file WHERE copy_bytes IS NULL ORDER BY part, name"):
            yield NamedFile(*named)

    def with_other_copy(self) -> Iterator[NamedFile]:
        """Yield the files whose copy is not what their row says."""
        for named in self._db.execute(f"SELECT {NAMED} FROM file WHERE copy_sha256 <> sha256 ORDER BY name"):
            yield NamedFile(*named)

    def set_copy(self, name: str, copy: Copy | None) -> None:
        """Set the copy of a file."""
        values = (copy.bytes, copy.sha256, name) if copy else (None, None, name)
        self._db.execute("UPDATE file SET copy_bytes = ?, copy_sha256 = ? WHERE name = ?", values)

    def unknown(self, names: Iterable[str]) -> list[str]:
        """Return those of some names that no file here has."""
        found = "SELECT 1 FROM file WHERE name = ?"
        return [name for name in names if self._db.execute(found, (name,)).fetchone() is None]

    def see(self, files: Iterable[tuple[str, int]]) -> None:
        """Note names and sizes of files that were seen in storage."""
        self._db.executemany("INSERT OR REPLACE INTO temp.seen VALUES (?, ?)", files)

    def saw(self, name: str) -> int | None:
        """Return the size of a file that was seen, in bytes, or None when it was not."""
        row = self._db.execute("SELECT bytes FROM temp.seen WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else None

    def overlook(self, name: str) -> None:
        """Forget that a file was seen."""
        self._db.execute("DELETE FROM temp.seen WHERE name = ?", (name,))

    def wrong(self) -> Iterator[tuple[NamedFile, int | None]]:
        """Yield the files that were not seen, or with another size than their row says, each with the size seen."""
        for *named, size in self._db.execute(WRONG):
            yield NamedFile(*named), size

    def strays(self) -> Iterator[tuple[str, int]]:
        """Yield names and sizes of files that were seen, and are none of these."""
        yield from self._db.execute(STRAYS)

    def _insert(self, rows: list[tuple[Any, ...]]) -> None:
        self._db.executemany(
            f"INSERT OR IGNORE INTO file ({NAMED.replace('file.', '')}) VALUES (?, ?, ?, ?, ?, ?)", rows
        )

"""`darkroom check-files`: compares the rows that name files with the files in storage, both ways, while all goes on.

Storage is listed first, then the rows are read: what is being stored has a row before it has a file. A file that a row
names and that was not seen may have been stored, or deleted, since. So each suspect is looked at once more.
"""

import asyncio
import sqlite3
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256

from tasks.backup.databases import Database
from tasks.backup.errors import BackupError
from tasks.backup.file_list import Copy, FileList
from tasks.backup.many import Progress, Say, Tell, for_each
from tasks.backup.named_files import NamedFile, leaving, named
from tasks.db.tables import Output
from tasks.errors import Failure
from tasks.files import library_mark, uploads
from tasks.files.storage import Storage, why

STILL_NAMED = "SELECT 1 FROM output JOIN job ON job.id = output.job WHERE output.id = {} AND job.deleted_at IS NULL"


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check has found. files: how many files rows name. without_hash: of these, how many have no known hash.

    missing, other_size, other_content: how many of the files are so. orphans: how many files no row names.
    """

    files: int
    without_hash: int
    missing: int
    other_size: int
    other_content: int
    orphans: int

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missing or self.other_size or self.other_content or self.orphans)


async def check(database: Database, storage: Storage, by_hash: bool, say: Say, tell: Tell) -> Findings:
    """Compare rows with files, and say in a line what is wrong with which. Changes and deletes nothing.

    by_hash: whether to read all files whose rows have a hash. Raises BackupError when storage cannot be used, and
    DatabaseAway.
    """
    if reason := await library_mark.check(storage):
        raise BackupError(f"STORAGE_URL: {reason}")
    try:
        with FileList.new() as files:
            tell("Listing the files in storage")
            async for portion in storage.listing():
                files.see(portion)
            async with database.rows() as rows:
                await files.add(named(rows))
                async for name in leaving(rows):
                    files.overlook(name)
            return await _Check(files, storage, say, tell).findings(by_hash)
    except Failure as failure:
        raise BackupError(f"STORAGE_URL: {why(failure)}") from failure
    except sqlite3.Error as error:  # of the database, or of the list in a temporary file
        raise BackupError(f"Cannot read the database: {error}") from error


class _Check:
    """A check of files that are listed and were seen."""

    def __init__(self, files: FileList, storage: Storage, say: Say, tell: Tell) -> None:
        self._files, self._storage, self._say, self._tell = files, storage, say, tell
        self._found: Counter[str] = Counter()

    async def findings(self, by_hash: bool) -> Findings:
        """Look at all suspects, and say which of them something is wrong with."""
        number = self._files.number()
        await for_each(self._files.wrong(), self._suspect, Progress("Files looked at again", None, self._tell))
        await for_each(self._files.strays(), self._stray, Progress("Files without a row", None, self._tell))
        if by_hash:
            await for_each(self._files.files(), self._content, Progress("Files read", number, self._tell))
        found = self._found
        return Findings(
            number, self._files.without_hash(), found["missing"], found["size"], found["content"], found["orphan"]
        )

    async def _suspect(self, suspect: tuple[NamedFile, int | None]) -> None:
        file, _ = suspect
        if not await _is_needed(file):
            return
        stored = await self._storage.head(file.name)
        if stored is None:
            if await _is_needed(file):
                self._note("missing", str(file))
        elif stored.size != (file.bytes or stored.size) or not stored.size:
            expected = "" if file.bytes is None else f" in place of {file.bytes:,}"
            self._note("size", f"{file}: {stored.size:,} bytes{expected}")

    async def _stray(self, stray: tuple[str, int]) -> None:
        name, size = stray
        if await self._storage.head(name) is not None:
            self._note("orphan", f"{name}: {size:,} bytes")

    async def _content(self, listed: tuple[NamedFile, Copy | None]) -> None:
        file, _ = listed
        if file.bytes is None or self._files.saw(file.name) != file.bytes:
            return
        digest = sha256()
        try:
            async for piece in self._storage.read(file.name, 0, file.bytes):
                await asyncio.to_thread(digest.update, piece)
        except Failure:
            if await _is_needed(file):
                raise
        else:
            if digest.hexdigest() != file.sha256:
                self._note("content", str(file))

    def _note(self, kind: str, words: str) -> None:
        self._found[kind] += 1
        self._say(f"{kind:<9}{words}")


async def _is_needed(file: NamedFile) -> bool:
    """Return whether a row still names a file, and the file has to be there.

    The row of an upload is written before its file. A job names it only when it is stored; if none does, it is removed
    within a day.
    """
    if file.job is None:
        return await uploads.find(file.row) is not None and await uploads.is_used(file.row)
    return bool(await Output.raw(STILL_NAMED, file.row))

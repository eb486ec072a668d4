"""Copies the files of a library from storage into the folder of a backup: those that it does not have yet."""

import asyncio
import os
from hashlib import file_digest, sha256
from pathlib import Path
from secrets import randbelow
from typing import IO

from tasks.backup.file_list import Copy, FileList
from tasks.backup.folder import BackupFolder
from tasks.backup.many import Progress, Tell, for_each
from tasks.backup.named_files import NamedFile
from tasks.files.storage import Storage


async def copy_files(files: FileList, folder: BackupFolder, storage: Storage, tell: Tell) -> None:
    """Copy the listed files, and list their copies. A file that storage does not have stays without a copy.

    Raises OSError when the folder cannot be written, and Failure when storage fails.
    """

    async def copy(listed: tuple[NamedFile, Copy | None]) -> None:
        file, known = listed
        found = await _there(file, known, folder)
        if found is None:
            found = await fetched(file.name, storage, folder.copy_of(file.name))
        if found != known:
            files.set_copy(file.name, found)

    await for_each(files.files(), copy, Progress("Files looked at", files.number(), tell))


async def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal. Raises OSError."""
    with await asyncio.to_thread(path.open, "rb") as file:
        return (await asyncio.to_thread(file_digest, file, "sha256")).hexdigest()


async def fetched(name: str, storage: Storage, path: Path) -> Copy | None:
    """Copy a file from storage: all of it, on the disk, or nothing. Returns None when storage does not have it."""
    stored = await storage.head(name)
    if stored is None:
        return None
    staged, digest = path.with_name(f"{name}#{randbelow(10**9)}"), sha256()

    def append(piece: bytes) -> None:
        digest.update(piece)
        output.write(piece)

    try:
        with await asyncio.to_thread(staged.open, "xb") as output:
            async for piece in storage.read(name, 0, stored.size):
                await asyncio.to_thread(append, piece)
            await asyncio.to_thread(_flushed, output)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
    return Copy(stored.size, digest.hexdigest())


async def _there(file: NamedFile, known: Copy | None, folder: BackupFolder) -> Copy | None:
    """Return the copy of a file that an earlier backup made, or None when it has to be made.

    Files never change, so the size is enough for a copy that is listed. The copies of a backup that was killed are not.
    """
    size = folder.size_of(file.name)
    if not size or (known is not None and size != known.bytes):
        return None
    found = known or Copy(size, await digest_of(folder.copy_of(file.name)))
    return found if found.sha256 == (file.sha256 or found.sha256) else None


def _flushed(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())

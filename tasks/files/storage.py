"""Stores files in a folder, S3, Google Cloud or Azure behind one small interface."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from secrets import randbelow
from stat import S_ISREG
from threading import Event
from typing import IO, Self

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from tasks.errors import Failure
from tasks.settings import SettingsError, folder_of

PIECE = 1024 * 1024  # bytes read at a time; smaller pieces make S3 slow, larger ones cost memory for each viewer
PATIENCE = timedelta(seconds=30)  # how long obstore retries by itself
BUCKETS = ("s3://", "gs://", "az://")
PROBE, MARK = ".probe", ".darkroom"  # hidden: no key of ours begins with a dot
STAGED = re.compile(r".+#[0-9]+", re.DOTALL)
"""The name of a file in a folder before it gets its key's name. obstore refuses and hides keys that look like this."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The metadata of a file, known without reading it. etag: a strong ETag, with its quotes."""

    size: int
    etag: str
    modified: datetime


class Storage:
    """Finished files by key. A key names a whole file or nothing: a partial file is never visible.

    A folder that is not mounted looks like an empty one. So when the library's mark is missing, nothing is stored and
    no file is reported as absent. See tasks/files/library_mark.py.

    Each method raises Failure("storage_unavailable"), which may pass, when storage does not do what is requested.

    name: the name that the operator knows. ours: whether it is this library's storage, as of the last look at its mark;
    None when the mark is not checked.
    """

    def __init__(self, store: ObjectStore | Path, name: str = "storage") -> None:
        self._place, self.name = store, name
        self.ours: bool | None = None

    @classmethod
    def open(cls, url: str) -> Self:
        """Open STORAGE_URL: a folder (relative ones start at the checkout) or a file://, s3://, gs:// or az:// URL.

        Does not access the storage yet. Raises SettingsError when the URL is invalid.
        """
        try:
            if (folder := folder_of(url)) is not None:
                return cls(folder, str(folder))
            if not url.startswith(BUCKETS):
                raise ValueError(f"must be a folder or start with file://, {', '.join(BUCKETS[:-1])} or {BUCKETS[-1]}")
            # No client_options: obstore would use them instead of the environment (AWS_ALLOW_HTTP, proxies).
            return cls(from_url(url, retry_config={"retry_timeout": PATIENCE}), url)
        except (BaseError, ValueError) as error:
            raise SettingsError(f"STORAGE_URL={url!r}: {_in_short(error)}") from error

    async def put(self, key: str, content: IO[bytes] | bytes) -> None:
        """Store a file under a key, replacing any earlier one. An open file is read from its current position."""
        with _as_failures():
            await self._must_be_ours()
            await self._write(key, content)

    async def delete(self, keys: Iterable[str]) -> None:
        """Delete files. A missing file is not an error."""
        for key in keys:  # one by one: a folder's bulk delete stops at the first missing file
            with _as_failures():
                try:
                    await self._store.delete_async(key)
                except FileNotFoundError:
                    await self._must_be_ours()

    async def head(self, key: str) -> Stored | None:
        """Return the metadata of a file, or None when there is none."""
        with _as_failures():
            try:
                meta = await self._store.head_async(key)
            except FileNotFoundError:
                await self._must_be_ours()
                return None
        etag = meta["e_tag"] or f'"{meta["last_modified"].timestamp():.6f}-{meta["size"]}"'
        return Stored(meta["size"], etag, meta["last_modified"])

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` up to, but not including, `end`. Holds nothing open between two pieces."""
        for offset in range(start, end, PIECE):
            until = min(offset + PIECE, end)
            with _as_failures():
                piece = await self._store.get_range_async(key, start=offset, end=until)
            if len(piece) < until - offset:  # the file was cut short meanwhile
                raise unavailable()
            yield bytes(piece)

    async def listing(self) -> AsyncIterator[list[tuple[str, int]]]:
        """Yield the keys and sizes of all files, portion by portion, without half-written and hidden ones."""
        with _as_failures():
            await self._must_be_ours()
            async for portion in self._store.list():
                yield [(meta["path"], meta["size"]) for meta in portion if not meta["path"].startswith(".")]

    async def sweep(self, older_than: timedelta = timedelta(hours=1)) -> int:
        """Delete the half-written files that killed writers left in a folder, and return how many were deleted.

        Keeps files written to more recently than `older_than`: another process may still be writing them. Buckets show
        no unfinished files; their own lifecycle rules remove them.
        """
        if not isinstance(self._place, Path):
            return 0
        with _as_failures():
            return await asyncio.to_thread(_sweep, self._place, datetime.now(UTC) - older_than)

    async def check(self, within: float = 5.0) -> str | None:
        """Write and delete a hidden file. Returns why that did not work within `within` seconds, or None."""
        try:
            async with asyncio.timeout(within):
                await self.put(PROBE, b"darkroom")
                await self.delete([PROBE])
        except TimeoutError:
            return f"storage did not answer within {within:g} s"
        except Failure as failure:
            return why(failure)
        return None

    async def mark(self) -> bytes | None:
        """Return the library's mark, or None when there is none."""
        with _as_failures(), suppress(FileNotFoundError):
            if isinstance(self._place, Path):
                return await asyncio.to_thread((self._place / MARK).read_bytes)
            return bytes(await (await self._place.get_async(MARK)).bytes_async())
        return None

    async def set_mark(self, content: bytes) -> None:
        """Write the library's mark, replacing the old one. It is on the disk when this returns."""
        with _as_failures():
            await self._must_be_ours()
            await self._write(MARK, content)

    async def make(self, mark: bytes) -> None:
        """Make this a library's storage: create the folder, if it is a folder, and write the mark."""
        await self.make_folder()
        with _as_failures():
            await self._write(MARK, mark)

    async def make_folder(self) -> None:
        """Create the folder, if it is a folder and is not there."""
        with _as_failures():
            if isinstance(self._place, Path):
                await asyncio.to_thread(self._place.mkdir, parents=True, exist_ok=True)

    async def _write(self, key: str, content: IO[bytes] | bytes) -> None:
        if isinstance(self._place, Path):
            await _write(self._place, key, content)
        else:
            await self._place.put_async(key, content)

    @property
    def _store(self) -> ObjectStore:
        return LocalStore(self._place) if isinstance(self._place, Path) else self._place

    async def _must_be_ours(self) -> None:
        """Raise FileNotFoundError when this is not, or no longer, the library's storage."""
        ours = self.ours
        if ours and isinstance(self._place, Path):
            ours = await asyncio.to_thread((self._place / MARK).exists)
        if ours is False:
            raise FileNotFoundError(f"{self.name} is not this library's storage: is it mounted?")


def unavailable() -> Failure:
    """Return the failure of storage that does not do what is requested, or lacks a file that it should have."""
    return Failure("storage_unavailable", "The storage for finished files is not available.", passing=True)


def why(failure: Failure) -> str:
    """Return what storage reported when it failed, in one line for the operator."""
    return _in_short(failure.__cause__) if failure.__cause__ else failure.message


async def _write(folder: Path, key: str, content: IO[bytes] | bytes) -> None:
    """Write a whole file or nothing. obstore does so too, but would create the folder again when it is gone."""
    if Path(key).name != key:
        raise ValueError(f"{key!r} is not a file name")
    called_off = Event()
    try:
        await asyncio.to_thread(_write_now, folder / key, content, called_off)
    finally:
        called_off.set()  # a thread continues when nothing waits for it any more


def _write_now(file: Path, content: IO[bytes] | bytes, called_off: Event) -> None:
    """Write a file to the disk, so that it survives a power cut, unless `called_off` is set meanwhile."""
    source = BytesIO(content) if isinstance(content, bytes) else content
    staged = file.with_name(f"{file.name}#{randbelow(10**9)}")  # a sweep recognizes it when it is left behind
    try:
        with staged.open("xb") as stream:
            while not called_off.is_set() and (piece := source.read(PIECE)):
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        if not called_off.is_set():
            staged.replace(file)
    finally:
        staged.unlink(missing_ok=True)


def _sweep(folder: Path, before: datetime) -> int:
    swept = 0
    for path in folder.iterdir():
        if STAGED.fullmatch(path.name):
            with suppress(FileNotFoundError):  # finished, or swept by another process, meanwhile
                found = path.lstat()
                if S_ISREG(found.st_mode) and found.st_mtime < before.timestamp():
                    path.unlink()
                    swept += 1
    return swept


@contextmanager
def _as_failures() -> Iterator[None]:
    """Raise a failure that may pass in place of storage's own errors while the block runs.

    The text of those errors has paths and buckets, which are not for users.
    """
    try:
        yield
    except (BaseError, OSError) as error:
        raise unavailable() from error


def _in_short(error: BaseException) -> str:
    """Return the first line of an error, or the message in S3's XML."""
    said = re.search("<Message>(.*?)</Message>", str(error))
    return said[1] if said else str(error).partition("\n")[0]

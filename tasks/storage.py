"""Where files live: a folder, S3, Google Cloud or Azure behind one small interface."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from stat import S_ISREG
from tempfile import TemporaryFile
from typing import IO, Self

from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from tasks.failures import Failure
from tasks.settings import ROOT, SettingsError

PIECE = 1024 * 1024  # bytes read at a time; smaller ones make S3 slow, larger ones cost memory for each viewer
PATIENCE = timedelta(seconds=30)  # how long obstore tries again by itself
BUCKETS = ("s3://", "gs://", "az://")
PROBE = ".probe"  # hidden: no key of ours begins with a dot
STAGED = re.compile(r".+#[0-9]+", re.DOTALL)
"""What obstore writes in a folder before it gives it its key's name. It refuses and hides keys that look like this."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a file without reading it. etag: strong, with its quotes."""

    size: int
    etag: str
    modified: datetime


class Storage:
    """Finished files by key. A key names a whole file or nothing: half a file is never seen.

    Each method raises Failure("storage_unavailable"), which may pass, when storage does not do as it is told.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(cls, url: str) -> Self:
        """Open STORAGE_URL: a folder (relative ones start at the checkout) or a file://, s3://, gs:// or az:// URL.

        A folder is made if it is not there. Raises SettingsError when the URL is nonsense or the folder not writable.
        """
        try:
            if "://" not in url or url.startswith("file://"):
                return cls(_folder(ROOT / Path(url.removeprefix("file://")).expanduser()))
            if not url.startswith(BUCKETS):
                raise ValueError(f"must be a folder or start with file://, {', '.join(BUCKETS[:-1])} or {BUCKETS[-1]}")
            # No client_options: obstore takes them in place of what the environment says (AWS_ALLOW_HTTP, proxies).
            return cls(from_url(url, retry_config={"retry_timeout": PATIENCE}))
        except OSError as error:
            raise SettingsError(f"STORAGE_URL={url!r}: {error.strerror}") from error
        except (BaseError, ValueError) as error:
            raise SettingsError(f"STORAGE_URL={url!r}: {_first_line(error)}") from error

    async def put(self, key: str, content: IO[bytes] | bytes) -> None:
        """Store a file under a key, in place of what was there. An open file is read from where it stands."""
        with _told_apart():
            await self._store.put_async(key, content)

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove files. Those that are not there are no error."""
        for key in keys:  # one by one: a folder's bulk delete stops at the first that is absent
            with _told_apart(), suppress(FileNotFoundError):
                await self._store.delete_async(key)

    async def head(self, key: str) -> Stored | None:
        """What is known of a file, or None where there is none."""
        with _told_apart():
            try:
                meta = await self._store.head_async(key)
            except FileNotFoundError:
                return None
        etag = meta["e_tag"] or f'"{meta["last_modified"].timestamp():.6f}-{meta["size"]}"'
        return Stored(meta["size"], etag, meta["last_modified"])

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to and without `end`. Between two pieces nothing is held open."""
        for offset in range(start, end, PIECE):
            with _told_apart():
                piece = await self._store.get_range_async(key, start=offset, end=min(offset + PIECE, end))
            yield bytes(piece)

    async def sweep(self, older_than: timedelta = timedelta(hours=1)) -> int:
        """Remove what writers that were killed have left half-written in a folder. Answers how many files that were.

        What was written to more recently may still be under way, in another process. Buckets show nothing unfinished;
        their own lifecycle rules remove it.
        """
        if not isinstance(self._store, LocalStore) or self._store.prefix is None:
            return 0
        with _told_apart():
            return await asyncio.to_thread(_sweep, Path(self._store.prefix), datetime.now(UTC) - older_than)

    async def check(self, within: float = 5.0) -> str | None:
        """Write and remove a hidden file. Answers why that did not work within so many seconds, or None."""
        try:
            async with asyncio.timeout(within):
                await self.put(PROBE, b"darkroom")
                await self.delete([PROBE])
        except TimeoutError:
            return f"storage did not answer within {within:g} s"
        except Failure as failure:
            return _first_line(failure.__cause__ or failure)
        return None


def _folder(path: Path) -> LocalStore:
    path.mkdir(parents=True, exist_ok=True)
    with TemporaryFile(dir=path):  # the only sure way to learn whether one may write
        return LocalStore(path)


def _sweep(folder: Path, before: datetime) -> int:
    swept = 0
    for path in folder.iterdir():
        if STAGED.fullmatch(path.name):
            with suppress(FileNotFoundError):  # finished, or swept by another process, in this moment
                found = path.lstat()
                if S_ISREG(found.st_mode) and found.st_mtime < before.timestamp():
                    path.unlink()
                    swept += 1
    return swept


@contextmanager
def _told_apart() -> Iterator[None]:
    """Storage's own errors as a failure that may pass. Their words hold paths and buckets: not for users."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise Failure(
            "storage_unavailable", "The storage for finished files is not available.", passing=True
        ) from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]

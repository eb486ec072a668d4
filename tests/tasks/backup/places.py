"""Places where a library is, or is restored to, and what is in them."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from obstore.store import ObjectStore

from tasks.backup.databases import Database
from tasks.backup.file_list import FileList
from tasks.backup.folder import BackupFolder
from tasks.backup.manifest import Manifest, Part
from tasks.backup.named_files import named
from tasks.backup.postgres_database import PostgresDatabase
from tasks.backup.sqlite_database import SQLiteDatabase
from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Job, Output, Upload
from tasks.files import uploads
from tasks.files.storage import Storage, Stored
from tasks.jobs import lifecycle
from tests import factories, processes

Rows = dict[str, list[str]]
"""The rows of each table, as text."""


async def nothing() -> None:
    """Do nothing."""


def ignored(_: str) -> None:
    """Take a line that no test reads."""


class Slow(Storage):
    """Storage in which files are looked for one after the other. meanwhile: what happens before the next look."""

    def __init__(self, store: ObjectStore | Path, name: str = "storage") -> None:
        super().__init__(store, name)
        self.meanwhile: Callable[[], Awaitable[object]] = nothing
        self._turn = asyncio.Lock()

    async def head(self, key: str) -> Stored | None:
        async with self._turn:
            meanwhile, self.meanwhile = self.meanwhile, nothing
            await meanwhile()
            return await super().head(key)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str
    errors: str


@dataclass(frozen=True)
class Place:
    """A database and a storage. folder: the storage is in it. more: other settings of the commands."""

    database_url: str
    folder: Path
    more: Mapping[str, str] | None = None

    @cached_property
    def storage(self) -> Slow:
        return Slow.open(self.environment["STORAGE_URL"])

    @property
    def database(self) -> Database:
        return database_at(self.database_url)

    @property
    def environment(self) -> dict[str, str]:
        nowhere = "unix:///nowhere"
        return processes.environment(self.folder, self.database_url, nowhere, "http://127.0.0.1:1", **self.more or {})

    async def run(self, *words: str | Path, start: str = "-m webapp") -> Ended:
        """Run a command. start: the arguments of Python before it."""
        process = await self.started(*words, start=start)
        output, errors = await process.communicate()
        assert process.returncode is not None
        return Ended(process.returncode, output.decode(), errors.decode())

    async def started(self, *words: str | Path, start: str = "-m webapp") -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, *start.split(" ", 1), *words),
            cwd=processes.ROOT, env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def restored(self, backup: Path) -> None:
        """Restore a backup here."""
        ended = await self.run("restore", backup)
        assert ended.code == 0, ended.errors

    async def wrong_files(self) -> dict[str, str]:
        """Return the files that rows name and that are not as the rows say, and how they are."""
        wrong = {}
        async with self.database.rows() as rows:
            async for file in named(rows):
                content = await content_of(self.storage, file.name)
                if content is None or sha256(content).hexdigest() != (file.sha256 or sha256(content).hexdigest()):
                    wrong[str(file)] = "missing" if content is None else "of another content"
        return wrong


def database_at(url: str) -> Database:
    return SQLiteDatabase(Path(url.removeprefix("sqlite:///"))) if url.startswith("sqlite") else PostgresDatabase(url)


async def content_of(storage: Storage, name: str) -> bytes | None:
    stored = await Storage.head(storage, name)
    return None if stored is None else b"".join([piece async for piece in storage.read(name, 0, stored.size)])


async def everything_in(database: Database) -> Rows:
    """Return all rows of all tables."""
    async with database.rows() as rows:
        tables = [row["name"] async for row in rows(database.tables)]
        return {name: sorted([str(row) async for row in rows(f'SELECT * FROM "{name}"')]) for name in tables}


async def a_job_with(storage: Storage, content: bytes = b"picture") -> Job:
    """Create a completed job with a file."""
    await factories.submitted("a fox with a file")
    job = await lifecycle.claim(30)
    assert job is not None
    done = await lifecycle.complete(job, [await factories.kept(storage, f"{job.id}.png", content)])
    assert done is not None
    return done


async def a_job_with_files(number: int, place: Place) -> None:
    """Create a completed job with so many small files."""
    job = await a_job_with(place.storage)
    [first] = await Output.objects().where(Output.job == job.id)
    names = [f"{job.id}-{at}.png" for at in range(1, number)]
    rest = [{"id": ids.new(), "position": at, "key": name, "stored_key": name} for at, name in enumerate(names, 1)]
    await Output.insert(*(Output(**first.to_dict() | each) for each in rest))
    for name in names:
        (Path(place.environment["STORAGE_URL"]) / name).write_bytes(b"picture")


async def an_upload(content: bytes) -> str:
    """Write the row of an upload that has a preview, as it is before its files are stored. Returns its key."""
    key = f"{uploads.KEY_PREFIX}{ids.new()}.webp"
    digest = sha256(content).hexdigest()
    row = Upload(key=key, media_type="image/webp", bytes=len(content), sha256=digest, width=100, created_at=now())
    await Upload.insert(row)
    return key


def complete(folder: Path) -> Manifest:
    """Return the manifest of a backup, of which all parts and files are there, as they are listed."""
    manifest = BackupFolder(folder).manifest()
    assert manifest is not None
    for part in (manifest.database, manifest.list):
        assert Part.of(folder / part.name) == part
    with FileList.read(folder / manifest.list.name) as files:
        for file, copy in files.files():
            if copy is not None:
                found = Part.of(folder / "files" / file.name)
                assert (found.bytes, found.sha256) == (copy.bytes, copy.sha256), file
    return manifest


def copied(folder: Path) -> set[str]:
    """Return the names of the files in a backup."""
    return {path.name for path in (folder / "files").iterdir()}

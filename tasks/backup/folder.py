"""The folder of a backup: a manifest, the database and the list of files that it names, and the files.

A backup writes beside the one before, and puts its manifest in the place of the earlier one in one step. So whenever a
process is killed, the folder holds the backup before or the new one. What the manifest does not name does not count.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from secrets import token_hex

import msgspec

from tasks.backup.errors import BackupError
from tasks.backup.file_list import FileList
from tasks.backup.manifest import FORMAT, Manifest, Part
from tasks.files.storage import STAGED

LOCK = "backup.lock"  # every backup has it, so that no folder of something else is taken for one
MANIFEST = "backup.json"
NAMES_AT_ONCE = 1000


class BackupFolder:
    """The folder of a backup, locked by this process. files: where the copies of the library's files are."""

    def __init__(self, path: Path) -> None:
        self.path, self.files = path, path / "files"

    def manifest(self) -> Manifest | None:
        """Return the manifest of the complete backup here, or None when there is none. Raises BackupError."""
        try:
            content = (self.path / MANIFEST).read_bytes()
            form = msgspec.json.decode(content, type=dict[str, object]).get("format")
            if isinstance(form, int) and form > FORMAT:
                raise BackupError(f"{self.path} was written by a newer version of Darkroom: use that one")
            return msgspec.json.decode(content, type=Manifest)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise BackupError(f"{self.path / MANIFEST} is damaged: {error}") from None

    def new_parts(self, extension: str) -> tuple[Path, Path]:
        """Return the paths of a new database, whose name has this extension, and of a new list."""
        mark = token_hex(6)
        return self.path / f"database-{mark}.{extension}", self.path / f"list-{mark}.sqlite"

    def part(self, part: Part) -> Path:
        """Return the path of a part. Raises BackupError when it is missing or damaged. Reads all of it."""
        path = self.path / Path(part.name).name
        try:
            if Part.of(path) == part:
                return path
        except FileNotFoundError:
            raise BackupError(f"The backup is not complete: {path} is missing") from None
        raise BackupError(f"The backup is damaged: {path} is not as it was written")

    def copy_of(self, name: str) -> Path:
        """Return the path of the copy of a file. Raises BackupError when the name leads out of the folder."""
        if Path(name).name != name:
            raise BackupError(f"{name!r} is not the name of a file")
        return self.files / name

    def size_of(self, name: str) -> int | None:
        """Return the size of the copy of a file, in bytes, or None when there is none. Raises BackupError."""
        try:
            return self.copy_of(name).stat().st_size
        except FileNotFoundError:
            return None

    def finish(self, manifest: Manifest) -> None:
        """Put a manifest in the place of the one before, when all that it names is on the disk."""
        for part in (manifest.database, manifest.list):
            _sync(self.path / part.name)
        _sync(self.files)
        _sync(self.path)
        staged = self.path / f"{MANIFEST}#{token_hex(6)}"
        staged.write_bytes(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
        _sync(staged)
        staged.replace(self.path / MANIFEST)
        _sync(self.path)

    def clear_leftovers(self) -> None:
        """Remove what an earlier backup, or one that was killed, has left. The files that it has copied stay."""
        manifest = self.manifest()
        named = (manifest.database.name, manifest.list.name) if manifest else ()
        for path in self.path.iterdir():
            if path.name.startswith(("database-", "list-", f"{MANIFEST}#")) and path.name not in named:
                path.unlink()
        with os.scandir(self.files) as entries:
            for name in (entry.name for entry in entries if STAGED.fullmatch(entry.name)):
                (self.files / name).unlink()

    def prune(self, files: FileList) -> None:
        """Remove the copies of files that are not listed."""
        with os.scandir(self.files) as entries:
            while names := [entry.name for entry in islice(entries, NAMES_AT_ONCE)]:
                for name in files.unknown(names):
                    (self.files / name).unlink()


@contextmanager
def opened_for_writing(path: Path) -> Iterator[BackupFolder]:
    """Open the folder of a backup while the block runs, or create it. Raises BackupError and OSError."""
    path.mkdir(parents=True, exist_ok=True)
    if not (path / LOCK).exists() and any(path.iterdir()):
        raise BackupError(f"{path} is not empty, and has no backup: choose another folder")
    with _locked(path, os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX):
        folder = BackupFolder(path)
        folder.files.mkdir(exist_ok=True)
        yield folder


@contextmanager
def opened_for_reading(path: Path) -> Iterator[BackupFolder]:
    """Open the folder of a backup while the block runs. Raises BackupError and OSError."""
    if not path.is_dir():
        raise BackupError(f"There is no folder {path}")
    with _locked(path, os.O_RDONLY, fcntl.LOCK_SH):
        yield BackupFolder(path)


@contextmanager
def _locked(path: Path, flags: int, how: int) -> Iterator[None]:
    try:
        descriptor = os.open(path / LOCK, flags, 0o600)
    except FileNotFoundError:
        raise BackupError(f"{path} has no backup") from None
    try:
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"A backup into {path} is under way") from None
        yield
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

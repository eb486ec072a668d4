"""What must be there before anything starts: folders to write to, and a database that answers."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import urlsplit

from tasks.settings import Settings, SettingsError

PATIENCE = 5.0  # seconds a database server has to take a connection


def check(settings: Settings) -> None:
    """Make the folders that DATA_DIR and DATABASE_URL name, and write into each, as into STORAGE_URL's.

    That one is not made: where it is missing, it may be that it is not mounted, and tasks/library_mark.py can tell.
    Raises SettingsError with one line that names the setting.
    """
    _prepare("DATA_DIR", settings.data_dir)
    if settings.storage_folder is not None:
        _write_into("STORAGE_URL", settings.storage_folder)
    if settings.sqlite_path is None:
        return
    _prepare("DATABASE_URL", settings.sqlite_path.parent)
    if settings.sqlite_path.exists() and not _writable(settings.sqlite_path):
        raise SettingsError(f"DATABASE_URL: {settings.sqlite_path} is not a file that can be written")


def check_database(settings: Settings) -> None:
    """Call at the database server, if there is one. Raises SettingsError with one line when nobody answers.

    For who starts everything. A part that starts again waits for a server that may start again, too.
    """
    if settings.sqlite_path is None:
        _call_at("DATABASE_URL", settings.database_url)


def _prepare(setting: str, folder: Path) -> None:
    with suppress(OSError):  # told in the next line
        folder.mkdir(parents=True, exist_ok=True)
    _write_into(setting, folder)


def _write_into(setting: str, folder: Path) -> None:
    """Write into a folder, or where it is missing into the one that it would be made in."""
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with TemporaryFile(dir=there):  # permissions alone do not tell: the disk may be full or read-only
            pass
    except OSError as error:
        raise SettingsError(f"{setting}: cannot write to the folder {folder} ({error.strerror})") from None


def _writable(file: Path) -> bool:
    return file.is_file() and os.access(file, os.W_OK)


def _call_at(setting: str, url: str) -> None:
    server = urlsplit(url)
    try:
        host, port = server.hostname, server.port or 5432
    except ValueError:
        return  # several servers in one address: asyncpg tries them in turn
    if host is None:
        return  # a Unix socket
    try:
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except OSError as error:
        raise SettingsError(f"{setting}: no database answers at {host}:{port} ({error.strerror or error})") from None

"""Checks before anything starts: the folders are writable, and the database server answers."""

import os
import socket
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from urllib.parse import urlsplit

from tasks.settings import Settings, SettingsError
from tasks.tracing import endpoint

CONNECT_TIMEOUT = 5.0  # seconds a database server has to accept a connection


def check(settings: Settings) -> None:
    """Create the folders of DATA_DIR and DATABASE_URL, and check that they and STORAGE_URL's folder are writable.

    STORAGE_URL's folder is not created: when it is missing, it may not be mounted, see tasks/files/library_mark.py.
    Traces need their packages. Raises SettingsError with one line that names the setting.
    """
    endpoint.check()
    _prepare("DATA_DIR", settings.data_dir)
    if settings.storage_folder is not None:
        _write_into("STORAGE_URL", settings.storage_folder)
    if settings.sqlite_path is None:
        return
    _prepare("DATABASE_URL", settings.sqlite_path.parent)
    if settings.sqlite_path.exists() and not _writable(settings.sqlite_path):
        raise SettingsError(f"DATABASE_URL: {settings.sqlite_path} is not a writable file")


def check_database(settings: Settings) -> None:
    """Connect to the database server, if there is one. Raises SettingsError with one line when it does not answer.

    For commands that start everything. A part that restarts waits instead, because the server may be restarting too.
    """
    if settings.sqlite_path is None:
        _call_at("DATABASE_URL", settings.database_url)


def _prepare(setting: str, folder: Path) -> None:
    with suppress(OSError):  # the next line reports it
        folder.mkdir(parents=True, exist_ok=True)
    _write_into(setting, folder)


def _write_into(setting: str, folder: Path) -> None:
    """Write into a folder or, when it is missing, into the folder that it would be created in."""
    try:
        there = next(path for path in (folder, *folder.parents) if path.exists())
        with TemporaryFile(dir=there):  # permissions are not enough: the disk may be full or read-only
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
        return  # several servers in one address: asyncpg tries one after the other
    if host is None:
        return  # a Unix socket
    try:
        socket.create_connection((host, port), timeout=CONNECT_TIMEOUT).close()
    except OSError as error:
        raise SettingsError(f"{setting}: no database responds at {host}:{port} ({error.strerror or error})") from None

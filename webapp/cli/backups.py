"""What the commands `backup`, `restore` and `check-files` do."""

import sys
from argparse import Namespace
from pathlib import Path

from tasks.backup import backup, check, databases, restore
from tasks.backup.check import Findings
from tasks.backup.errors import BackupError
from tasks.backup.manifest import Manifest
from tasks.db.database import connected
from tasks.errors import DatabaseAway
from tasks.files.storage import Storage
from tasks.settings import Settings

INCOMPLETE = 1
REFUSED = 2


async def act(asked: Namespace, settings: Settings) -> int:
    """Carry out a command.

    Returns 0 when all is well; INCOMPLETE when it was carried out, but files are missing or wrong; and REFUSED, after
    one line on stderr, when it was not.
    """
    try:
        if asked.command == "backup":
            return await _back_up(asked.folder, settings)
        if asked.command == "restore":
            return await _restore(asked.folder, settings)
        return await _check(settings, asked.hash)
    except (BackupError, DatabaseAway) as error:
        print(f"darkroom: {error}", file=sys.stderr)
        return REFUSED


async def _back_up(folder: Path, settings: Settings) -> int:
    async with connected():
        database, storage = databases.configured(settings), Storage.open(settings.storage_url)
        made = await backup.make(folder, database, storage, _say, _tell)
    print(f"Backed up {_contents(made)} to {folder}.")
    return _incomplete(made.missing, made.damaged)


async def _restore(folder: Path, settings: Settings) -> int:
    database, storage = databases.configured(settings), Storage.open(settings.storage_url)
    was = await restore.restore(folder, database, storage, _tell)
    print(f"Restored {_contents(was)} of {was.made_at:%Y-%m-%d %H:%M} UTC.")
    print(
        "The queue is halted, so that nothing is paid for twice: what waits may have been made since the backup."
        " Look it through, cancel what is not wanted, then run `darkroom resume`."
    )
    return _incomplete(was.missing, was.damaged)


async def _check(settings: Settings, by_hash: bool) -> int:
    async with connected():
        database, storage = databases.configured(settings), Storage.open(settings.storage_url)
        found = await check.check(database, storage, by_hash, _say, _tell)
    print(_summary(found, by_hash))
    return 0 if found.good else INCOMPLETE


def _contents(backup: Manifest) -> str:
    return f"{_number(backup.jobs, 'job')} and {_number(backup.files, 'file')} ({backup.bytes / 10**6:,.1f} MB)"


def _summary(found: Findings, by_hash: bool) -> str:
    wrong = [f"{found.missing:,} missing", f"{found.other_size:,} with another size"]
    orphans = f"Files that no row names: {found.orphans:,}."
    if not by_hash:
        return f"Checked {_number(found.files, 'file')} that rows name: {', '.join(wrong)}. {orphans}"
    wrong.append(f"{found.other_content:,} with another content")
    unread = f"Not checked by hash: {found.without_hash:,}, previews and thumbnails, of which no hash is recorded."
    return f"Checked {_number(found.files, 'file')} that rows name: {', '.join(wrong)}. {orphans} {unread}"


def _incomplete(missing: int, damaged: int) -> int:
    if not missing and not damaged:
        return 0
    print(
        f"Not all is well with the library that was backed up: {missing:,} of its files were missing in storage, and"
        f" {damaged:,} had another content than recorded."
    )
    return INCOMPLETE


def _number(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _say(line: str) -> None:
    print(line)


def _tell(line: str) -> None:
    print(line, file=sys.stderr)

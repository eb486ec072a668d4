"""Files that may be in storage although no output names them: noted before they are stored, removed if none ever does.

A note is a debt as soon as the claim that made it is over: when the job was completed, its outputs have taken the place
of the notes (see end_attempt in tasks/transitions.py), and what is left was stored for nothing.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import IO
from uuid import uuid4

from piccolo.columns.combination import WhereRaw

from tasks.attempts import mine
from tasks.database import from_now
from tasks.failures import Failure
from tasks.leases import Lease, Lost
from tasks.queue import Condition
from tasks.storage import Storage
from tasks.tables import Job, PendingFile

PORTION = 100  # files that are removed at once
BREATH = 0.05  # seconds between two portions, for others to write
ONCE_MORE_AFTER = 3600.0  # seconds; until then a process that was frozen while it stored a file may finish that

NOTE = (
    "INSERT INTO pending_file (key, job, claim, noted_at)"
    " SELECT file.column1, job.id, job.lease_token, {} FROM job, (VALUES %s) AS file WHERE {} RETURNING key"
)
OWED = WhereRaw(
    "removed_at IS NULL AND NOT EXISTS (SELECT 1 FROM job WHERE job.id = pending_file.job"
    " AND job.lease_token = pending_file.claim AND job.status = 'running')"
)


async def store(lease: Lease, storage: Storage, files: Mapping[str, IO[bytes] | bytes]) -> dict[str, str]:
    """Put files of a job into storage, in their order, under names that nobody ever writes to again.

    files: by their names below /media/. Answers the names in storage that these have. Raises Lost when the lease is
    over, before anything is stored or as soon as that is known, and Failure("storage_unavailable").
    """
    mark = uuid4().hex[:12]
    names = {key: _marked(key, mark) for key in files}
    if not await _note(lease.job, names.values()):
        raise Lost
    for key, content in files.items():
        await _put(lease, storage, names[key], content)
    return names


async def sweep(storage: Storage) -> None:
    """Remove what was stored for nothing; an hour later once more, and with it the note.

    Safe to be done again, or by several at once. Raises Failure where storage does not do as it is told.
    """
    while keys := await _some(OWED):
        await storage.delete(keys)
        await PendingFile.update({PendingFile.removed_at: from_now()}).where(PendingFile.key.is_in(keys))
        await asyncio.sleep(BREATH)
    while keys := await _some(PendingFile.removed_at < from_now(-ONCE_MORE_AFTER)):
        await storage.delete(keys)
        await PendingFile.delete().where(PendingFile.key.is_in(keys))
        await asyncio.sleep(BREATH)


def _marked(key: str, mark: str) -> str:
    stem, _, ending = key.partition(".")
    return f"{stem}-{mark}.{ending}"


async def _note(job: Job, keys: Iterable[str]) -> bool:
    """Note what is about to be stored. False when the lease is gone."""
    listed = list(keys)
    values = ", ".join("({})" for _ in listed)
    return bool(await PendingFile.raw(NOTE % values, from_now(), *listed, mine(job).querystring))


async def _put(lease: Lease, storage: Storage, key: str, content: IO[bytes] | bytes) -> None:
    if not lease.holds():
        raise Lost
    await storage.put(key, content)
    if not lease.holds():  # another worker may have the job by now, and this file may be swept already
        with suppress(Failure):
            await storage.delete([key])
        raise Lost


async def _some(where: Condition) -> list[str]:
    rows = await PendingFile.select(PendingFile.key).where(where).order_by(PendingFile.noted_at).limit(PORTION)
    return [row["key"] for row in rows]

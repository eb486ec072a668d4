"""Note files before they are stored, and delete from storage those that no output ever names.

A note's file is due for deletion as soon as the claim that made the note is over. When the job was completed, its
outputs have replaced their notes (see end_attempt in tasks/transitions.py); the files still noted are not needed.
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

FILES_PER_CHUNK = 100  # files that are deleted together
CHUNK_PAUSE = 0.05  # seconds between two portions, so that other processes can write
# Seconds; until then a process that was frozen while it stored a file may finish storing it.
SECOND_SWEEP_SECONDS = 3600.0

INSERT_PENDING = (
    "INSERT INTO pending_file (key, job, claim, noted_at)"
    " SELECT file.column1, job.id, job.lease_token, {} FROM job, (VALUES %s) AS file WHERE {} RETURNING key"
)
UNREFERENCED = WhereRaw(
    "removed_at IS NULL AND NOT EXISTS (SELECT 1 FROM job WHERE job.id = pending_file.job"
    " AND job.lease_token = pending_file.claim AND job.status = 'running')"
)


async def store(lease: Lease, storage: Storage, files: Mapping[str, IO[bytes] | bytes]) -> dict[str, str]:
    """Put files of a job into storage, in their order, under names that are never written to again.

    files: by their names below /media/. Returns the name in storage of each. Raises Lost when the lease is over, before
    anything is stored or as soon as the loss is known. Raises Failure("storage_unavailable") when storage fails.
    """
    mark = uuid4().hex[:12]
    names = {key: _marked(key, mark) for key in files}
    if not await _note(lease.job, names.values()):
        raise Lost
    for key, content in files.items():
        await _put(lease, storage, names[key], content)
    return names


async def sweep(storage: Storage) -> None:
    """Delete the files that no output needs. An hour later, delete them once more, together with their notes.

    This is safe to repeat and to run concurrently. Raises Failure when storage fails.
    """
    while keys := await _some(UNREFERENCED):
        await storage.delete(keys)
        await PendingFile.update({PendingFile.removed_at: from_now()}).where(PendingFile.key.is_in(keys))
        await asyncio.sleep(CHUNK_PAUSE)
    while keys := await _some(PendingFile.removed_at < from_now(-SECOND_SWEEP_SECONDS)):
        await storage.delete(keys)
        await PendingFile.delete().where(PendingFile.key.is_in(keys))
        await asyncio.sleep(CHUNK_PAUSE)


def _marked(key: str, mark: str) -> str:
    stem, _, ending = key.partition(".")
    return f"{stem}-{mark}.{ending}"


async def _note(job: Job, keys: Iterable[str]) -> bool:
    """Note the files that are about to be stored. Returns False when the lease is gone."""
    listed = list(keys)
    values = ", ".join("({})" for _ in listed)
    return bool(await PendingFile.raw(INSERT_PENDING % values, from_now(), *listed, mine(job).querystring))


async def _put(lease: Lease, storage: Storage, key: str, content: IO[bytes] | bytes) -> None:
    if not lease.holds():
        raise Lost
    await storage.put(key, content)
    if not lease.holds():  # another worker may have the job by now, and `sweep` may already have run
        with suppress(Failure):
            await storage.delete([key])
        raise Lost


async def _some(where: Condition) -> list[str]:
    rows = await PendingFile.select(PendingFile.key).where(where).order_by(PendingFile.noted_at).limit(FILES_PER_CHUNK)
    return [row["key"] for row in rows]

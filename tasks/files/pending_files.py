"""Delete from storage the files that were noted before they were stored, and that no output ever names.

A note's file is due for deletion as soon as the claim that made the note is over. When the job was completed, its
outputs have replaced their notes (see end_attempt in tasks/jobs/transitions.py); the files still noted are not needed.
Notes are made in tasks/predictions/store.py.
"""

import asyncio

from piccolo.columns.combination import WhereRaw

from tasks.db.dialect import from_now
from tasks.db.tables import Condition, PendingFile
from tasks.files import backup_leases
from tasks.files.storage import Storage

FILES_PER_CHUNK = 100
CHUNK_PAUSE = 0.05  # seconds between two portions, so that other processes can write
# Seconds; until then a process that was frozen while it stored a file may finish storing it.
SECOND_SWEEP_SECONDS = 3600.0

UNREFERENCED = WhereRaw(
    "removed_at IS NULL AND NOT EXISTS (SELECT 1 FROM job WHERE job.id = pending_file.job"
    " AND job.lease_token = pending_file.claim AND job.status = 'running')"
)


async def sweep(storage: Storage, chunk: int = FILES_PER_CHUNK) -> None:
    """Delete the files that no output needs. An hour later, delete them once more, together with their notes.

    `chunk` files are deleted at a time, and none while a backup is under way. It is safe to repeat and to run at once.
    Raises Failure when storage fails.
    """
    while (keys := await _some(UNREFERENCED, chunk)) and not await backup_leases.are_held():
        await storage.delete(keys)
        await PendingFile.update({PendingFile.removed_at: from_now()}).where(PendingFile.key.is_in(keys))
        await asyncio.sleep(CHUNK_PAUSE)
    old = PendingFile.removed_at < from_now(-SECOND_SWEEP_SECONDS)
    while (keys := await _some(old, chunk)) and not await backup_leases.are_held():
        await storage.delete(keys)
        await PendingFile.delete().where(PendingFile.key.is_in(keys))
        await asyncio.sleep(CHUNK_PAUSE)


async def _some(where: Condition, most: int) -> list[str]:
    rows = await PendingFile.select(PendingFile.key).where(where).order_by(PendingFile.noted_at).limit(most)
    return [row["key"] for row in rows]

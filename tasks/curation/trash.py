"""Empties the trash: deletes the jobs that were in it for long, then the files and the rows of deleted jobs.

Outputs that are in it without their job are deleted with their rows first; pending_files.py then deletes their files.

A deleted job counts as trashed (`trashed_at`) as long as something is left of it. So when a process is killed midway,
the next run finds the job, by the same index as the trash itself.
"""

import asyncio
import logging
from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks.background import repeat
from tasks.curation import edits
from tasks.db import ids
from tasks.db.database import DB, now
from tasks.db.dialect import one_of, one_transaction_at_a_time
from tasks.db.request_tables import JobMetadata
from tasks.db.tables import Attempt, CollectionItem, Condition, Job, JobTag, Output, PendingFile
from tasks.files import backup_leases, pending_files
from tasks.files.media_files import stored_names
from tasks.files.storage import Storage
from tasks.jobs import bulk
from tasks.jobs.transitions import ERASED, announce_all
from tasks.settings import settings

EMPTY_SECONDS = 60.0  # seconds between two runs
OUTPUTS_PER_CHUNK = 100
JOBS_PER_CHUNK = 100  # jobs whose files are deleted at once
CHUNK_PAUSE = 0.05  # seconds between two portions, so that other processes can write

UNFINISHED = WhereRaw("job.deleted_at IS NOT NULL AND job.trashed_at IS NOT NULL")

log = logging.getLogger(__name__)


async def keep_emptying(storage: Storage) -> None:
    """Run forever: delete jobs after TRASH_DAYS in the trash, what is left of deleted jobs, and unused files."""

    async def empty() -> None:
        await empty_old_outputs()
        await pending_files.sweep(storage)
        await edits.forget_undone()
        await empty_old(storage)
        await clear_all(storage)

    await repeat(empty, lambda: EMPTY_SECONDS, "could not empty the trash", log, at_once=True)


async def empty_old(storage: Storage) -> int:
    """Permanently delete the jobs that have been in the trash for TRASH_DAYS. Returns how many there were.

    Raises Failure when storage fails.
    """
    old = Job.trashed_at < now() - timedelta(days=settings.trash_days)
    count = await bulk.delete_all(old, old)
    await clear_all(storage)
    return count


async def empty_old_outputs() -> None:
    """Delete the outputs that have been in the trash without their jobs for TRASH_DAYS.

    The transaction that deletes their rows notes their files, which pending_files.sweep() deletes: whenever a process
    dies, there is no row without its file, and no file that is forgotten.
    """
    old = Output.trashed_at < now() - timedelta(days=settings.trash_days)
    while rows := await Output.select(Output.id).where(old).limit(OUTPUTS_PER_CHUNK):
        async with DB.transaction():
            await one_transaction_at_a_time(edits.EDIT_LOCK)  # two outputs of a demo may share a file
            where = old & Output.id.is_in([row["id"] for row in rows])
            deleted = await Output.delete().where(where).returning(*Output.all_columns())
            await _note_files([Output(**row) for row in deleted])
            job_ids = list({row["job"] for row in deleted})
            await Job.update({Job.changed_at: now()}).where(one_of(job_ids))
        announce_all(job_ids)
        await asyncio.sleep(CHUNK_PAUSE)


async def _note_files(outputs: list[Output]) -> None:
    """Note the files of outputs that were deleted, except those that others share."""
    keys = [output.stored_key for output in outputs if output.stored_key]
    kept = await Output.select(Output.stored_key).where(Output.stored_key.is_in(keys)) if keys else []
    shared, moment, claim = {row["stored_key"] for row in kept}, now(), ids.new()
    unshared = [output for output in outputs if output.stored_key not in shared]
    names = {name: output.job for output in unshared for name in stored_names(output).values()}
    notes = [PendingFile(key=name, job=job, claim=claim, noted_at=moment) for name, job in names.items()]
    if notes:
        await PendingFile.insert(*notes).on_conflict(action="DO NOTHING")


async def clear_all(storage: Storage) -> None:
    """Remove what is left of the deleted jobs, unless a backup is under way. Raises Failure when storage fails."""
    while portion := await _unfinished(WhereRaw("true")):
        if not await _clear(storage, portion):
            return
        await asyncio.sleep(CHUNK_PAUSE)


async def clear(storage: Storage, job_id: UUID) -> None:
    """Remove what is left of one deleted job. Raises Failure when storage fails.

    While a backup is under way, this is left to a worker.
    """
    if found := await _unfinished(Job.id == job_id):
        await _clear(storage, found)


async def _clear(storage: Storage, found: list[UUID]) -> bool:
    """Delete the files first, then all rows except the tombstones. Safe to repeat and to run concurrently.

    Returns False, and deletes nothing, while a backup is under way.
    """
    if await backup_leases.are_held():
        return False
    await storage.delete(await files_of(found))
    async with DB.transaction():
        for table in (Output, Attempt, JobTag, CollectionItem, JobMetadata):
            await table.delete().where(table.job.is_in(found))
        await Job.update({**ERASED, Job.trashed_at: None}).where(Job.id.is_in(found) & UNFINISHED)
    return True


async def _unfinished(where: Condition) -> list[UUID]:
    rows = await Job.select(Job.id).where(where & UNFINISHED).order_by(Job.trashed_at).limit(JOBS_PER_CHUNK)
    return [row["id"] for row in rows]


async def files_of(job_ids: Collection[UUID]) -> list[str]:
    """Return the names in storage of these jobs' files, except those that other jobs share, as some demo jobs do.

    Files that their workers stored and no output names are on another list: see tasks/files/pending_files.py.
    """
    outputs = await Output.objects().where(Output.job.is_in(list(job_ids))).order_by(Output.position)
    if not outputs:
        return []
    same = Output.stored_key.is_in([output.stored_key for output in outputs if output.stored_key])
    others = same & Output.job.not_in(list(job_ids))
    shared = {row["stored_key"] for row in await Output.select(Output.stored_key).where(others)}
    unshared = [output for output in outputs if output.stored_key not in shared]
    return list(dict.fromkeys(name for output in unshared for name in stored_names(output).values()))

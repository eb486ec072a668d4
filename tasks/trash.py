"""The trash, emptied: what lies in it for long is deleted, and of what is deleted the files go, then the last rows.

A deleted job counts as thrown away (`trashed_at`) for as long as something is left of it. So whoever is killed on the
way leaves a job that the next look finds, by the same index as the trash itself.
"""

import asyncio
import logging
from collections.abc import Collection, Iterator
from datetime import timedelta
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks import bulk, pending_files, tidying
from tasks.database import DB, now
from tasks.failures import DatabaseAway, Failure
from tasks.queue import Condition
from tasks.settings import settings
from tasks.storage import Storage
from tasks.tables import Attempt, CollectionItem, Job, JobTag, Output
from tasks.transitions import FORGOTTEN

INTERVAL = 60.0  # seconds between two looks
PORTION = 100  # jobs whose files go at once
BREATH = 0.05  # seconds between two portions, for others to write

UNFINISHED = WhereRaw("job.deleted_at IS NOT NULL AND job.trashed_at IS NOT NULL")

log = logging.getLogger(__name__)


async def keep_emptying(storage: Storage) -> None:
    """Delete what has been in the trash for TRASH_DAYS, what is left of the deleted, and files of no use, for ever."""
    while True:
        try:
            await pending_files.sweep(storage)
            await tidying.forget_undone()
            await empty_old(storage)
            await clear_all(storage)
        except (DatabaseAway, Failure) as error:
            log.warning("the trash is emptied later: %s", error)
        except Exception:
            log.exception("the trash could not be emptied; trying again")
        await asyncio.sleep(INTERVAL)


async def empty_old(storage: Storage) -> int:
    """Delete for good what has been in the trash for TRASH_DAYS. Answers how many jobs that were.

    Raises Failure where storage does not do as it is told.
    """
    old = Job.trashed_at < now() - timedelta(days=settings.trash_days)
    count = await bulk.delete_all(old, old)
    await clear_all(storage)
    return count


async def clear_all(storage: Storage) -> None:
    """Remove what is left of the deleted. Raises Failure where storage does not do as it is told."""
    while portion := await _unfinished(WhereRaw("true")):
        await _clear(storage, portion)
        await asyncio.sleep(BREATH)


async def clear(storage: Storage, job_id: UUID) -> None:
    """Remove what is left of one deleted job. Raises Failure where storage does not do as it is told."""
    await _clear(storage, await _unfinished(Job.id == job_id))


async def _clear(storage: Storage, found: list[UUID]) -> None:
    """The files first, then all rows but the tombstones: safe to be done again, or by several at once."""
    if not found:
        return
    await storage.delete(await files_of(found))
    async with DB.transaction():
        for table in (Output, Attempt, JobTag, CollectionItem):
            await table.delete().where(table.job.is_in(found))
        await Job.update({**FORGOTTEN, Job.trashed_at: None}).where(Job.id.is_in(found) & UNFINISHED)


async def _unfinished(some: Condition) -> list[UUID]:
    rows = await Job.select(Job.id).where(some & UNFINISHED).order_by(Job.trashed_at).limit(PORTION)
    return [row["id"] for row in rows]


async def files_of(job_ids: Collection[UUID]) -> list[str]:
    """The names in storage of these jobs' files, but for those of others as well, as some of a demonstration are.

    What their workers stored and no output names is on another list: see tasks/pending_files.py.
    """
    outputs = await Output.objects().where(Output.job.is_in(list(job_ids))).order_by(Output.position)
    if not outputs:
        return []
    same = Output.stored_key.is_in([output.stored_key for output in outputs if output.stored_key])
    others = same & Output.job.not_in(list(job_ids))
    shared = {row["stored_key"] for row in await Output.select(Output.stored_key).where(others)}
    files = {name: None for output in outputs if output.stored_key not in shared for name in _stored(output)}
    return list(files)


def _stored(output: Output) -> Iterator[str]:
    yield output.stored_key or output.key
    if output.preview_key:
        yield output.stored_preview_key or output.preview_key
    if output.stored_thumbnail_key:
        yield output.stored_thumbnail_key

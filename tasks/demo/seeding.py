"""Fills a library with made-up jobs, to explore and to measure with."""

import logging
from datetime import datetime
from random import Random
from uuid import UUID

from tasks.db.database import DB, now
from tasks.db.dialect import write_rows
from tasks.db.full_text import IN_ORDER_OF_AGE
from tasks.db.tables import TABLES, Collection, Job
from tasks.demo import files, past, words
from tasks.demo.past import Rows
from tasks.files.storage import Storage

log = logging.getLogger(__name__)

AT_ONCE = 10_000  # jobs per transaction: others may write in between


class NotEmpty(Exception):
    """The library has jobs, and mixing made-up ones with them was not allowed."""


async def fill(
    count: int, storage: Storage, *, seed: int = 0, into_existing: bool = False, until: datetime | None = None
) -> None:
    """Add `count` jobs, as if they had been requested in the two years up to `until`, which is now by default.

    The same seed and moment give the same jobs. They share a hundred files. Raises NotEmpty, and Failure when storage
    does not accept the files.
    """
    mixed = await Job.exists()
    if mixed and not into_existing:
        raise NotEmpty
    until = until or now()
    shelf = await files.draw_all(storage, Random(seed))
    chance = Random(f"{seed} {until}")  # so that another call makes other jobs, with other ids
    collections = [await _collection(name, until) for name in words.COLLECTIONS]
    written = 0
    for rows in past.jobs(count, until, shelf, collections, chance, AT_ONCE):
        await write(rows)
        written += len(rows[Job])
        log.info("%d of %d jobs", written, count)
    if mixed and IN_ORDER_OF_AGE:
        await _put_words_in_order()
    await Job.raw("ANALYZE")  # so that query plans fit the library as it is now


async def _collection(name: str, moment: datetime) -> UUID:
    """Return the id of the collection of this name, creating it if there is none."""
    if (found := await Collection.objects().get(Collection.name == name)) is None:
        found = Collection(name=name, created_at=moment)
        await found.save()
    collection_id: UUID = found.id
    return collection_id


async def _put_words_in_order() -> None:
    """Renumber the words of all jobs by age: SQLite's searches follow these numbers (tasks/library/paging.py)."""
    async with DB.transaction():
        await Job.raw("DELETE FROM job_words")
        await Job.raw("INSERT INTO job_words (job, words) SELECT id, prompt || ' ' || notes FROM job ORDER BY id")


async def write(rows: Rows) -> None:
    """Write rows of several tables in one transaction."""
    async with DB.transaction() as transaction:
        for table in TABLES:  # referenced tables come first
            if table in rows:
                names, records = list(rows[table][0]), [tuple(row.values()) for row in rows[table]]
                await write_rows(transaction.connection, table._meta.tablename, names, records)

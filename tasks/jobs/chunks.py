"""Change many jobs in portions, so that other writers need not wait until all of the jobs are changed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks.db.dialect import one_of
from tasks.db.tables import Condition, Job
from tasks.jobs.transitions import MAX_ANNOUNCED, announce_all

JOBS_PER_CHUNK = 1000  # jobs that one transaction changes: 20 ms of work on SQLite, 40 ms on PostgreSQL
JOBS_PER_SELECT = 20 * JOBS_PER_CHUNK  # jobs that one query finds, because the condition may be costly
CHUNK_PAUSE = 0.005  # seconds between two portions: other processes poll whether SQLite's file is free


async def portions(where: Condition, newest_first: bool = True) -> AsyncIterator[list[UUID]]:
    """Yield the ids of the jobs that a condition finds, in portions, each job once, by age.

    Do not call this inside a transaction. There are several queries, but each begins where the last one ended. So it
    does not matter when a job changes and no longer matches, or matches again. Newest first, jobs submitted meanwhile
    are not included. A caller that changes the jobs must check again that they still match.
    """
    beyond: Condition = WhereRaw("true")
    while True:
        found: list[UUID] = (
            await Job.select(Job.id)
            .where(where & beyond)
            .order_by(Job.id, ascending=not newest_first)
            .limit(JOBS_PER_SELECT)
            .output(as_list=True)
        )
        for start in range(0, len(found), JOBS_PER_CHUNK):
            if start:
                await breathe()
            yield found[start : start + JOBS_PER_CHUNK]
        if len(found) < JOBS_PER_SELECT:
            return
        beyond = Job.id < found[-1] if newest_first else Job.id > found[-1]


def among(job_ids: Sequence[UUID], still: Condition) -> Condition:
    """Return the condition for the jobs among `job_ids`, however many, that still match."""
    return one_of(job_ids) & one_by_one(still)


def one_by_one(where: Condition) -> Condition:
    """Return the same condition, but checked on each job that is found otherwise: no index is walked for it.

    After a change to very many jobs the databases still believe that the changed state is rare. They would walk through
    all of the changed jobs for every portion, or even for every job of a portion.
    """
    return WhereRaw("({}) IS TRUE", where.querystring)


async def breathe() -> None:
    """Let other processes write before the next portion."""
    await asyncio.sleep(CHUNK_PAUSE)


async def announced(changed: AsyncIterator[list[UUID]]) -> tuple[int, Sequence[UUID]]:
    """Announce portions of changed jobs, each as it arrives, up to MAX_ANNOUNCED jobs.

    Returns how many jobs changed, and the first MAX_ANNOUNCED of them.
    """
    count, first = 0, list[UUID]()
    async for job_ids in changed:
        announced_ids = job_ids[: MAX_ANNOUNCED - len(first)]
        announce_all(announced_ids)
        first += announced_ids
        count += len(job_ids)
    return count, tuple(first)

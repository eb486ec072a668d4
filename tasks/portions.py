"""Many jobs, a portion at a time: so that whoever else writes need not wait until all of them are changed."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks.database import DB
from tasks.queue import Condition
from tasks.tables import Job
from tasks.transitions import ANNOUNCED, announce_all

PORTION = 1000  # jobs that one transaction changes: 20 ms of work on SQLite, 40 ms on PostgreSQL
LOOK = 20 * PORTION  # jobs that one query finds, as their condition may be costly
BREATH = 0.005  # seconds between two portions: other processes look again and again whether SQLite's file is free


async def portions(some: Condition, newest_first: bool = True) -> AsyncIterator[list[UUID]]:
    """The jobs that a condition finds, each once, by age. Never inside a transaction.

    It is looked for them several times, but each time from where the last look ended: what changes a job so that it
    is found no more, or anew, does not matter. Newest first, no job is among them that was submitted meanwhile.
    Whoever changes them asks again whether they still are as they should be.
    """
    beyond: Condition = WhereRaw("true")
    while True:
        found: list[UUID] = (
            await Job.select(Job.id)
            .where(some & beyond)
            .order_by(Job.id, ascending=not newest_first)
            .limit(LOOK)
            .output(as_list=True)
        )
        for start in range(0, len(found), PORTION):
            if start:
                await breathe()
            yield found[start : start + PORTION]
        if len(found) < LOOK:
            return
        beyond = Job.id < found[-1] if newest_first else Job.id > found[-1]


def among(job_ids: Sequence[UUID], still: Condition) -> Condition:
    """Those of these jobs, however many, that still are so."""
    if DB.engine_type == "postgres":
        return WhereRaw("job.id = ANY({})", list(job_ids)) & one_by_one(still)
    listed = json.dumps([str(job_id) for job_id in job_ids])
    return WhereRaw("job.id IN (SELECT value FROM json_each({}))", listed) & one_by_one(still)


def one_by_one(some: Condition) -> Condition:
    """The same condition, asked of each job that is found otherwise: no index is walked for it.

    Of what was just done to very many jobs the databases believe that it is rare, and would go through all of these for
    every portion, or even for every job of it.
    """
    return WhereRaw("({}) IS TRUE", some.querystring)


async def breathe() -> None:
    """Let others write, before the next portion."""
    await asyncio.sleep(BREATH)


async def announced(changed: AsyncIterator[list[UUID]]) -> tuple[int, Sequence[UUID]]:
    """Announce portions of jobs that changed, each when it is there: how many they were, and the first ANNOUNCED."""
    count, first = 0, list[UUID]()
    async for job_ids in changed:
        told = job_ids[: ANNOUNCED - len(first)]
        announce_all(told)
        first += told
        count += len(job_ids)
    return count, tuple(first)

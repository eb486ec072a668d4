"""New jobs that arrive at the same moment are written together, but each succeeds or fails alone."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest
from piccolo.querystring import QueryString

from tasks.db import ids
from tasks.db.database import DB
from tasks.db.tables import Job
from tasks.jobs import insert, lifecycle
from tasks.library import cards

SDXL = "stability-ai/sdxl"


def row(job_id: UUID) -> Job:
    job = insert.new_job("a fox", SDXL, {}, insert.DEFAULTS, 1)
    job.id = job_id
    return job


async def test_jobs_that_come_at_once_are_written_in_few_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    groups, run_alike = [], type(DB).run_alike

    async def counted(self: Any, statements: Sequence[QueryString]) -> Any:
        groups.append(len(statements))
        return await run_alike(self, statements)

    monkeypatch.setattr(type(DB), "run_alike", counted)
    made = await asyncio.gather(*(lifecycle.submit(f"fox {number}", SDXL, {}) for number in range(30)))
    assert groups == [30]
    for job in made:
        card = await cards.by_id(job.id)
        assert card is not None
        assert (card.job.prompt, card.job.turn, card.job.due_at) == (job.prompt, job.turn, job.due_at)
        assert card.job.deadline_at == job.deadline_at


async def test_those_of_one_client_that_come_at_once_have_turns_of_their_own() -> None:
    made = await asyncio.gather(*(lifecycle.submit("a fox", SDXL, {}, insert.Terms(client="one")) for _ in range(10)))
    assert sorted(job.turn for job in made) == list(range(1, 11))


async def test_one_that_cannot_be_written_does_not_keep_the_others_out() -> None:
    taken = ids.new()
    await insert.insert_job(row(taken))
    rows = [row(ids.new()), row(taken), row(ids.new())]
    first, second, third = await asyncio.gather(*(insert.insert_job(job) for job in rows), return_exceptions=True)
    assert isinstance(second, Exception)
    assert (first, third) == (None, None)
    assert await Job.count() == 3

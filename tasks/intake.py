"""New jobs into the database: those that come at the same moment are written in one transaction, each as if alone.

A commit is what a job costs most, and one does for many.
"""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from piccolo.querystring import QueryString

from tasks.database import DB, from_now, now
from tasks.rounds import Rounds
from tasks.settings import settings
from tasks.tables import Job, Priority, Status, new_id

GROUP = 50  # jobs that are written together at most

COLUMNS = (
    Job.id, Job.status, Job.prompt, Job.model, Job.parameters, Job.client, Job.priority, Job.turn, Job.finish_within,
    Job.created_at, Job.changed_at, Job.due_at, Job.deadline_at, Job.made_from,
)  # fmt: skip
"""What a new job has; the rest has defaults in the database."""

NAMES = tuple(column._meta.name for column in COLUMNS)
INSERT = (
    f"INSERT INTO job ({', '.join(NAMES)}) VALUES ({', '.join(['{}'] * len(NAMES))})"
    " RETURNING turn, due_at, deadline_at"
)


def new(
    prompt: str,
    model: str,
    parameters: Mapping[str, Any],
    client: str,
    priority: Priority,
    finish_within: int | None,
    made_from: UUID | None,
    turn: int | QueryString,
    batch: UUID | None = None,
    place: int | None = None,
) -> Job:
    """A job that waits for its turn, not written yet: turn and times may be the database's to tell.

    place: within its batch.
    """
    moment, seconds = now(), finish_within or settings.finish_within
    return Job(
        id=new_id(), prompt=prompt, model=model, parameters=json.dumps(parameters, ensure_ascii=False),
        client=client, priority=priority, turn=turn, finish_within=seconds, deadline_at=from_now(seconds),
        status=Status.QUEUED, created_at=moment, changed_at=moment, due_at=from_now(),
        made_from=made_from, batch=batch, batch_place=place,
    )  # fmt: skip


async def insert(job: Job) -> None:
    """Write a new job, and give it the turn and the times that it has. Never inside a transaction.

    Raises DatabaseAway.
    """
    if DB.transaction_exists():
        raise RuntimeError("A job is submitted inside a transaction, which on SQLite would be waited for without end.")
    row = await _written(QueryString(INSERT, *(getattr(job, name) for name in NAMES)))
    job.turn, job.due_at, job.deadline_at = row["turn"], row["due_at"], row["deadline_at"]
    job._exists_in_db = True


async def _write(statements: list[QueryString]) -> list[dict[str, Any]]:
    return await DB.run_alike(statements)


_written = Rounds(_write, GROUP)

"""Insert new jobs into the database: concurrent ones share a transaction, but each succeeds or fails on its own.

The commit is the most expensive part of a job, and one commit serves many jobs.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from piccolo.querystring import QueryString

from tasks.db import ids
from tasks.db.coalesce import Rounds
from tasks.db.database import DB, now
from tasks.db.dialect import from_now
from tasks.db.tables import Job, Priority, Status
from tasks.settings import settings


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a new job is. person: None for nobody in particular. key: that it was submitted with, if any."""

    person: UUID | None = None
    key: UUID | None = None


NOBODY = Owner()
"""The owner of what is made in the open house."""
JOBS_PER_INSERT = 50  # the most jobs per transaction

COLUMNS = (
    Job.id, Job.status, Job.prompt, Job.model, Job.parameters, Job.client, Job.owner, Job.api_key, Job.priority,
    Job.turn, Job.finish_within, Job.created_at, Job.changed_at, Job.due_at, Job.deadline_at, Job.made_from,
)  # fmt: skip
"""The columns that a new job sets; the others have defaults in the database."""

COLUMN_NAMES = tuple(column._meta.name for column in COLUMNS)
INSERT_JOB = (
    f"INSERT INTO job ({', '.join(COLUMN_NAMES)}) VALUES ({', '.join(['{}'] * len(COLUMN_NAMES))})"
    " RETURNING turn, due_at, deadline_at"
)


def new_job(
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
    owner: Owner = NOBODY,
) -> Job:
    """Return a job that waits for its turn, not inserted yet: the database may still have to compute turn and times.

    place: the job's place within its batch.
    """
    moment, seconds = now(), finish_within or settings.finish_within
    return Job(
        id=ids.new(), prompt=prompt, model=model, parameters=json.dumps(parameters, ensure_ascii=False),
        client=client, owner=owner.person, api_key=owner.key, priority=priority, turn=turn, finish_within=seconds,
        deadline_at=from_now(seconds), status=Status.QUEUED, created_at=moment, changed_at=moment, due_at=from_now(),
        made_from=made_from, batch=batch, batch_place=place,
    )  # fmt: skip


async def insert_job(job: Job) -> None:
    """Insert a new job, and set the turn and times that the database computed. Do not call this inside a transaction.

    Raises DatabaseAway.
    """
    if DB.transaction_exists():
        raise RuntimeError("A job cannot be submitted inside a transaction: on SQLite it would wait forever.")
    row = await _written(QueryString(INSERT_JOB, *(getattr(job, name) for name in COLUMN_NAMES)))
    job.turn, job.due_at, job.deadline_at = row["turn"], row["due_at"], row["deadline_at"]
    job._exists_in_db = True


async def _write(statements: list[QueryString]) -> list[dict[str, Any]]:
    return await DB.run_alike(statements)


_written = Rounds(_write, JOBS_PER_INSERT)

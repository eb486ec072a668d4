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
from tasks.db.steps import alike
from tasks.db.tables import Job, Priority, Status
from tasks.jobs import budgets, holds
from tasks.jobs.holds import Need, Needs
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
    Job.turn, Job.finish_within, Job.created_at, Job.changed_at, Job.due_at, Job.deadline_at, Job.made_from, Job.hold,
    Job.hold_basis, Job.webhook,
)  # fmt: skip
"""The columns that a new job sets; the others have defaults in the database."""

COLUMN_NAMES = tuple(column._meta.name for column in COLUMNS)
_INTO, _VALUES = f"INSERT INTO job ({', '.join(COLUMN_NAMES)})", ", ".join(["{}"] * len(COLUMN_NAMES))
_COMPUTED = "RETURNING id, turn, due_at, deadline_at"
INSERT_JOB = f"{_INTO} VALUES ({_VALUES}) {_COMPUTED}"
INSERT_IF_UNLIMITED = f"{_INTO} SELECT {_VALUES} WHERE NOT EXISTS (SELECT 1 FROM budget) {_COMPUTED}"
"""Inserts a job only as long as there is no budget, of which money would have to be held."""


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
    webhook: str | None = None,
) -> Job:
    """Return a job that waits for its turn, not inserted yet: the database may still have to compute turn and times.

    place: the job's place within its batch. webhook: the address that is told when it ends, besides endpoints.
    """
    moment, seconds = now(), finish_within or settings.finish_within
    return Job(
        id=ids.new(), prompt=prompt, model=model, parameters=json.dumps(parameters, ensure_ascii=False),
        client=client, owner=owner.person, api_key=owner.key, priority=priority, turn=turn, finish_within=seconds,
        deadline_at=from_now(seconds), status=Status.QUEUED, created_at=moment, changed_at=moment, due_at=from_now(),
        made_from=made_from, batch=batch, batch_place=place, webhook=webhook,
    )  # fmt: skip


async def insert_job(job: Job) -> None:
    """Insert a new job, and set the turn and times that the database computed. Do not call this inside a transaction.

    Money is held for it of every budget that it falls under. Raises DatabaseAway, BudgetExceeded, and PriceUnknown.
    """
    if DB.transaction_exists():
        raise RuntimeError("A job cannot be submitted inside a transaction: on SQLite it would wait forever.")
    row = await _unlimited(job) if not await budgets.exist() else None
    if row is None:
        needs = await holds.needed([job])
        holds.note(job, needs)
        row = await _held((job, needs[job.id])) if needs else await _written(job)
    job.turn, job.due_at, job.deadline_at = row["turn"], row["due_at"], row["deadline_at"]
    job._exists_in_db = True


def _inserted(job: Job, text: str = INSERT_JOB) -> QueryString:
    return QueryString(text, *(getattr(job, name) for name in COLUMN_NAMES))


async def _hold(asked: list[tuple[Job, Need]]) -> list[dict[str, Any]]:
    """Insert jobs for which money is held, all or none: Rounds then asks for each alone."""
    needs = {job.id: need for job, need in asked}
    jobs = [job for job, _ in asked]

    async def written(needs: Needs) -> list[dict[str, Any]]:
        inserted = alike([_inserted(job) for job in jobs])
        answers = await DB.run_steps([holds.taken(needs.values()), inserted, *holds.entered(jobs, needs)])
        if answers is None:
            raise holds.NoRoom
        return answers[1]

    return await holds.within_budgets(written, needs)


_held = Rounds(_hold, JOBS_PER_INSERT)


async def _write(jobs: list[Job]) -> list[dict[str, Any]]:
    return await DB.run_alike([_inserted(job) for job in jobs])


_written = Rounds(_write, JOBS_PER_INSERT)


async def _write_if_unlimited(jobs: list[Job]) -> list[dict[str, Any] | None]:
    """Insert jobs, and return their rows, None for those that were not inserted because there is a budget."""
    rows = {row["id"]: row for row in await DB.run_alike([_inserted(job, INSERT_IF_UNLIMITED) for job in jobs])}
    return [rows.get(job.id) for job in jobs]


_unlimited = Rounds(_write_if_unlimited, JOBS_PER_INSERT)

"""Insert new jobs into the database: concurrent ones share a transaction, but each succeeds or fails on its own.

The commit is the most expensive part of a job, and one commit serves many jobs.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from piccolo.querystring import QueryString

from tasks.db import ids
from tasks.db.coalesce import Rounds
from tasks.db.database import DB, now
from tasks.db.dialect import from_now
from tasks.db.steps import Step, alike, inserted, step
from tasks.db.tables import Job, Priority, Status
from tasks.jobs import budgets, holds, idempotency
from tasks.jobs.idempotency import Key, KeyTaken
from tasks.jobs.needs import Need, Needs, needed, note
from tasks.settings import settings
from tasks.tracing import spans


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a new job is. person: None for nobody in particular. key: that it was submitted with, if any."""

    person: UUID | None = None
    key: UUID | None = None


NOBODY = Owner()
"""The owner of what is made in the open house."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a new job is given besides the prompt, the model and its parameters.

    client: whose turn in the queue it takes. finish_within: seconds until it counts as failed; None for the setting's
    value. made_from: the job whose result or settings it is made from. metadata: to find it by. origin: the door that
    it came in by; "" for our own API and pages. webhook: the address that is told when it ends, besides endpoints.
    """

    client: str = ""
    priority: Priority = Priority.NORMAL
    finish_within: int | None = None
    made_from: UUID | None = None
    owner: Owner = NOBODY
    metadata: Mapping[str, str] | None = None
    origin: str = ""
    webhook: str | None = None


DEFAULTS = Terms()
JOBS_PER_INSERT = 50  # the most jobs per transaction

COLUMNS = (
    Job.id, Job.status, Job.prompt, Job.model, Job.parameters, Job.client, Job.owner, Job.api_key, Job.priority,
    Job.turn, Job.finish_within, Job.created_at, Job.changed_at, Job.due_at, Job.deadline_at, Job.made_from, Job.hold,
    Job.hold_basis, Job.hold_budgets, Job.is_held, Job.metadata, Job.origin, Job.webhook, Job.traceparent,
)  # fmt: skip
"""The columns that a new job sets; the others have defaults in the database."""

COLUMN_NAMES = tuple(column._meta.name for column in COLUMNS)
IF = "SELECT 1 AS met WHERE {}"
METADATA_COLUMNS = ("id", "job", "name", "value")
_INTO, _VALUES = f"INSERT INTO job ({', '.join(COLUMN_NAMES)})", ", ".join(["{}"] * len(COLUMN_NAMES))
_COMPUTED = "RETURNING id, turn, due_at, deadline_at"
INSERT_JOB = f"{_INTO} VALUES ({_VALUES}) {_COMPUTED}"
INSERT_IF_UNLIMITED = f"{_INTO} SELECT {_VALUES} WHERE NOT EXISTS (SELECT 1 FROM budget) {_COMPUTED}"
"""Inserts a job only as long as there is no budget, of which money would have to be held."""


@dataclass(frozen=True, slots=True)
class New:
    """A job to insert, the budgets that are known, and the key of the request for it, if any."""

    job: Job
    need: Need | None
    known: frozenset[UUID]
    key: Key | None


def new_job(
    prompt: str,
    model: str,
    parameters: Mapping[str, Any],
    terms: Terms,
    turn: int | QueryString,
    batch: UUID | None = None,
    place: int | None = None,
) -> Job:
    """Return a job that waits for its turn, not inserted yet: the database may still have to compute turn and times.

    place: the job's place within its batch.
    """
    moment, seconds = now(), terms.finish_within or settings.finish_within
    return Job(
        id=ids.new(), prompt=prompt, model=model, parameters=_as_json(parameters), client=terms.client,
        owner=terms.owner.person, api_key=terms.owner.key, priority=terms.priority, turn=turn, finish_within=seconds,
        deadline_at=from_now(seconds), status=Status.QUEUED, created_at=moment, changed_at=moment, due_at=from_now(),
        made_from=terms.made_from, batch=batch, batch_place=place,
        metadata=_as_json(terms.metadata) if terms.metadata else None, origin=terms.origin, webhook=terms.webhook,
        traceparent=spans.traceparent(),
    )  # fmt: skip


def _as_json(pairs: Mapping[str, Any]) -> str:
    return json.dumps(pairs, ensure_ascii=False)


async def insert_job(job: Job, key: Key | None = None) -> None:
    """Insert a new job, and set the turn and times that the database computed. Do not call this inside a transaction.

    Money is held for it of every budget that it falls under. key: of the request for it. Raises DatabaseAway,
    BudgetExceeded, PriceUnknown, and KeyTaken.
    """
    if DB.transaction_exists():
        raise RuntimeError("A job cannot be submitted inside a transaction: on SQLite it would wait forever.")
    known = await budgets.recent()
    row = None
    if not known and key is None and job.metadata is None:
        row = await _unlimited(job)
    if row is None:
        needs = await needed([job], known)
        row = await _written(New(job, needs.get(job.id), frozenset(budget.id for budget in known), key))
    job.turn, job.due_at, job.deadline_at = row["turn"], row["due_at"], row["deadline_at"]
    job._exists_in_db = True


def with_metadata(jobs: Sequence[Job]) -> list[Step]:
    """Return the steps that make jobs findable by their metadata."""
    rows = [
        (ids.new(), job.id, name, value)
        for job in jobs
        if job.metadata is not None
        for name, value in json.loads(job.metadata).items()
    ]
    return [inserted("job_metadata", METADATA_COLUMNS, rows)] if rows else []


async def _write_if_unlimited(jobs: list[Job]) -> list[dict[str, Any] | None]:
    """Insert jobs, and return their rows, None for those that were not inserted because there is a budget."""
    rows = {row["id"]: row for row in await DB.run_alike([_inserted(job, INSERT_IF_UNLIMITED) for job in jobs])}
    return [rows.get(job.id) for job in jobs]


_unlimited = Rounds(_write_if_unlimited, JOBS_PER_INSERT)


async def _write(new: list[New]) -> list[dict[str, Any]]:
    """Insert jobs with everything that goes with them, all or none: Rounds then asks for each alone."""
    jobs, keys = [one.job for one in new], [(one.key, one.job.id) for one in new if one.key is not None]
    first = {one.job.id: one.need for one in new if one.need is not None}
    known = frozenset.intersection(*(one.known for one in new))

    async def written(needs: Needs) -> list[dict[str, Any]]:
        for job in jobs:
            note(job, needs)
        complete = budgets.no_others(known) if needs is first else holds.ALWAYS
        steps = [idempotency.entered(keys)] if keys else []
        steps += [holds.taken(needs.values(), complete) if needs else step(QueryString(IF, complete), must=True)]
        place = len(steps)
        steps += [alike([_inserted(job) for job in jobs]), *holds.entered(jobs, needs), *with_metadata(jobs)]
        answers = await DB.run_steps(steps)
        if answers is not None:
            return answers[place]
        if keys and (len(new) > 1 or await idempotency.is_taken(keys[0][0])):
            raise KeyTaken
        raise holds.NoRoom

    return await holds.within_budgets(written, jobs, first)


_written = Rounds(_write, JOBS_PER_INSERT)


def _inserted(job: Job, text: str = INSERT_JOB) -> QueryString:
    return QueryString(text, *(getattr(job, name) for name in COLUMN_NAMES))

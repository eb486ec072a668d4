"""The failures of the last days, in groups of the same code and the same text, but for ids and numbers.

An operator retries or dismisses a group as one.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from tasks.db import ids
from tasks.db.database import now
from tasks.db.dialect import one_of
from tasks.db.operation_tables import DismissedFailures
from tasks.db.tables import Job, Status
from tasks.jobs import bulk, quotes
from tasks.models.names import bare

WINDOW = timedelta(days=7)  # the failed jobs that were submitted in this time are looked at
MAX_JOBS = 5_000  # the newest of them
MAX_QUOTED = 200  # jobs of a group whose price is computed; the others are taken to cost as much on average

PARTICULAR = re.compile(r"\b(?=\w*\d)[\w-]{6,}\b|\d+(?:[.,:]\d+)*", re.ASCII)
"""What differs between two texts about the same: ids, which have a digit, and numbers."""


@dataclass(slots=True)
class Group:
    """Failures that have their code and their text in common. text: with "#" in place of what differs.

    models: how many jobs of each model there are. job_ids: of the jobs, the newest first.
    """

    fingerprint: str
    code: str
    text: str
    last: datetime
    first: datetime
    models: dict[str, int] = field(default_factory=dict)
    job_ids: list[UUID] = field(default_factory=list)

    @property
    def sample(self) -> UUID:
        """The newest of the jobs."""
        return self.job_ids[0]


@dataclass(frozen=True, slots=True)
class Price:
    """What a group costs if it is retried, in micro-dollars; None when the price of a model is not known."""

    low: int | None
    high: int | None


async def groups() -> Sequence[Group]:
    """Return the groups that are not dismissed, the largest first."""
    dismissed = {row["fingerprint"]: row["at"] for row in await DismissedFailures.select()}
    failed = (
        (Job.status == Status.FAILED)
        & Job.deleted_at.is_null()
        & Job.trashed_at.is_null()
        & (Job.id >= ids.first_at(now() - WINDOW))
    )
    rows = (
        await Job.select(Job.id, Job.model, Job.error_code, Job.error, Job.finished_at)
        .where(failed)
        .order_by(Job.id, ascending=False)
        .limit(MAX_JOBS)
    )
    found: dict[str, Group] = {}
    for row in rows:
        code, text, ended = row["error_code"] or "", without_particulars(row["error"] or ""), row["finished_at"]
        fingerprint = sha256(f"{code}\n{text}".encode()).hexdigest()[:16]
        if fingerprint in dismissed and ended <= dismissed[fingerprint]:
            continue
        group = found.setdefault(fingerprint, Group(fingerprint, code, text, ended, ended))
        group.first, group.last = min(group.first, ended), max(group.last, ended)
        group.models[bare(row["model"])] = group.models.get(bare(row["model"]), 0) + 1
        group.job_ids.append(row["id"])
    return sorted(found.values(), key=lambda group: len(group.job_ids), reverse=True)


async def find(fingerprint: str) -> Group | None:
    """Return a group, or None when there is none, or it is dismissed."""
    return next((group for group in await groups() if group.fingerprint == fingerprint), None)


async def price(group: Group) -> Price:
    """Return what a group is expected to cost if all of it is retried."""
    rows = await Job.select(Job.model, Job.parameters).where(one_of(group.job_ids[:MAX_QUOTED]))
    quoted = [await quotes.of_job(row["model"], row["parameters"]) for row in rows]
    low, high = ([getattr(quote, end) for quote in quoted] for end in ("low", "high"))
    if not quoted or None in low or None in high:
        return Price(None, None)
    return Price(sum(low) * len(group.job_ids) // len(rows), sum(high) * len(group.job_ids) // len(rows))


async def retry(group: Group) -> int:
    """Requeue the jobs of a group, and return how many there were. Raises QueueFull, BudgetExceeded, PriceUnknown."""
    return await bulk.retry_all(one_of(group.job_ids))


async def dismiss(group: Group) -> None:
    """Show a group no more, until another job fails like it."""
    row = DismissedFailures(fingerprint=group.fingerprint, at=group.last)
    await DismissedFailures.insert(row).on_conflict(
        target=DismissedFailures.fingerprint, action="DO UPDATE", values=[DismissedFailures.at]
    )


def without_particulars(text: str) -> str:
    """Return a text with "#" in place of its ids and numbers."""
    return PARTICULAR.sub("#", text)


async def forget_dismissals() -> None:
    """Remove the dismissals of failures that are no longer looked at."""
    await DismissedFailures.delete().where(DismissedFailures.at < now() - WINDOW)

"""What was done in each minute, by model and by how it ended: counted by the workers, for operators and Prometheus.

Nothing is counted while jobs run. Every few seconds, one of all workers counts the attempts that have ended in this
minute from their rows, and writes the numbers in place of those that it wrote before. Minutes become hours after two
days, and hours days after two months, so that the numbers stay few. A job that is deleted meanwhile stays counted.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.db import ids
from tasks.db.database import DB, now
from tasks.db.dialect import from_now
from tasks.db.operation_tables import Activity
from tasks.db.tables import Attempt, Library
from tasks.models.names import bare
from tasks.operations.durations import Durations, merged

COUNT_SECONDS = 10.0  # seconds between two counts
OVERLAP_SECONDS = 20.0  # seconds after the end of a minute in which it is counted again: a commit may come late
MINUTE, HOUR, DAY = 60, 3600, 86400
MINUTES_KEPT = timedelta(days=2)
HOURS_KEPT = timedelta(days=62)
ROWS_PER_INSERT = 500  # SQLite takes only so many values at once
FIRST_COUNT = timedelta(hours=24)  # how far back a library is counted in which nothing was counted before

ENDED_SINCE = (
    "SELECT attempt.created_at, attempt.finished_at, attempt.error_code, attempt.number, attempt.predict_time,"
    " attempt.metrics, job.model, job.created_at AS submitted_at, job.started_at"
    " FROM attempt JOIN job ON job.id = attempt.job"
    " WHERE job.changed_at >= {} AND attempt.finished_at >= {}"
)
"""Finds the attempts that have ended since a time: with each, its job has changed."""

Key = tuple[datetime, str, str]
"""When a span starts, a model, and how its attempts ended: an error's code, or "" for a success."""


@dataclass(slots=True)
class Counted:
    """How many attempts ended in one way, and how long the successful ones waited, ran and were stored."""

    attempts: int = 0
    waited: Durations = field(default_factory=Durations)
    ran: Durations = field(default_factory=Durations)
    stored: Durations = field(default_factory=Durations)


async def keep_counting() -> None:
    """Count what has ended, if no other worker has done so a moment ago."""
    due = Library.counted_at.is_null() | (Library.counted_at < from_now(-COUNT_SECONDS))
    if await Library.update({Library.counted_at: from_now()}).where(due).returning(Library.id):
        await count()


async def count() -> None:
    """Count the attempts that ended in the last minutes, and write the numbers in place of the earlier ones."""
    latest = await Activity.select(Activity.starts_at).where(Activity.span == MINUTE).order_by(
        Activity.starts_at, ascending=False
    ).first()  # fmt: skip
    moment = now()
    settled = _start_of(moment - timedelta(seconds=OVERLAP_SECONDS), MINUTE)
    since = min(settled, latest["starts_at"]) if latest else moment - FIRST_COUNT
    counted: dict[Key, Counted] = {}
    for row in await Attempt.raw(ENDED_SINCE, since, since):
        key = (_start_of(row["finished_at"], MINUTE), bare(row["model"]), row["error_code"] or "")
        _add(counted.setdefault(key, Counted()), row)
    await _write(MINUTE, counted)


async def roll_up() -> None:
    """Turn the minutes of long ago into hours, and the hours of longer ago into days."""
    for span, into, kept in ((MINUTE, HOUR, MINUTES_KEPT), (HOUR, DAY, HOURS_KEPT)):
        before = _start_of(now() - kept, into)
        async with DB.transaction():
            rows = (
                await Activity.delete()
                .where((Activity.span == span) & (Activity.starts_at < before))
                .returning(*Activity.all_columns())
            )
            await _write(into, added_up(rows, into))


async def since(moment: datetime, span: int) -> list[dict[str, Any]]:
    """Return the rows of activity of spans that start at `moment` or later. span: MINUTE, HOUR or DAY."""
    return await Activity.select().where((Activity.span == span) & (Activity.starts_at >= moment))


def added_up(rows: Iterable[Mapping[str, Any]], into: int) -> dict[Key, Counted]:
    """Return rows of activity added up to spans of `into` seconds."""
    gathered: dict[Key, list[Mapping[str, Any]]] = {}
    for row in rows:
        gathered.setdefault((_start_of(row["starts_at"], into), row["model"], row["code"]), []).append(row)
    return {
        key: Counted(
            sum(row["attempts"] for row in them),
            *(merged(Durations.read(row[name]) for row in them) for name in ("waited", "ran", "stored")),
        )
        for key, them in gathered.items()
    }


def _add(counted: Counted, row: Mapping[str, Any]) -> None:
    """Count an attempt. Its times are those that Replicate measured: between its clock and ours nothing is computed."""
    counted.attempts += 1
    if row["error_code"]:
        return
    if row["number"] == 1 and row["started_at"]:
        counted.waited.add((row["started_at"] - row["submitted_at"]).total_seconds())
    whole = (row["finished_at"] - row["created_at"]).total_seconds()
    total = json.loads(row["metrics"] or "{}").get("total_time")
    counted.ran.add(whole if row["predict_time"] is None else row["predict_time"])
    if isinstance(total, int | float):
        counted.stored.add(whole - total)


async def _write(span: int, counted: Mapping[Key, Counted]) -> None:
    """Write numbers in place of those that are there."""
    rows = [
        Activity(
            id=ids.new(), span=span, starts_at=starts_at, model=model, code=code, attempts=each.attempts,
            waited=str(each.waited), ran=str(each.ran), stored=str(each.stored),
        )
        for (starts_at, model, code), each in counted.items()
    ]  # fmt: skip
    where = (Activity.span, Activity.starts_at, Activity.model, Activity.code)
    written = [Activity.attempts, Activity.waited, Activity.ran, Activity.stored]
    for start in range(0, len(rows), ROWS_PER_INSERT):
        portion = Activity.insert(*rows[start : start + ROWS_PER_INSERT])
        await portion.on_conflict(target=where, action="DO UPDATE", values=written)


def _start_of(moment: datetime, span: int) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() // span * span, UTC)

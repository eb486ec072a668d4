"""What was done in each minute is counted from the attempts, again and again with the same result."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tasks.db.database import now
from tasks.db.operation_tables import Activity
from tasks.db.tables import Attempt, Job, Library
from tasks.operations import activity
from tasks.operations.durations import Durations
from tests.factories import attempted

MODEL = "stability-ai/sdxl"


async def ended_at(attempt: Attempt, moment: datetime) -> None:
    await Attempt.update({Attempt.finished_at: moment, Attempt.created_at: moment}).where(Attempt.id == attempt.id)


async def counted(span: int = activity.MINUTE) -> dict[tuple[str, str], int]:
    """Return model and code -> attempts, of all spans together."""
    found: dict[tuple[str, str], int] = {}
    for row in await activity.since(datetime(2000, 1, 1, tzinfo=UTC), span):
        key = (row["model"], row["code"])
        found[key] = found.get(key, 0) + row["attempts"]
    return found


async def test_attempts_are_counted_by_model_and_end_once_however_often_one_counts() -> None:
    for _ in range(2):
        await attempted()
    await attempted("owner/other:abc")
    await attempted(code="rate_limited")
    for _ in range(3):
        await activity.count()
    assert await counted() == {(MODEL, ""): 2, ("owner/other", ""): 1, (MODEL, "rate_limited"): 1}
    await attempted()
    await activity.count()
    assert (await counted())[MODEL, ""] == 3


async def test_what_ended_while_nobody_counted_is_counted_in_its_minute() -> None:
    early = await attempted()
    await ended_at(early, now() - timedelta(hours=3))
    await attempted()
    await activity.count()
    rows = await activity.since(now() - timedelta(days=1), activity.MINUTE)
    assert sorted(row["attempts"] for row in rows) == [1, 1]
    assert {row["starts_at"].second for row in rows} == {0}


async def test_times_are_those_that_replicate_measured() -> None:
    attempt = await attempted()
    begun = now() - timedelta(seconds=10)
    times: dict[Any, Any] = {
        Attempt.created_at: begun, Attempt.finished_at: begun + timedelta(seconds=9), Attempt.predict_time: 4.0,
        Attempt.metrics: '{"total_time": 7.5}',
    }  # fmt: skip
    await Attempt.update(times).where(Attempt.id == attempt.id)
    await Job.update({Job.created_at: begun - timedelta(seconds=60), Job.started_at: begun}, force=True)
    await activity.count()
    [row] = await activity.since(now() - timedelta(minutes=5), activity.MINUTE)
    assert [Durations.read(row[name]).seconds for name in ("waited", "ran", "stored")] == pytest.approx([60, 4, 1.5])


async def test_minutes_become_hours_and_hours_days_and_nothing_is_lost() -> None:
    rows = [
        Activity(span=60, starts_at=now() - timedelta(days=days, minutes=minutes), model=MODEL, code="", attempts=1,
                 waited=str(Durations()), ran=str(Durations([2] + [0] * 23, 0.1)), stored=str(Durations()))
        for days in (1, 3, 70) for minutes in range(5)
    ]  # fmt: skip
    await Activity.insert(*rows)
    await activity.roll_up()
    await activity.roll_up()
    spans = [await counted(span) for span in (activity.MINUTE, activity.HOUR, activity.DAY)]
    assert [sum(each.values()) for each in spans] == [5, 5, 5]
    days = await activity.since(datetime(2000, 1, 1, tzinfo=UTC), activity.DAY)
    assert sum(len(Durations.read(row["ran"])) for row in days) == 10


async def test_of_all_workers_one_counts_at_a_time() -> None:
    await Library.update({Library.counted_at: now() - timedelta(minutes=1)}, force=True)
    await attempted()
    await asyncio.gather(*(activity.keep_counting() for _ in range(3)))
    assert await counted() == {(MODEL, ""): 1}
    await attempted()
    await activity.keep_counting()
    assert await counted() == {(MODEL, ""): 1}, "it has just been counted"


async def test_more_rows_than_a_statement_takes_are_written_as_well(database: None) -> None:
    many = 5_000
    times: Any = {"waited": str(Durations()), "ran": str(Durations()), "stored": str(Durations())}
    long_ago = now() - activity.MINUTES_KEPT - timedelta(hours=2)
    models = [f"owner/m{number}" for number in range(many)]
    for start in range(0, many, 500):
        await Activity.insert(
            *(Activity(span=activity.MINUTE, starts_at=long_ago, model=model, code="", attempts=1, **times)
              for model in models[start : start + 500])
        )  # fmt: skip
    await activity.roll_up()
    assert len(await counted(activity.HOUR)) == many
    assert await counted() == {}

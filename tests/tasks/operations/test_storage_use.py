"""How many files there are is measured now and then, and tells when the disk will be full."""

from datetime import timedelta

import pytest

from tasks.db.database import now
from tasks.db.operation_tables import StorageUse
from tasks.db.tables import Job, Output
from tasks.operations import storage_use
from tasks.operations.overview import StorageState
from tasks.operations.storage_use import Space, Use
from tests.tasks.states import submitted


async def stored(kind: str, size: int) -> Job:
    job = await submitted()
    await Output.insert(
        Output(job=job.id, position=0, key=f"{job.id}.x", kind=kind, media_type="x/y", bytes=size, sha256="")
    )
    return job


async def test_files_are_counted_by_kind_and_those_in_the_trash_once_more(database: None) -> None:
    await stored("image", 100)
    trashed = await stored("image", 50)
    await stored("video", 1000)
    await Job.update({Job.trashed_at: now()}).where(Job.id == trashed.id)
    await storage_use.measure()
    measured_at, uses = await storage_use.latest()
    assert measured_at is not None
    assert uses == {"image": Use(2, 150), "video": Use(1, 1000), "inputs": Use(0, 0), "trash": Use(1, 50)}


async def test_it_is_not_measured_twice_in_a_row(database: None) -> None:
    await storage_use.measure()
    await stored("image", 100)
    await storage_use.measure()
    assert "image" not in (await storage_use.latest())[1]


@pytest.mark.parametrize("hour_ago", [True, False])
async def test_of_each_hour_one_measurement_is_kept(database: None, hour_ago: bool) -> None:
    await storage_use.measure()
    hour = now().replace(minute=0, second=0, microsecond=0)
    earlier = hour - timedelta(minutes=30) if hour_ago else hour
    await StorageUse.update({StorageUse.at: earlier}, force=True)
    await storage_use.measure(every=timedelta(0))
    assert len({row["at"] for row in await StorageUse.select(StorageUse.at)}) == (2 if hour_ago else 1)


async def test_growth_is_what_was_added_in_a_day_without_counting_the_trash_twice(database: None) -> None:
    assert await storage_use.growth() is None
    rows = [("image", 4, 1000), ("image", 0, 3000), ("trash", 4, 0), ("trash", 0, 900)]
    await StorageUse.insert(
        *(StorageUse(at=now().replace(microsecond=0) - timedelta(days=days), kind=kind, files=1, bytes=size)
          for kind, days, size in rows)
    )  # fmt: skip
    assert await storage_use.growth() == pytest.approx(500, rel=0.01)


def test_the_disk_is_full_when_what_is_free_is_used_at_this_rate() -> None:
    state = StorageState(None, {}, 500.0, Space(5000, 100_000))
    assert state.days_left == 10
    assert state.space is not None
    assert state.space.is_low
    assert StorageState(None, {}, -1.0, Space(50_000, 100_000)).days_left is None
    assert StorageState(None, {}, None, None).days_left is None

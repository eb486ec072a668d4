"""How many files of each kind there are, how fast they become more, and when the disk is full at this rate."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasks.db.database import DB, now
from tasks.db.operation_tables import StorageUse
from tasks.settings import settings

MEASURE_EVERY = timedelta(minutes=10)  # that measurements are apart; of each hour the last one is kept
KEPT = timedelta(days=62)
GROWTH_WINDOW = timedelta(days=7)  # over which growth is computed

INPUTS, TRASH = "inputs", "trash"
MEASURE = (
    "SELECT output.kind AS kind, count(*) AS files, sum(output.bytes) AS bytes FROM output GROUP BY output.kind"
    f" UNION ALL SELECT '{INPUTS}', count(*), coalesce(sum(bytes), 0) FROM upload"
    f" UNION ALL SELECT '{TRASH}', count(*), coalesce(sum(output.bytes), 0) FROM output JOIN job ON job.id = output.job"
    " WHERE job.trashed_at IS NOT NULL"
)
"""Counts results by kind, input files, and once more the results of jobs in the trash. Previews are not counted."""


@dataclass(frozen=True, slots=True)
class Use:
    """How many files there are, and how many bytes they have together."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Space:
    """The disk that holds the files. free, total: in bytes."""

    free: int
    total: int

    @property
    def is_low(self) -> bool:
        """Whether less than a tenth of it is free."""
        return self.free < self.total / 10


async def measure(every: timedelta = MEASURE_EVERY) -> None:
    """Measure what storage holds, if that was not done a moment ago."""
    moment = now()
    if await StorageUse.exists().where(StorageUse.at > moment - every):
        return
    found = await StorageUse.raw(MEASURE)
    rows = [StorageUse(at=moment, kind=row["kind"], files=row["files"], bytes=row["bytes"] or 0) for row in found]
    hour = moment.replace(minute=0, second=0, microsecond=0)
    async with DB.transaction():
        await StorageUse.delete().where((StorageUse.at >= hour) | (StorageUse.at < moment - KEPT))
        await StorageUse.insert(*rows)


async def latest() -> tuple[datetime | None, Mapping[str, Use]]:
    """Return when storage was last measured, and what was found, by kind."""
    last = await StorageUse.select(StorageUse.at).order_by(StorageUse.at, ascending=False).first()
    return (last["at"], await _at(last["at"])) if last else (None, {})


async def growth() -> float | None:
    """Return by how many bytes the files became more in a day, in the last week, or None when that is not known yet."""
    measured = (StorageUse.at >= now() - GROWTH_WINDOW) & (StorageUse.kind != TRASH)
    rows = await StorageUse.select(StorageUse.at, StorageUse.bytes).where(measured)
    totals: dict[datetime, int] = {}
    for row in rows:
        totals[row["at"]] = totals.get(row["at"], 0) + row["bytes"]
    if len(totals) < 2:
        return None
    first, last = min(totals), max(totals)
    return (totals[last] - totals[first]) / ((last - first) / timedelta(days=1))


def space() -> Space | None:
    """Return the space on the disk of the files, or None for files in a bucket, or whose folder is not there."""
    if settings.storage_folder is None:
        return None
    try:
        usage = shutil.disk_usage(settings.storage_folder)
    except OSError:
        return None
    return Space(usage.free, usage.total)


async def _at(moment: datetime) -> dict[str, Use]:
    rows = await StorageUse.select().where(StorageUse.at == moment)
    return {row["kind"]: Use(row["files"], row["bytes"]) for row in rows}

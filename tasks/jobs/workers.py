"""The worker processes: each says every two seconds that it is alive, and how many jobs it runs.

A worker that stops takes its row along. The row of one that was killed says when it was last seen.
"""

import asyncio
import os
import platform
from collections.abc import Sequence
from datetime import timedelta
from importlib import metadata
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks.db import ids
from tasks.db.database import now
from tasks.db.dialect import from_now
from tasks.db.operation_tables import WorkerProcess
from tasks.db.tables import Condition
from tasks.errors import DatabaseAway

LATE_SECONDS = 6.0  # without a sign of life, after which operators are told
GONE_SECONDS = 30.0  # after which a worker counts no more
FORGOTTEN_SECONDS = 24 * 3600.0  # after which its row is removed
LEAVE_TIMEOUT = 0.5  # seconds that a worker which stops has to remove its row


class Presence:
    """The row of this worker process."""

    def __init__(self, slots: int) -> None:
        self.id, self._slots = ids.new(), slots
        self._host, self._version = platform.node()[:255], metadata.version("darkroom")

    async def show(self, jobs: int) -> bool:
        """Say that the worker is alive, and runs this many jobs. Returns whether it is to drain."""
        row = WorkerProcess(
            id=self.id, host=self._host, process=os.getpid(), version=self._version,
            slots=self._slots, jobs=jobs, started_at=from_now(), seen_at=from_now(),
        )  # fmt: skip
        seen = [(WorkerProcess.jobs, jobs), (WorkerProcess.seen_at, from_now())]
        rows = (
            await WorkerProcess.insert(row)
            .on_conflict(target=WorkerProcess.id, action="DO UPDATE", values=seen)
            .returning(WorkerProcess.draining)
        )
        return bool(rows[0]["draining"])

    async def leave(self) -> None:
        """Remove the row, because the worker stops. Never raises, and takes half a second at most."""
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT):
                await WorkerProcess.delete().where(WorkerProcess.id == self.id)
        except (TimeoutError, DatabaseAway):
            pass  # it counts no more when it was not seen for a while


async def slots() -> int:
    """Return how many jobs the workers that are alive and claim jobs run at once; 0 when there is none."""
    claiming = _seen_within(GONE_SECONDS) & WhereRaw("NOT worker_process.draining")
    return sum(row["slots"] for row in await WorkerProcess.select(WorkerProcess.slots).where(claiming))


async def exist() -> bool:
    """Return whether any worker is alive."""
    return await WorkerProcess.exists().where(_seen_within(GONE_SECONDS))


async def everyone() -> Sequence[WorkerProcess]:
    """Return all workers that are alive, or were killed in the last 24 hours: the newest first."""
    return await WorkerProcess.objects().order_by(WorkerProcess.id, ascending=False)


def is_late(worker: WorkerProcess) -> bool:
    """Return whether a worker has given no sign of life for LATE_SECONDS."""
    return now() - worker.seen_at > timedelta(seconds=LATE_SECONDS)


async def drain(worker_id: UUID, draining: bool) -> WorkerProcess | None:
    """Have a worker claim no more jobs, or claim jobs again; what it runs goes on. Returns None without such a worker.

    It obeys with its next sign of life.
    """
    rows = (
        await WorkerProcess.update({WorkerProcess.draining: draining})
        .where(WorkerProcess.id == worker_id)
        .returning(*WorkerProcess.all_columns())
    )
    return WorkerProcess(**rows[0], _exists_in_db=True) if rows else None


async def forget() -> None:
    """Remove the rows of workers that were killed long ago."""
    await WorkerProcess.delete().where(WorkerProcess.seen_at < from_now(-FORGOTTEN_SECONDS))


def _seen_within(seconds: float) -> Condition:
    return WorkerProcess.seen_at >= from_now(-seconds)

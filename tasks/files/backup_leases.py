"""Leases of backups: while one is held, no file is removed from storage that a backup may have to copy.

Every removal is announced first, in a row that is committed: a job is deleted, an upload is marked, a file is noted as
pending. Only then it looks for a lease. A backup takes its lease first, and only then reads which files there are. So
either the removal sees the lease and waits, or the backup sees that the file goes.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic

from tasks.background import alongside, repeat
from tasks.db import ids
from tasks.db.dialect import from_now
from tasks.db.tables import BackupLease
from tasks.errors import DatabaseAway

LEASE_SECONDS = 60.0
RENEWAL_SECONDS = 10.0

log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """The lease ran out before it was renewed, so files may have been removed since."""


class Lease:
    """The lease of one backup. clock: the monotonic clock of this process, in seconds."""

    def __init__(self, seconds: float = LEASE_SECONDS, clock: Callable[[], float] = monotonic) -> None:
        self.id = ids.new()
        self._seconds, self._clock = seconds, clock
        self._until = 0.0

    async def take(self) -> None:
        """Begin to hold the lease, and delete those that ran out. Raises DatabaseAway."""
        asked = self._clock()
        await BackupLease.insert(BackupLease(id=self.id, until=from_now(self._seconds)))
        self._until = asked + self._seconds
        await BackupLease.delete().where(BackupLease.until < from_now())

    async def renew(self) -> None:
        """Extend the lease. Raises LeaseLost when it was not held all the time, and DatabaseAway."""
        asked = self._clock()
        still_held = (BackupLease.id == self.id) & (BackupLease.until > from_now())
        extended = BackupLease.update({BackupLease.until: from_now(self._seconds)}).where(still_held)
        if not await extended.returning(BackupLease.id) or self._clock() > self._until:
            raise LeaseLost
        self._until = asked + self._seconds

    async def release(self) -> None:
        """Allow removals again. When the database is away, the lease runs out by itself."""
        with suppress(DatabaseAway):
            await BackupLease.delete().where(BackupLease.id == self.id)


async def are_held() -> bool:
    """Return whether a backup is under way. Ask after the removal is announced and committed."""
    return await BackupLease.exists().where(BackupLease.until > from_now())


@asynccontextmanager
async def taken(renewal: float = RENEWAL_SECONDS) -> AsyncIterator[Lease]:
    """Hold a lease while the block runs. At its end, renew() raises LeaseLost if the lease was lost at any time.

    renewal: seconds between two renewals.
    """
    lease = Lease()
    await lease.take()

    async def extend() -> None:
        with suppress(LeaseLost):  # it stays lost, and the backup asks at its end
            await lease.renew()

    try:
        async with alongside(repeat(extend, lambda: renewal, "could not renew the lease of the backup", log)):
            yield lease
    finally:
        await lease.release()

"""Remembers what pages were sent recently, so that a look over the last seconds sends nothing twice."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from tasks.db.database import now
from tasks.library.cards import Card

BULK_SIZE = 200  # if more jobs change at one moment, that was a bulk action


class Sent:
    """The changes that were sent, by job, and the moments at which very many jobs changed, sent all at once.

    at_once: those moments. memory: how long both are remembered.
    """

    def __init__(self, memory: timedelta) -> None:
        self.at_once: set[datetime] = set()
        self._memory = memory
        self._changes: dict[UUID, datetime] = {}

    def unsent(self, changes: Mapping[UUID, datetime]) -> list[UUID]:
        """Return the jobs whose changes were not sent."""
        return [job_id for job_id, moment in changes.items() if self._changes.get(job_id) != moment]

    def add(self, cards: list[Card]) -> None:
        """Remember that these cards were sent, and forget old changes."""
        self._remember({card.job.id: card.job.changed_at for card in cards})

    def add_bulk(self, changes: Mapping[UUID, datetime]) -> None:
        """Remember these changes, and the moments with so many changes that `changes` may hold only some of them."""
        self._remember(changes)
        self.at_once |= {moment for moment, jobs in Counter(changes.values()).items() if jobs > BULK_SIZE}

    def _remember(self, changes: Mapping[UUID, datetime]) -> None:
        long_ago = now() - self._memory
        self._changes = {job_id: moment for job_id, moment in self._changes.items() if moment > long_ago}
        self._changes.update(changes)
        self.at_once = {moment for moment in self.at_once if moment > long_ago}

"""Requests that wait until a job has ended: the hub wakes them, so that none of them polls."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from tasks.accounts.actors import Actor
from tasks.db.tables import ENDED
from tasks.library.cards import Card
from webapp.http.requests import existing

MAX_WAITERS = 5000  # of this process; more requests are answered at once
MAX_WAITERS_PER_REQUESTER = 1000  # of one person or key; the open house has no such limit

Ended = asyncio.Future[None]


class Waiters:
    """The requests that wait for jobs, by job."""

    def __init__(self, most: int = MAX_WAITERS, most_of_one: int = MAX_WAITERS_PER_REQUESTER) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._by_job: dict[UUID, set[Ended]] = {}
        self._of: Counter[UUID | None] = Counter()
        self._stopping = False

    def __bool__(self) -> bool:
        return bool(self._by_job)

    @property
    def jobs(self) -> list[UUID]:
        """The ids of the jobs that are waited for."""
        return list(self._by_job)

    @contextmanager
    def registered(self, job_id: UUID, actor: Actor) -> Iterator[Ended | None]:
        """Yield a future that is done when the job has ended, or None when nobody can wait: see stop(), and the limits.

        Read the job inside the block, so that its end is not missed.
        """
        who = actor.key or actor.person
        if self._stopping or self._of.total() >= self._most or (who is not None and self._of[who] >= self._most_of_one):
            yield None
            return
        ended: Ended = asyncio.get_running_loop().create_future()
        self._by_job.setdefault(job_id, set()).add(ended)
        self._of[who] += 1
        try:
            yield ended
        finally:
            self._of[who] -= 1
            self._of += Counter()  # drops those that wait for nothing any more
            self._by_job[job_id].discard(ended)
            if not self._by_job[job_id]:
                del self._by_job[job_id]

    def stop(self) -> None:
        """Wake all requests, and let none wait any more, because the process stops: they get an answer in time."""
        self._stopping = True
        for ended in [each for waiting in self._by_job.values() for each in waiting if not each.done()]:
            ended.set_result(None)

    def wake(self, cards: Iterable[Card]) -> None:
        """Wake the requests that wait for those of the jobs that have ended."""
        for card in cards:
            if card.job.status in ENDED or card.deleted:
                for ended in self._by_job.get(card.job.id, ()):
                    if not ended.done():
                        ended.set_result(None)


async def waited(waiters: Waiters, job_id: str, actor: Actor, seconds: float) -> tuple[Card, bool]:
    """Return a job when it has ended, or as it is after some seconds; and whether the request was made to wait.

    It is not where too many requests wait already. Raises Problem: see existing().
    """
    card = await existing(job_id, actor)
    if not seconds or card.job.status in ENDED:
        return card, bool(seconds)
    with waiters.registered(card.job.id, actor) as ended:
        if ended is None:
            return card, False
        card = await existing(job_id, actor)  # again: it may have ended just before it was waited for
        if card.job.status not in ENDED:
            await _until(ended, seconds)
            card = await existing(job_id, actor)
    return card, True


async def _until(ended: Ended, seconds: float) -> None:
    """Wait until a future is done, for at most some seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ended

"""The leases that a worker process holds: renewed together, lost ones given up, word passed on to the holders."""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

from tasks import events, jobs
from tasks.alongside import end
from tasks.events import News
from tasks.failures import DatabaseAway, Failure
from tasks.replicate import ENDED
from tasks.settings import settings
from tasks.tables import Job

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class Lease:
    """A worker's hold on a job: the coroutine that carries it, and what it was told meanwhile.

    until: when it ends by this process's monotonic clock, unless it is renewed before. cancel_requested: somebody wants
    the job called off. told: there is something new, this or `news` of the prediction.
    """

    job: Job
    carrier: asyncio.Task[None]
    until: float
    cancel_requested: bool = False
    news: News | None = None
    told: asyncio.Event = field(default_factory=asyncio.Event)

    def holds(self) -> bool:
        """Whether no other worker can have the job yet, as far as this process's own clock tells."""
        return monotonic() < self.until

    def call_off(self) -> None:
        """Note that somebody wants the job called off."""
        if not self.cancel_requested:
            self.cancel_requested = True
            self.told.set()

    def hear(self, news: News) -> None:
        """Note what a webhook told. That the prediction has ended is not forgotten over older news which come later."""
        if self.news is None or self.news.status not in ENDED:
            self.news = news
        self.told.set()

    async def wait(self, seconds: float) -> News | None:
        """Wait so long, or until it is told something. Answers the news, where there are any."""
        try:
            async with asyncio.timeout(seconds):
                await self.told.wait()
        except TimeoutError:
            pass
        self.told.clear()
        news, self.news = self.news, None
        return news

    async def unless_called_off(self, work: Coroutine[Any, Any, T]) -> T:
        """Do some work to its end. Raises Failure, and stops it, when somebody wants the job called off meanwhile."""
        unwanted_before = self.cancel_requested

        async def called_off() -> None:
            while self.cancel_requested == unwanted_before:
                self.told.clear()
                await self.told.wait()

        working = asyncio.create_task(work)
        tasks = [working, asyncio.create_task(called_off())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Failure("canceled", "Canceled.")
            return working.result()
        finally:
            await end(*tasks)


class Lost(asyncio.CancelledError):
    """The lease is gone: another worker has the job, so this one stops and writes nothing."""


_held: dict[UUID, Lease] = {}


@asynccontextmanager
async def hold(job: Job) -> AsyncIterator[Lease]:
    """Hold a claimed job's lease while the block runs. The block is cancelled when the lease is lost."""
    carrier = asyncio.current_task()
    assert carrier is not None
    lease = Lease(job, carrier, job.held_until, cancel_requested=job.cancel_requested)
    _held[job.lease_token] = lease
    try:
        yield lease
    finally:
        _held.pop(job.lease_token, None)


async def keep() -> None:
    """Renew every lease held, for ever, three times in its life."""
    while True:
        await asyncio.sleep(settings.lease_seconds / 3)
        try:
            await renew()
        except DatabaseAway as away:
            log.warning("leases could not be renewed: %s", away)
        except Exception:
            log.exception("leases could not be renewed; trying again")


async def renew() -> None:
    """Renew the leases once: give up those that are gone, note those somebody wants called off."""
    before, asked = dict(_held), monotonic()
    if not before:
        return
    renewed = await jobs.renew(before, settings.lease_seconds)
    for token, lease in before.items():
        if token in renewed:
            lease.until = asked + settings.lease_seconds
        elif token in _held:
            log.warning("job %s: the lease is gone, leaving it to its new holder", lease.job.id)
            lease.carrier.cancel()
        if renewed.get(token):
            lease.call_off()


async def call_off_where_asked(lease: Lease) -> bool:
    """Look whether somebody wants this job called off, and note it."""
    renewed = await jobs.renew([lease.job.lease_token], settings.lease_seconds)
    if renewed.get(lease.job.lease_token):
        lease.call_off()
    return lease.cancel_requested


async def watch_for_cancels() -> None:
    """Pass on requests to cancel, the moment they are heard. A lost one is found by `renew`."""
    async for job_id in events.listen(events.CANCEL):
        for lease in _of(job_id):
            lease.call_off()


async def watch_for_news() -> None:
    """Pass on what webhooks tell of predictions. What is lost, the look at the prediction finds, later."""
    async for news in events.listen_for_news():
        for lease in _of(news.job):
            lease.hear(news)


def held() -> list[UUID]:
    """The tokens of the leases that this process holds."""
    return list(_held)


def _of(job_id: UUID) -> Iterator[Lease]:
    return (lease for lease in list(_held.values()) if lease.job.id == job_id)

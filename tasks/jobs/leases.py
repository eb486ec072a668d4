"""The leases that a worker process holds: renew them together, give up lost ones, and pass messages to the holders."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar
from uuid import UUID

from structlog.contextvars import bound_contextvars

from tasks.background import end, repeat
from tasks.db.tables import Job
from tasks.errors import Failure
from tasks.jobs import lifecycle
from tasks.messaging import events
from tasks.messaging.events import News
from tasks.replicate.client import ENDED
from tasks.settings import settings
from tasks.tracing import spans
from tasks.tracing.spans import Span

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(slots=True)
class Lease:
    """A worker's hold on a job: the coroutine that runs the job, and the messages that arrived for it meanwhile.

    until: when the lease ends by this process's monotonic clock, unless it is renewed before, for `seconds`.
    beside: how many other jobs this process held when this one began. cancel_requested: whether a user wants the job
    canceled. awaits_answer: whether the coroutine was canceled and still waits for the answer to a request already
    sent. woken: set when there is a new cancel request, or `news` of the prediction. span: of this run of the job.
    """

    job: Job
    carrier: asyncio.Task[None]
    until: float
    seconds: float = settings.lease_seconds
    beside: int = 0
    cancel_requested: bool = False
    awaits_answer: bool = False
    news: News | None = None
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    span: Span = spans.NONE

    def holds(self) -> bool:
        """Return whether the lease holds by this process's own clock, so that no other worker can have the job."""
        return monotonic() < self.until

    def call_off(self) -> None:
        """Note that a user wants the job canceled."""
        if not self.cancel_requested:
            self.cancel_requested = True
            self.woken.set()

    async def call_off_where_asked(self) -> bool:
        """Return whether a user wants this job canceled, and note it."""
        renewed = await lifecycle.renew([self.job.lease_token], self.seconds)
        if renewed.get(self.job.lease_token):
            self.call_off()
        return self.cancel_requested

    def hear(self, news: News) -> None:
        """Note a webhook's news. News that the prediction has ended is not replaced by older news arriving later."""
        if self.news is None or self.news.status not in ENDED:
            self.news = news
        self.woken.set()

    async def wait(self, seconds: float) -> News | None:
        """Wait for `seconds`, or until a message arrives. Returns the news, or None when there is none."""
        try:
            async with asyncio.timeout(seconds):
                await self.woken.wait()
        except TimeoutError:
            pass
        self.woken.clear()
        news, self.news = self.news, None
        return news

    async def unless_called_off(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end. Stops it and raises Failure when a user requests to cancel the job meanwhile."""
        unwanted_before = self.cancel_requested

        async def called_off() -> None:
            while self.cancel_requested == unwanted_before:
                self.woken.clear()
                await self.woken.wait()

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
    """The loss of a lease: another worker has the job, so this one stops and writes nothing."""


class Leases:
    """The leases that a worker holds.

    seconds: how long each holds unless it is renewed. held: by their tokens. lost: how many another worker took,
    since it was last emptied.
    """

    def __init__(self, seconds: float = settings.lease_seconds) -> None:
        self.seconds = seconds
        self.held: dict[UUID, Lease] = {}
        self.lost: Counter[str] = Counter()

    @asynccontextmanager
    async def hold(self, job: Job) -> AsyncIterator[Lease]:
        """Hold a claimed job's lease while the block runs. The block is canceled when the lease is lost."""
        carrier = asyncio.current_task()
        assert carrier is not None
        lease = Lease(job, carrier, job.held_until, self.seconds, len(self.held), job.cancel_requested)
        self.held[job.lease_token] = lease
        try:
            yield lease
        finally:
            self.held.pop(job.lease_token, None)

    async def keep(self) -> None:
        """Renew all held leases, three times per lease duration. Never returns."""
        await repeat(self.renew, lambda: self.seconds / 3, "leases could not be renewed", log)

    async def renew(self) -> None:
        """Renew the held leases once. Gives up those that are gone, and notes which jobs a user wants canceled."""
        before, asked = dict(self.held), monotonic()
        if not before:
            return
        renewed = await lifecycle.renew(before, self.seconds)
        for token, lease in before.items():
            if token in renewed:
                lease.until = asked + self.seconds
            elif token in self.held:
                with bound_contextvars(job_id=str(lease.job.id)):
                    log.warning("job %s: the lease is gone, leaving it to its new holder", lease.job.id)
                self.lost[""] += 1
                lease.carrier.cancel()
            if renewed.get(token):
                lease.call_off()

    async def watch_for_cancels(self) -> None:
        """Pass on cancel requests as soon as they arrive. `renew` finds a lost one."""
        async for job_id in events.listen(events.CANCEL):
            for lease in self._of(job_id):
                lease.call_off()

    async def watch_for_news(self) -> None:
        """Pass on what webhooks report about predictions. A later poll of the prediction finds what was lost."""
        async for news in events.listen_for_news():
            for lease in self._of(news.job):
                lease.hear(news)

    def _of(self, job_id: UUID) -> Iterator[Lease]:
        return (lease for lease in list(self.held.values()) if lease.job.id == job_id)

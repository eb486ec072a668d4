"""A circuit breaker for creates: concurrent while they work, one at a time until one has, none during an outage."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from time import monotonic
from uuid import UUID

from tasks.errors import Failure
from tasks.replicate import halts
from tasks.replicate.client import Replicate
from tasks.replicate.errors import OutcomeUnknown, Refused, Unreached

log = logging.getLogger(__name__)

CLOSED_SECONDS = 2.0  # after an answered create
MAX_UNANSWERED = 3  # creates in a row, even if looks are answered


class Circuit:
    """The circuit breaker with which one process creates predictions.

    Closed: any number at a time. Half-open, when no create was answered within CLOSED_SECONDS: one at a time, so that
    an outage affects one job and not all waiting jobs. Open, for all workers: the queue is halted (see halts.py) with
    `provider_away`, because a look was not answered either, or because MAX_UNANSWERED creates in a row were not.
    """

    def __init__(self, replicate: Replicate, clock: Callable[[], float] = monotonic) -> None:
        self._replicate, self._clock = replicate, clock
        self._closed_until = 0.0
        self._unanswered = 0
        self._half_open = asyncio.Lock()
        self._looking = asyncio.Lock()

    @asynccontextmanager
    async def create(self, job_id: UUID, probing: bool = False) -> AsyncIterator[None]:
        """Wait until this job's prediction may be created, then run the block and note whether it was answered.

        probing: whether the job is sent to test if the queue may go on. Raises Refused with `provider_away` before the
        block runs when the queue was halted meanwhile.
        """
        async with AsyncExitStack() as stack:
            if not self._is_closed():
                await stack.enter_async_context(self._half_open)
                if not self._is_closed() and not probing and await halts.current() is not None:
                    raise Refused(halts.AWAY, "The queue is halted.", passing=True, settled=True)
            try:
                yield
            except (Unreached, OutcomeUnknown):
                await self._not_answered(job_id)
                raise
            except Refused:
                self._answered()
                raise
            self._answered()

    async def look(self) -> None:
        """Send Replicate a request that costs nothing. Raises Failure."""
        await self._replicate.account()

    async def is_answered(self) -> bool:
        """Return whether Replicate answers a look. A refusal counts as an answer."""
        try:
            await self.look()
        except (Unreached, OutcomeUnknown) as failure:
            log.info("Replicate is not responding: %s", failure)
            return False
        except Failure as refused:
            log.info("Replicate is responding: %s", refused)
        return True

    def _is_closed(self) -> bool:
        return self._clock() < self._closed_until

    def _answered(self) -> None:
        self._closed_until = self._clock() + CLOSED_SECONDS
        self._unanswered = 0

    async def _not_answered(self, job_id: UUID) -> None:
        self._closed_until = 0.0
        self._unanswered += 1
        async with self._looking:  # of creates that were sent together, one looks at a time
            if await halts.is_open(halts.AWAY) or (self._unanswered < MAX_UNANSWERED and await self.is_answered()):
                return
            await halts.halt(Failure(halts.AWAY, "Replicate is not responding."), job_id)

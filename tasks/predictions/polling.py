"""Poll predictions under way: one by one while they are few, in Replicate's list when they are many.

A page of the list reports a hundred predictions for one request, and Replicate allows 3,000 requests a minute.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from contextvars import Context
from time import monotonic

from tasks.errors import Failure
from tasks.replicate.client import Glimpse, Prediction, Replicate
from tasks.replicate.errors import Throttled

log = logging.getLogger(__name__)

MAX_SINGLE_POLLS = 100  # predictions under way, up to which each is requested by itself
LIST_POLL_SECONDS = 5.0  # seconds between two walks through the list
# Predictions that a page must report of those looked for; with fewer, the rest are requested one by one.
MIN_MATCHES_PER_PAGE = 3
TRACKED_SECONDS = 60.0  # seconds after its last look, when a prediction no longer counts as under way

Found = Glimpse | Throttled | None
"""What a walk found of a prediction, or Throttled when Replicate stopped the walk."""


class Poller:
    """A poller for all coroutines of a process that follow a prediction. list_interval: as LIST_POLL_SECONDS."""

    def __init__(
        self, replicate: Replicate, clock: Callable[[], float] = monotonic, list_interval: float = LIST_POLL_SECONDS
    ) -> None:
        self.replicate, self._clock, self._list_interval = replicate, clock, list_interval
        self._under_way: dict[str, float] = {}  # when each was last looked at, the oldest look first
        self._asked: dict[str, asyncio.Future[Found]] = {}
        self._walking: asyncio.Task[None] | None = None
        self._walked_at = float("-inf")

    async def look(self, prediction_id: str, at_once: bool = False) -> Prediction:
        """Return the state of a prediction: complete if it has ended, else perhaps only its status and logs.

        at_once: look immediately, however many predictions are under way. Otherwise, when they are many, the look waits
        for the next walk through the list. Raises what Replicate.get raises.
        """
        self._count(prediction_id)
        together = len(self._under_way) > MAX_SINGLE_POLLS and not at_once
        seen = await self._listed(prediction_id) if together else None
        if seen is None or seen.ended:  # the list may leave out the result
            seen = await self.replicate.get(prediction_id)
        if seen.ended:
            self._under_way.pop(prediction_id, None)
        return seen

    def _count(self, prediction_id: str) -> None:
        now = self._clock()
        self._under_way.pop(prediction_id, None)
        self._under_way[prediction_id] = now
        while self._under_way[longest_ago := next(iter(self._under_way))] < now - TRACKED_SECONDS:
            del self._under_way[longest_ago]

    async def _listed(self, prediction_id: str) -> Prediction | None:
        """Return the prediction as the next walk finds it, or None when the walk does not find it. Raises Throttled."""
        loop = asyncio.get_running_loop()
        waits = self._asked.setdefault(prediction_id, loop.create_future())
        if self._walking is None or self._walking.done():
            # In its own context: a walk belongs to all that wait for it, not to the trace or the log of the first.
            self._walking = loop.create_task(self._walk(), context=Context())
        found = await asyncio.shield(waits)
        if isinstance(found, Throttled):
            raise found
        return Prediction(found.id, found.status, logs=found.logs) if found else None

    async def _walk(self) -> None:
        while self._asked:
            await asyncio.sleep(self._walked_at + self._list_interval - self._clock())
            self._walked_at = self._clock()
            asked, self._asked = self._asked, {}
            otherwise: Throttled | None = None
            try:
                await self._find(asked)
            except Throttled as throttled:
                otherwise = throttled
            except Failure as failure:
                log.info("Replicate's list is unavailable, polling predictions one by one: %s", failure)
            finally:
                for waits in asked.values():
                    if not waits.done():
                        waits.set_result(otherwise)

    async def _find(self, asked: dict[str, asyncio.Future[Found]]) -> None:
        left = len(asked)
        async with aclosing(self.replicate.newest()) as pages:
            async for page in pages:
                ours = [seen for seen in page if seen.id in asked and not asked[seen.id].done()]
                for seen in ours:
                    asked[seen.id].set_result(seen)
                left -= len(ours)
                if not left or len(ours) < MIN_MATCHES_PER_PAGE:
                    return

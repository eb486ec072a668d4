"""A cache for slow lookups: concurrent callers share one request, and answers expire."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from time import monotonic
from typing import Any, Generic, TypeVar

Found = TypeVar("Found")


class Lookups(Generic[Found]):
    """A cache of answers by name, in memory. None (nothing has this name) is cached too; a failure is not."""

    def __init__(self, found_seconds: float, unknown_seconds: float, most: int) -> None:
        """Create an empty cache.

        found_seconds, unknown_seconds: the TTL of an answer, and of None. most: how many answers the cache holds; the
        oldest are dropped.
        """
        self._seconds, self._unknown_seconds, self._most = found_seconds, unknown_seconds, most
        self._answers: dict[str, tuple[float, Found | None]] = {}  # name -> when the answer expires, and the answer
        self._asking: dict[str, asyncio.Task[Found | None]] = {}

    async def find(self, name: str, ask: Callable[[], Coroutine[Any, Any, Found | None]]) -> Found | None:
        """Return the cached answer, or else the answer of `ask`. Raises what `ask` raises."""
        until, found = self._answers.get(name, (0.0, None))
        if monotonic() < until:
            return found
        asking = self._asking.get(name)
        if asking is None or asking.get_loop() is not asyncio.get_running_loop():
            # It runs to its end in its own context: it is not part of its first caller, which may be canceled.
            asking = asyncio.create_task(self._ask(name, ask), context=Context())
            asking.add_done_callback(lambda task: task.cancelled() or task.exception())  # all callers may be gone
            self._asking[name] = asking
        return await asyncio.shield(asking)

    def pop(self, name: str) -> Found | None:
        """Remove an answer from the cache and return it. Returns None when there is none."""
        return self._answers.pop(name, (0.0, None))[1]

    def forget(self) -> None:
        """Empty the cache, as it is in a new process."""
        self._answers.clear()
        self._asking.clear()

    async def _ask(self, name: str, ask: Callable[[], Coroutine[Any, Any, Found | None]]) -> Found | None:
        try:
            found = await ask()
        finally:
            self._asking.pop(name, None)
        self._answers.pop(name, None)
        if len(self._answers) >= self._most:
            del self._answers[next(iter(self._answers))]
        self._answers[name] = monotonic() + (self._unknown_seconds if found is None else self._seconds), found
        return found

"""What was looked up elsewhere, remembered for a while: asked for once, however many want to know."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from time import monotonic
from typing import Any, Generic, TypeVar

Found = TypeVar("Found")


class Lookups(Generic[Found]):
    """Answers by name, in memory. That there is nothing of a name is an answer, too; that it failed is none."""

    def __init__(self, found_seconds: float, unknown_seconds: float, most: int) -> None:
        """found_seconds, unknown_seconds: how long an answer is remembered. most: how many answers; the oldest go."""
        self._seconds, self._unknown_seconds, self._most = found_seconds, unknown_seconds, most
        self._answers: dict[str, tuple[float, Found | None]] = {}  # name -> until when it is remembered, and the answer
        self._asking: dict[str, asyncio.Task[Found | None]] = {}

    async def find(self, name: str, ask: Callable[[], Coroutine[Any, Any, Found | None]]) -> Found | None:
        """The answer: as it is remembered, else as `ask` has it. Raises what that raises."""
        until, found = self._answers.get(name, (0.0, None))
        if monotonic() < until:
            return found
        asking = self._asking.get(name)
        if asking is None or asking.get_loop() is not asyncio.get_running_loop():
            # In a context of its own, and to its end: it is no part of what its first caller does, who may go away.
            asking = asyncio.create_task(self._ask(name, ask), context=Context())
            asking.add_done_callback(lambda task: task.cancelled() or task.exception())  # all who asked may be gone
            self._asking[name] = asking
        return await asyncio.shield(asking)

    def pop(self, name: str) -> Found | None:
        """Forget an answer. Returns what it was."""
        return self._answers.pop(name, (0.0, None))[1]

    def forget(self) -> None:
        """Remember nothing, as a new process does."""
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

"""What is asked at the same moment is done together, in rounds: one query, or one transaction, for many callers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from tasks.failures import DatabaseAway

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Rounds(Generic[Asked, Answer]):
    """Calls that are gathered. Nobody waits for others to come: what comes while a round is under way is the next one.

    So every round begins after all of it was asked, and what it reads is never older than the question.
    """

    def __init__(self, do: Callable[[list[Asked]], Awaitable[Sequence[Answer]]], most: int) -> None:
        """do: answers what is asked, each at its place. most: what a round takes on."""
        self._do, self._most = do, most
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._turning: asyncio.Task[None] | None = None

    async def __call__(self, asked: Asked) -> Answer:
        """The answer. Raises what went wrong with this question, or with the database for all of them."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((asked, answer))
        if self._turning is None or self._turning.done() or self._turning.get_loop() is not loop:
            # In a context of its own: a round is no part of a transaction that its first caller may be in.
            self._turning = loop.create_task(self._turn(), context=Context())
        return await answer

    async def _turn(self) -> None:
        while self._waiting:
            round_, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                await self._answer(round_)
            except Exception as error:
                if len(round_) == 1 or isinstance(error, DatabaseAway):
                    _refuse(round_, error)
                    continue
                for one in round_:  # one of them is at fault: the others do not suffer for it
                    try:
                        await self._answer([one])
                    except Exception as its_own:
                        _refuse([one], its_own)

    async def _answer(self, round_: list[tuple[Asked, asyncio.Future[Answer]]]) -> None:
        answers = await self._do([asked for asked, _ in round_])
        for (_, waits), answer in zip(round_, answers, strict=True):
            if not waits.done():
                waits.set_result(answer)


def _refuse(round_: list[tuple[Asked, asyncio.Future[Answer]]], error: Exception) -> None:
    for _, waits in round_:
        if not waits.done():
            waits.set_exception(error)

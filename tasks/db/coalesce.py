"""Coalesces concurrent calls into rounds: one query, or one transaction, serves many callers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

from tasks.errors import DatabaseAway

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Rounds(Generic[Asked, Answer]):
    """A function whose concurrent calls are coalesced into rounds.

    No call waits for others to arrive: the calls that arrive while a round is under way form the next one. So every
    round begins after all its calls were made, and what it reads is never older than a call.
    """

    def __init__(self, do: Callable[[list[Asked]], Awaitable[Sequence[Answer]]], most: int) -> None:
        """Coalesce calls of `do`.

        do: returns the answer to each request, in the order of the requests. most: how many requests a round has.
        """
        self._do, self._most = do, most
        self._waiting: list[tuple[Asked, asyncio.Future[Answer]]] = []
        self._turning: asyncio.Task[None] | None = None

    async def __call__(self, asked: Asked) -> Answer:
        """Return the answer. Raises the error of this request, or the DatabaseAway of its whole round."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((asked, answer))
        if self._turning is None or self._turning.done() or self._turning.get_loop() is not loop:
            # In its own context: a round is not part of a transaction that its first caller may be in.
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
                for one in round_:  # one request is at fault: the others must not fail with it
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

"""Coalesces concurrent calls into rounds: one query, or one transaction, serves many callers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, NamedTuple, TypeVar

from tasks.errors import DatabaseAway
from tasks.tracing import spans
from tasks.tracing.spans import Span

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class _Call(NamedTuple, Generic[Asked, Answer]):
    """A call that waits for its answer. span: of its wait."""

    asked: Asked
    answer: asyncio.Future[Answer]
    span: Span


class Rounds(Generic[Asked, Answer]):
    """A function whose concurrent calls are coalesced into rounds.

    No call waits for others to arrive: the calls that arrive while a round is under way form the next one. So every
    round begins after all its calls were made, and what it reads is never older than a call. In traces, each call has
    a span for its wait, and the queries of a round are below that of its first call.
    """

    def __init__(self, do: Callable[[list[Asked]], Awaitable[Sequence[Answer]]], most: int) -> None:
        """Coalesce calls of `do`.

        do: returns the answer to each request, in the order of the requests. most: how many requests a round has.
        """
        self._do, self._most = do, most
        self._name = f"{do.__module__}.{getattr(do, '__qualname__', type(do).__qualname__)}"
        self._waiting: list[_Call[Asked, Answer]] = []
        self._turning: asyncio.Task[None] | None = None

    async def __call__(self, asked: Asked) -> Answer:
        """Return the answer. Raises the error of this request, or the DatabaseAway of its whole round."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        with spans.span(self._name) as span:
            self._waiting.append(_Call(asked, answer, span))
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

    async def _answer(self, round_: list[_Call[Asked, Answer]]) -> None:
        with round_[0].span.current():
            answers = await self._do([call.asked for call in round_])
        for call, answer in zip(round_, answers, strict=True):
            if not call.answer.done():
                call.answer.set_result(answer)


def _refuse(round_: list[_Call[Asked, Answer]], error: Exception) -> None:
    for call in round_:
        if not call.answer.done():
            call.answer.set_exception(error)

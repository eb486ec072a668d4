"""Send commands to Redis without waiting: one pipeline at a time carries everything posted meanwhile."""

import asyncio
import logging
from contextlib import suppress
from contextvars import Context

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tasks.background import end

log = logging.getLogger(__name__)

Command = tuple[str | bytes, ...]


class Outbox:
    """The pending commands of one event loop. Commands that Redis does not accept are lost, as hints may be."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: list[Command] = []
        self._words: dict[str, list[str]] = {}  # by channel
        self._sending: asyncio.Task[None] | None = None

    def post(self, *command: str | bytes) -> None:
        """Send a command after those posted before. Returns immediately and never raises."""
        self._waiting.append(command)
        self._begin()

    def publish(self, channel: str, word: str) -> None:
        """Publish a word. Returns immediately and never raises.

        The words of one pipeline for a channel form one message, separated by spaces.
        """
        self._words.setdefault(channel, []).append(word)
        self._begin()

    async def emptied(self) -> None:
        """Wait until everything posted so far is sent, or an attempt to send it has failed."""
        while self._sending is not None and not self._sending.done():
            await asyncio.wait([self._sending])

    async def close(self, within: float) -> None:
        """Wait up to `within` seconds until everything posted is sent. What is not sent by then is lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self.emptied()
        if self._sending is not None:
            await end(self._sending)

    def _begin(self) -> None:
        if self._sending is None or self._sending.done():
            # In its own context: it sends what many post, and is no part of what the first of them does.
            self._sending = asyncio.create_task(self._send(), context=Context())

    async def _send(self) -> None:
        while self._waiting or self._words:
            messages = [("PUBLISH", channel, " ".join(words)) for channel, words in self._words.items()]
            commands = [*messages, *self._waiting]
            self._waiting, self._words = [], {}
            try:
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for command in commands:
                        pipeline.execute_command(*command)
                    await pipeline.execute()
            except (RedisError, OSError) as error:
                log.debug("lost %d hints: %s", len(commands), error)

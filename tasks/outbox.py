"""What is said to Redis without waiting for it: one pipeline at a time, which takes along all that came meanwhile."""

import asyncio
import logging

from redis.asyncio import Redis
from redis.exceptions import RedisError

from tasks.alongside import end

log = logging.getLogger(__name__)

Command = tuple[str | bytes, ...]


class Outbox:
    """The commands of one event loop that nobody waits for. What Redis does not take is lost, as hints may be."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: list[Command] = []
        self._words: dict[str, list[str]] = {}  # by channel
        self._sending: asyncio.Task[None] | None = None

    def post(self, *command: str | bytes) -> None:
        """Send a command, behind those posted before. Returns at once and never raises."""
        self._waiting.append(command)
        self._begin()

    def publish(self, channel: str, word: str) -> None:
        """Publish a word; those of one pipeline are one message, with spaces between. Returns at once, never raises."""
        self._words.setdefault(channel, []).append(word)
        self._begin()

    async def emptied(self) -> None:
        """Wait until everything posted so far was sent, or was tried to be sent."""
        while self._sending is not None and not self._sending.done():
            await asyncio.wait([self._sending])

    async def close(self, within: float) -> None:
        """Wait so many seconds for what was posted to be sent; what is not sent by then is lost."""
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=within)
            await end(self._sending)

    def _begin(self) -> None:
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

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
                log.debug("%d hints are lost: %s", len(commands), error)

"""Messages between processes through Redis: job changes, cancel requests, prediction news and events to send.

Redis carries hints only. A hint may be lost, duplicated or late, so every listener also polls the database. Nothing
here waits long for Redis, and nothing fails without it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any
from uuid import UUID

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import RedisError

from tasks.messaging.pipeline import Outbox
from tasks.settings import settings

log = logging.getLogger(__name__)

CHANGED = "darkroom:changed"
CANCEL = "darkroom:cancel"
NEWS = "darkroom:news"
OUTBOX = "darkroom:outbox"
TIMEOUT = 2.0  # seconds; a later hint is useless
CLOSE_TIMEOUT = 0.5  # seconds that Redis has to accept the last hints when a process stops
MAX_CONNECTIONS = 20  # per process
ONCE_MORE = Retry(NoBackoff(), 1, supported_errors=(LostConnection,))
"""Repeats a command whose connection turns out to be closed, as idle ones may be. What is too slow is not repeated."""


class RedisHealth:
    """The state of Redis as its callers find it. Logs one message when Redis goes away and one when it is back.

    Callers have names, because Redis may accept one command and refuse another. Redis counts as back when every
    caller that failed has succeeded again.
    """

    def __init__(self) -> None:
        self._without: set[str] = set()

    @property
    def away(self) -> bool:
        """Whether Redis fails for at least one caller."""
        return bool(self._without)

    def failed(self, name: str, error: Exception) -> None:
        """Note that the caller `name` could not reach Redis, or was refused."""
        if not self._without:
            place = settings.redis_place
            log.warning("Redis at %s is not responding: jobs still run, live pages lag. (%s)", place, error)
        self._without.add(name)

    def worked(self, name: str) -> None:
        """Note that Redis worked for the caller `name`."""
        if self.away:
            self._without.discard(name)
            if not self._without:
                log.info("Redis at %s is responding again.", settings.redis_place)


redis_health = RedisHealth()

_clients: dict[asyncio.AbstractEventLoop, Redis] = {}
_outboxes: dict[asyncio.AbstractEventLoop, Outbox] = {}


def redis() -> Redis:
    """Return this event loop's client. It fails soon, because callers can fall back on the database."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        pool = BlockingConnectionPool.from_url(
            settings.queue_url, max_connections=MAX_CONNECTIONS, timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT, socket_timeout=TIMEOUT, retry=ONCE_MORE,
        )  # fmt: skip
        _clients[loop] = Redis.from_pool(pool)
    return _clients[loop]


async def close() -> None:
    """Send the pending hints if Redis accepts them soon, then close the client."""
    loop = asyncio.get_running_loop()
    outbox, client = _outboxes.pop(loop, None), _clients.pop(loop, None)
    if outbox is not None:
        await outbox.close(CLOSE_TIMEOUT)
    if client is not None:
        await client.aclose()


class News(msgspec.Struct):
    """A webhook's report on a job's prediction. status: Replicate's status. progress: 0 to 1, or None when unknown."""

    job: UUID
    status: str
    progress: float | None = None


def publish(channel: str, job_id: UUID) -> None:
    """Publish a job's id on a channel. Call this after the commit. It returns immediately and never raises."""
    _outbox().publish(channel, str(job_id))


def tell(news: News) -> None:
    """Send news of a prediction to the worker that follows it. Returns immediately and never raises."""
    post("PUBLISH", NEWS, msgspec.json.encode(news))


def post(*command: str | bytes) -> None:
    """Send a command to Redis without waiting for its result. Returns immediately and never raises."""
    _outbox().post(*command)


def _outbox() -> Outbox:
    loop = asyncio.get_running_loop()
    if loop not in _outboxes:
        _outboxes[loop] = Outbox(redis())
    return _outboxes[loop]


async def listen(channel: str) -> AsyncIterator[UUID]:
    """Yield the job ids that are published on a channel. Never ends.

    Reconnects when Redis was away; messages published in the meantime are lost.
    """
    async for message in _messages(channel):
        for word in message.split():
            try:
                yield UUID(word.decode())
            except ValueError:  # from a process of another version
                log.debug("unknown hint: %.100r", word)


async def listen_for_news() -> AsyncIterator[News]:
    """Yield news of predictions. Never ends."""
    async for message in _messages(NEWS):
        try:
            yield msgspec.json.decode(message, type=News)
        except msgspec.DecodeError as error:  # from a process of another version
            log.debug("unknown news: %s", error)


async def _messages(channel: str) -> AsyncIterator[bytes]:
    wait = 0.1
    while True:
        try:
            async with redis().pubsub() as subscription, aclosing(_received(subscription)) as received:
                await subscription.subscribe(channel)
                async for message in received:
                    if message["type"] == "message":
                        yield message["data"]
                    else:  # the confirmation of the subscription
                        redis_health.worked(channel)
                        wait = 0.1
        except (RedisError, OSError) as error:
            redis_health.failed(channel, error)
        await asyncio.sleep(wait)
        wait = min(wait * 2, 2.0)


async def _received(subscription: Any) -> AsyncGenerator[Any, None]:  # redis-py's PubSub is untyped
    while True:
        message = await subscription.get_message(timeout=TIMEOUT / 2)
        if message is not None:
            yield message

"""Word between processes, through Redis: a job changed, is to be canceled, its prediction has news; a worker is alive.

Redis carries hints only. A hint may be lost, doubled or late; whoever listens also looks into the database from time to
time. So nothing here waits long for Redis, and nothing fails without it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from time import time
from typing import Any
from uuid import UUID

import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tasks.outbox import Outbox
from tasks.settings import settings

log = logging.getLogger(__name__)

CHANGED = "darkroom:changed"
CANCEL = "darkroom:cancel"
NEWS = "darkroom:news"
WORKERS = "darkroom:workers"
WORKER_SEEN_SECONDS = 30
TIMEOUT = 2.0  # seconds; a hint later than that is of no use
PARTING = 0.5  # seconds that Redis has for the last hints
CONNECTIONS = 20  # of a process


class Presence:
    """Whether Redis is there, as those find out who speak to it. The log says once that it is not, and once that it is.

    They have names, as Redis may take one thing and refuse another: it is back when the last of them gets through.
    """

    def __init__(self) -> None:
        self._without: set[str] = set()

    @property
    def away(self) -> bool:
        """Whether there is somebody who does not get through."""
        return bool(self._without)

    def failed(self, name: str, error: Exception) -> None:
        """Somebody did not get through, or was refused."""
        if not self._without:
            place = settings.redis_place
            log.warning("Redis at %s does not answer: jobs run all the same, live pages lag. (%s)", place, error)
        self._without.add(name)

    def worked(self, name: str) -> None:
        """Somebody got through."""
        if self.away:
            self._without.discard(name)
            if not self._without:
                log.info("Redis at %s answers again.", settings.redis_place)


presence = Presence()

_clients: dict[asyncio.AbstractEventLoop, Redis] = {}
_outboxes: dict[asyncio.AbstractEventLoop, Outbox] = {}


def redis() -> Redis:
    """This event loop's client. It fails at once rather than retry: callers have the database to fall back on."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        pool = BlockingConnectionPool.from_url(
            settings.queue_url, max_connections=CONNECTIONS, timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT, socket_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0),
        )  # fmt: skip
        _clients[loop] = Redis.from_pool(pool)
    return _clients[loop]


async def close() -> None:
    """Let the hints under way go out, if Redis takes them soon, then close the client."""
    loop = asyncio.get_running_loop()
    outbox, client = _outboxes.pop(loop, None), _clients.pop(loop, None)
    if outbox is not None:
        await outbox.close(PARTING)
    if client is not None:
        await client.aclose()


class News(msgspec.Struct):
    """What a webhook told of a job's prediction. status: Replicate's. progress: 0 to 1, or None where nobody knows."""

    job: UUID
    status: str
    progress: float | None = None


def publish(channel: str, job_id: UUID) -> None:
    """Say that something happened to a job. Call it after the commit; it returns at once and never raises."""
    _outbox().publish(channel, str(job_id))


def tell(news: News) -> None:
    """Pass news of a prediction on to the worker that waits for it. Returns at once and never raises."""
    post("PUBLISH", NEWS, msgspec.json.encode(news))


def post(*command: str | bytes) -> None:
    """Have Redis do something that nobody waits for. Returns at once and never raises."""
    _outbox().post(*command)


def _outbox() -> Outbox:
    loop = asyncio.get_running_loop()
    if loop not in _outboxes:
        _outboxes[loop] = Outbox(redis())
    return _outboxes[loop]


async def listen(channel: str) -> AsyncIterator[UUID]:
    """The ids of jobs that something happened to, for ever.

    Survives a lost Redis; what was said meanwhile is not heard.
    """
    async for message in _messages(channel):
        for word in message.split():
            try:
                yield UUID(word.decode())
            except ValueError:  # from a process of another version
                log.debug("a hint that nobody understands: %.100r", word)


async def listen_for_news() -> AsyncIterator[News]:
    """News of predictions, for ever."""
    async for message in _messages(NEWS):
        try:
            yield msgspec.json.decode(message, type=News)
        except msgspec.DecodeError as error:  # from a process of another version
            log.debug("news that nobody understands: %s", error)


async def _messages(channel: str) -> AsyncIterator[bytes]:
    wait = 0.1
    while True:
        try:
            async with redis().pubsub() as subscription, aclosing(_received(subscription)) as received:
                await subscription.subscribe(channel)
                async for message in received:
                    if message["type"] == "message":
                        yield message["data"]
                    else:  # from now on we are told
                        presence.worked(channel)
                        wait = 0.1
        except (RedisError, OSError) as error:
            presence.failed(channel, error)
        await asyncio.sleep(wait)
        wait = min(wait * 2, 2.0)


async def _received(subscription: Any) -> AsyncGenerator[Any, None]:  # redis-py's PubSub is untyped
    while True:
        message = await subscription.get_message(timeout=TIMEOUT / 2)
        if message is not None:
            yield message


async def worker_seen(worker: str, slots: int) -> None:
    """Note that a worker is alive, and how many jobs it carries at once. Never raises."""
    try:
        await redis().zadd(WORKERS, {f"{worker} {slots}": time()})
        presence.worked("writing")
    except (RedisError, OSError) as error:
        presence.failed("writing", error)


async def worker_gone(worker: str, slots: int) -> None:
    """Note that a worker has stopped. Never raises."""
    try:
        await redis().zrem(WORKERS, f"{worker} {slots}")
    except (RedisError, OSError) as error:
        log.debug("no word of the end: %s", error)


async def slots() -> int:
    """How many jobs the workers seen in the last 30 seconds carry at once; 0 where there is none.

    Raises RedisError or OSError when Redis is away.
    """
    long_ago = time() - WORKER_SEEN_SECONDS
    await redis().zremrangebyscore(WORKERS, "-inf", long_ago)
    workers: Any = await redis().zrange(WORKERS, 0, -1)
    return sum(int(worker.split()[1]) for worker in workers)

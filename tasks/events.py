"""Word between processes, through Redis: this job changed, that job is to be canceled, a worker is alive.

Redis carries hints only. A hint may be lost, doubled or late; whoever listens also looks into the database from time to
time. So nothing here waits long for Redis, and nothing fails without it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any
from uuid import UUID

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from tasks.settings import settings

log = logging.getLogger(__name__)

CHANGED = "darkroom:changed"
CANCEL = "darkroom:cancel"
WORKER_SEEN = "darkroom:worker"
WORKER_SEEN_SECONDS = 30
TIMEOUT = 2.0  # seconds; a hint later than that is of no use

_under_way: set[asyncio.Task[None]] = set()
_clients: dict[asyncio.AbstractEventLoop, Redis] = {}


def redis() -> Redis:
    """This event loop's client. It fails at once rather than retry: callers have the database to fall back on."""
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        _clients[loop] = Redis.from_url(
            settings.queue_url, socket_connect_timeout=TIMEOUT, socket_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0)
        )
    return _clients[loop]


async def close() -> None:
    """Let the hints under way go out, then close the client."""
    await asyncio.gather(*_under_way, return_exceptions=True)
    client = _clients.pop(asyncio.get_running_loop(), None)
    if client is not None:
        await client.aclose()


def publish(channel: str, job_id: UUID) -> None:
    """Say that something happened to a job. Call it after the commit; it returns at once and never raises."""
    in_background(_publish(channel, job_id))


def in_background(hint: Coroutine[Any, Any, None]) -> None:
    """Give a hint without waiting for it."""
    task = asyncio.get_running_loop().create_task(hint)
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)


async def _publish(channel: str, job_id: UUID) -> None:
    try:
        await redis().publish(channel, str(job_id))
    except (RedisError, OSError) as error:
        log.debug("no hint about %s: %s", job_id, error)


async def listen(channel: str) -> AsyncIterator[UUID]:
    """The ids of jobs that something happened to, for ever.

    Survives a lost Redis; what was said meanwhile is not heard.
    """
    wait = 0.1
    while True:
        try:
            async with (
                redis().pubsub(ignore_subscribe_messages=True) as subscription,
                aclosing(_ids(subscription)) as ids,
            ):
                await subscription.subscribe(channel)
                wait = 0.1
                async for job_id in ids:
                    yield job_id
        except (RedisError, OSError) as error:
            log.debug("not listening to %s: %s", channel, error)
        await asyncio.sleep(wait)
        wait = min(wait * 2, 2.0)


async def _ids(subscription: Any) -> AsyncGenerator[UUID, None]:  # redis-py's PubSub is untyped
    while True:
        message = await subscription.get_message(timeout=TIMEOUT / 2)
        if message is not None:
            yield UUID(message["data"].decode())


async def worker_seen() -> None:
    """Note that a worker is alive. Never raises."""
    try:
        await redis().set(WORKER_SEEN, "1", ex=WORKER_SEEN_SECONDS)
    except (RedisError, OSError) as error:
        log.debug("no sign of life: %s", error)


async def worker_alive() -> bool:
    """Whether a worker was seen in the last 30 seconds. Raises RedisError or OSError when Redis is away."""
    return bool(await redis().exists(WORKER_SEEN))

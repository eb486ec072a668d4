"""The queue of hints that there is work: taskiq on a Redis stream.

A message means "there is work", not "do job 42": the task claims the best waiting job from the database. So a message
may be lost or duplicated, and the stock broker's redelivery, which is the part of it that fails, is not needed.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from functools import cache
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from taskiq import TaskiqMessage
from taskiq_redis import RedisStreamBroker

from tasks.messaging import events
from tasks.settings import settings

log = logging.getLogger(__name__)

GENERATE = "generate"
BLOCK_MS = 1000


class HintBroker(RedisStreamBroker):
    """A Redis stream broker that reads one message at a time and deletes it immediately.

    taskiq-redis 1.2 takes a hundred messages at a time away from other workers, loses its consumer group on FLUSHALL,
    leaves its loop when Redis goes away, and never deletes a message.
    """

    def __init__(self, url: str) -> None:
        super().__init__(
            url,
            queue_name="darkroom:work",
            consumer_group_name="workers",
            consumer_id="0",
            xread_block=BLOCK_MS,
            xread_count=1,
            max_connection_pool_size=20,
            socket_connect_timeout=events.TIMEOUT,
            socket_timeout=events.TIMEOUT + BLOCK_MS / 1000,
            retry=events.ONCE_MORE,
        )
        self.may_read = asyncio.Event()
        """Cleared while this process leaves all hints to others."""
        self.may_read.set()

    async def startup(self) -> None:
        """Start without Redis: listen() creates the group when it finds none, and Redis may become available later."""
        self.is_worker_process = True

    async def listen(self) -> AsyncGenerator[bytes, None]:  # type: ignore[override]  # nothing left to acknowledge
        """Yield messages forever. A lost connection, a refusal by Redis or a lost group only delays them."""
        wait = 0.1
        while True:
            _end_if_canceled()
            await self.may_read.wait()
            try:
                async with Redis(connection_pool=self.connection_pool) as redis:
                    for fields in await self._read(redis):
                        if b"data" in fields:  # else it is from a process of another version
                            yield fields[b"data"]
                events.redis_health.worked("reading")
                wait = 0.1
            except (RedisError, OSError) as error:
                events.redis_health.failed("reading", error)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 2.0)

    async def _read(self, redis: Redis) -> list[dict[bytes, bytes]]:
        try:
            streams: Any = await redis.xreadgroup(
                self.consumer_group_name, self.consumer_name, {self.queue_name: ">"},
                count=1, block=BLOCK_MS, noack=True,
            )  # fmt: skip
        except ResponseError as error:
            if not str(error).startswith("NOGROUP"):
                raise
            await self._make_group()
            return []
        messages = [message for _, of_stream in streams or [] for message in of_stream]
        for message_id, _ in messages:  # deleted whether it is run or not: the database holds the work
            events.post("XDEL", self.queue_name, message_id)
        return [fields for _, fields in messages]

    async def _make_group(self) -> None:
        async with Redis(connection_pool=self.connection_pool) as redis:
            try:
                await redis.xgroup_create(self.queue_name, self.consumer_group_name, self.consumer_id, mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):  # BUSYGROUP: another worker has created it
                    raise

    async def waiting(self, most: int) -> int:
        """Return how many hints are still unread, up to `most`. Raises RedisError or OSError when Redis is away.

        A hint whose worker died between reading and deleting it does not count: no other worker will receive it.
        """
        async with Redis(connection_pool=self.connection_pool) as redis:
            try:
                [group] = await redis.xinfo_groups(self.queue_name)
            except (ResponseError, ValueError):  # no stream or no group yet: nothing has been read
                return min(int(await redis.xlen(self.queue_name)), most)
            read = group["last-delivered-id"].decode()
            await redis.xtrim(self.queue_name, minid=read, approximate=False)
            unread: Any = await redis.xrange(self.queue_name, min=f"({read}", count=most)
            return len(unread)

    async def give(self, times: int) -> None:
        """Add `times` hints that there is work. Raises RedisError or OSError when Redis is away or accepts none."""
        async with (
            Redis(connection_pool=self.connection_pool) as redis,
            redis.pipeline(transaction=False) as pipeline,
        ):
            for _ in range(times):
                pipeline.xadd(self.queue_name, {"data": _hint()})
            await pipeline.execute()


def _end_if_canceled() -> None:
    """Raise a lost CancelledError: redis-py sends with asyncio.wait_for, which may swallow it on Python 3.11."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


broker = HintBroker(settings.queue_url)


def generate_later(times: int = 1) -> None:
    """Hint that there is work for `times` idle workers.

    Returns immediately and never raises. tasks/worker/rescuer.py replaces lost hints.
    """
    for _ in range(times):
        events.post("XADD", broker.queue_name, "*", "data", _hint())


@cache
def _hint() -> bytes:
    """Return the message, which is always the same: it names the task and no job."""
    message = TaskiqMessage(task_id=GENERATE, task_name=GENERATE, labels={}, args=[], kwargs={})
    return broker.formatter.dumps(message).message

"""The presence of workers: each says regularly that it is alive, and how many jobs it runs at once."""

from time import time
from typing import Any

from redis.exceptions import RedisError

from tasks.messaging import events

WORKERS = "darkroom:workers"
WORKER_SEEN_SECONDS = 30


async def worker_seen(worker: str, slots: int) -> None:
    """Record that a worker is alive, and how many jobs it runs at once. Never raises."""
    try:
        await events.redis().zadd(WORKERS, {f"{worker} {slots}": time()})
        events.redis_health.worked("writing")
    except (RedisError, OSError) as error:
        events.redis_health.failed("writing", error)


def worker_gone(worker: str, slots: int) -> None:
    """Record that a worker has stopped. Returns immediately and never raises: a stop must not wait for Redis."""
    events.post("ZREM", WORKERS, f"{worker} {slots}")


async def slots() -> int:
    """Return how many jobs the workers seen in the last 30 seconds run at once; 0 when there is no worker.

    Raises RedisError or OSError when Redis is away.
    """
    long_ago = time() - WORKER_SEEN_SECONDS
    await events.redis().zremrangebyscore(WORKERS, "-inf", long_ago)
    workers: Any = await events.redis().zrange(WORKERS, 0, -1)
    return sum(int(worker.split()[1]) for worker in workers)

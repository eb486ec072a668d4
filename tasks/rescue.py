"""What a crash or a lost hint left behind, picked up again: due jobs that no hint stands for.

While Redis carries no hints, all that is due is found like that, and run by the process that finds it.
"""

import asyncio
import logging
from random import uniform

from redis.exceptions import RedisError

from tasks import events, generate, halts, jobs, queue
from tasks.broker import broker
from tasks.failures import DatabaseAway
from tasks.queue import Condition
from tasks.settings import settings
from tasks.tables import Job

log = logging.getLogger(__name__)

INTERVAL = 2.0  # seconds


async def keep_looking() -> None:
    """Look for forgotten work every two seconds or so, for ever."""
    while True:
        await asyncio.sleep(uniform(0.5, 1.5) * INTERVAL)
        try:
            await jobs.requeue()
            await jobs.expire()
            await rescue()
        except DatabaseAway as away:
            log.warning("no look for forgotten work: %s", away)
        except Exception:
            log.exception("the look for forgotten work failed; trying again")


async def rescue() -> int:
    """Give a hint for every due job that has none, as many as one worker carries. Answers how many it gave.

    While Redis is away, or takes no hints, the jobs are run here, as many as there is room for. While the queue is
    halted, jobs that need a prediction are not due: one hint is enough, for the probe.
    """
    halted = await halts.current() is not None
    due = await _some(queue.resumed()) + (0 if halted else await _some(queue.waiting()))
    wanted = min(due, settings.worker_concurrency) + halted
    if not wanted:
        return 0
    missing = 0
    try:
        missing = max(0, wanted - await broker.waiting(wanted))
        await broker.give(missing)
        events.presence.worked("writing")
    except (RedisError, OSError) as error:
        events.presence.failed("writing", error)
    return generate.start(wanted) if events.presence.away else missing


async def _some(due: Condition) -> int:
    """How many jobs are due like that, as far as one worker can carry them. Each kind is found by its own index."""
    return len(await Job.select(Job.id).where(due).limit(settings.worker_concurrency))

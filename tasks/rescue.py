"""What a crash or a lost hint left behind, picked up again: due jobs that no hint stands for."""

import asyncio
import logging
from random import uniform

from redis.exceptions import RedisError

from tasks import jobs
from tasks.broker import broker, generate_later
from tasks.database import now
from tasks.settings import settings
from tasks.tables import Job

log = logging.getLogger(__name__)

INTERVAL = 2.0  # seconds


async def keep_looking() -> None:
    """Look for forgotten work every two seconds or so, for ever."""
    while True:
        await asyncio.sleep(uniform(0.5, 1.5) * INTERVAL)
        try:
            await rescue()
        except (RedisError, OSError) as error:
            log.debug("no hints for now: %s", error)
        except Exception:
            log.exception("the look for forgotten work failed; trying again")


async def rescue() -> int:
    """Give a hint for every due job that has none, as many as one worker carries. Answers how many it gave."""
    due = await Job.select(Job.id).where(jobs.due(now())).limit(settings.worker_concurrency)
    missing = max(0, len(due) - await broker.waiting(len(due))) if due else 0
    generate_later(missing)
    return missing

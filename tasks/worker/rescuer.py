"""Finds due jobs that have no hint, because a process crashed or a hint was lost.

While Redis delivers no hints, all due jobs are found this way, and the process that finds a job runs it.
"""

import logging
from functools import partial
from random import uniform

from redis.exceptions import RedisError

from tasks.background import repeat
from tasks.db.tables import Condition, Job
from tasks.jobs import lifecycle, pauses, queue
from tasks.messaging import events
from tasks.messaging.broker import broker
from tasks.replicate import circuit
from tasks.worker.generate import Worker

log = logging.getLogger(__name__)


async def keep_looking(worker: Worker) -> None:
    """Look for forgotten work about every two seconds, forever."""
    look, every = partial(_look, worker), worker.timings.rescue
    await repeat(look, lambda: uniform(0.5, 1.5) * every, "could not check for forgotten jobs", log)


async def _look(worker: Worker) -> None:
    await circuit.end_due()
    await pauses.end_due()
    await lifecycle.requeue()
    await lifecycle.expire()
    await rescue(worker)


async def rescue(worker: Worker) -> int:
    """Send a hint for every due job that has none, up to as many as a worker carries. Returns how many were sent.

    While Redis is away or accepts no hints, this worker runs the jobs, as many as there is room for; then this
    returns how many were started. While the queue is halted, jobs that need a prediction are not due: one hint, for the
    probe, is enough.
    """
    if worker.draining:
        return 0
    halted = await circuit.current() is not None
    most = worker.concurrency
    due = await _some(queue.resumed(), most) + (0 if halted else await _some(queue.waiting(), most))
    wanted = min(due, most) + halted
    if not wanted and not events.redis_health.away:
        return 0
    missing = 0
    try:
        missing = max(0, wanted - await broker.waiting(max(wanted, 1)))
        await broker.give(max(missing, events.redis_health.away))  # one hint too many shows whether Redis is back
        events.redis_health.worked("writing")
    except (RedisError, OSError) as error:
        events.redis_health.failed("writing", error)
    return worker.start(wanted) if events.redis_health.away else missing


async def _some(due: Condition, most: int) -> int:
    """Return how many jobs match `due`, up to `most`. Each condition has its own index."""
    return len(await Job.select(Job.id).where(due).limit(most))

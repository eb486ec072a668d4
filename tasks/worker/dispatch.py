"""Decide when another prediction may be created: as fast as Replicate allows, and while it accepts this account."""

import asyncio
from collections.abc import Callable

from tasks.db.tables import Job
from tasks.jobs import lifecycle
from tasks.messaging.broker import generate_later
from tasks.replicate import circuit
from tasks.replicate.circuit import Breaker
from tasks.replicate.rate_limit import RateLimit
from tasks.settings import settings

LIMIT_CHECK_SECONDS = 1.0  # seconds between two checks of the limit: another worker may have given a token back


async def next_job(
    rate_limit: RateLimit, lease_seconds: float = settings.lease_seconds, draining: Callable[[], bool] = lambda: False
) -> Job | None:
    """Claim the best waiting job as soon as its prediction may be created. Returns None when there is none.

    The rate-limit token comes first and the claim second, so that the best job is chosen at the last moment. In each
    process, one coroutine waits for a token and the others return None. The coroutine that waited passes the hint on
    when it has a job. draining: returns whether this process claims no more jobs by now.
    """
    must_wait = await rate_limit.take() > 0
    if must_wait:
        if rate_limit.waiting.locked():
            return None
        async with rate_limit.waiting:
            while (wait := await rate_limit.take()) > 0:  # noqa: ASYNC110  # Redis has no event for this
                await asyncio.sleep(min(wait, LIMIT_CHECK_SECONDS))
    job = None
    try:
        job = None if draining() else await lifecycle.claim(lease_seconds)
    finally:
        if job is None:
            await rate_limit.give_back()
    if job is not None and must_wait:
        generate_later()
    return job


async def probe(breaker: Breaker, lease_seconds: float = settings.lease_seconds) -> Job | None:
    """Probe a halted queue from time to time: check whether Replicate works again, or claim a job as a probe.

    The probe is not the job that met the halt, unless no other job waits; then it is that job, even before it is due.
    Returns None when there is nothing to do. Raises Failure when the account is still refused.
    """
    stopped = await circuit.current()
    if stopped is None or not await circuit.half_open(stopped, breaker.timings):
        return None
    if stopped.code == circuit.AUTH:
        await breaker.look()
        await circuit.close()
        return None
    if stopped.code == circuit.AWAY and not await breaker.is_answered():
        return None
    job = await lifecycle.claim_probe(lease_seconds, stopped.job)
    if job is None and stopped.code == circuit.AWAY:
        await circuit.close()
    return job

"""When another prediction may be created: as fast as Replicate allows, and while it takes this account at all."""

import asyncio

from tasks import halts, jobs, limits
from tasks.broker import generate_later
from tasks.circuit import Circuit
from tasks.settings import settings
from tasks.tables import Job

LONGEST_WAIT = 1.0  # seconds between two looks at the limit: another worker may have given a right back

_waiting = asyncio.Semaphore(1)


async def next_job() -> Job | None:
    """Claim the best waiting job as soon as its prediction may be created. None: there is none.

    The right comes first, then the claim: so the best job is chosen at the last moment. One coroutine of a process
    waits for the right, the others leave it to that one; it passes the hint on when it is served.
    """
    must_wait = await limits.take() > 0
    if must_wait:
        if _waiting.locked():
            return None
        async with _waiting:
            while (wait := await limits.take()) > 0:  # noqa: ASYNC110  # Redis has no event that says when
                await asyncio.sleep(min(wait, LONGEST_WAIT))
    job = None
    try:
        job = await jobs.claim(settings.lease_seconds)
    finally:
        if job is None:
            await limits.give_back()
    if job is not None and must_wait:
        generate_later()
    return job


async def probe(circuit: Circuit) -> Job | None:
    """While the queue is halted, once in a while: see whether it works again, or claim a job to see by.

    That is another job than the one that met the halt, where another waits: else that one, before its time. Returns
    None where there is nothing to do. Raises Failure where the account is still refused.
    """
    stopped = await halts.current()
    if stopped is None or not await halts.may_probe(stopped):
        return None
    if stopped.code == halts.AUTH:
        await circuit.look()
        await halts.lift()
        return None
    if stopped.code == halts.AWAY and not await circuit.is_answered():
        return None
    job = await jobs.claim_probe(settings.lease_seconds, stopped.job)
    if job is None and stopped.code == halts.AWAY:
        await halts.lift()
    return job

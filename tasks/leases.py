"""The leases that a worker process holds: renewed together, lost ones given up, all handed back when it stops."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID

from tasks import events, jobs
from tasks.settings import settings
from tasks.tables import Job

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Lease:
    """A worker's hold on a job: the coroutine that carries it, and whether somebody wants it called off."""

    job: Job
    carrier: asyncio.Task[None]
    cancel_requested: asyncio.Event = field(default_factory=asyncio.Event)


class Lost(asyncio.CancelledError):
    """The lease is gone: another worker has the job, so this one stops and writes nothing."""


_held: dict[UUID, Lease] = {}


@asynccontextmanager
async def hold(job: Job) -> AsyncIterator[Lease]:
    """Hold a claimed job's lease while the block runs. The block is cancelled when the lease is lost."""
    carrier = asyncio.current_task()
    assert carrier is not None
    lease = Lease(job, carrier)
    if job.cancel_requested:
        lease.cancel_requested.set()
    _held[job.lease_token] = lease
    try:
        yield lease
    finally:
        _held.pop(job.lease_token, None)


async def keep() -> None:
    """Renew every lease held, for ever, three times in its life."""
    while True:
        await asyncio.sleep(settings.lease_seconds / 3)
        try:
            await renew()
        except Exception:
            log.exception("leases could not be renewed; trying again")


async def renew() -> None:
    """Renew the leases once: give up those that are gone, note those somebody wants called off."""
    before = dict(_held)
    if not before:
        return
    renewed = await jobs.renew(before, settings.lease_seconds)
    for token, lease in before.items():
        if token not in renewed and token in _held:
            log.warning("job %s: the lease is gone, leaving it to its new holder", lease.job.id)
            lease.carrier.cancel()
        elif renewed.get(token):
            lease.cancel_requested.set()


async def watch_for_cancels() -> None:
    """Pass on requests to cancel, the moment they are heard. A lost one is found by `renew`."""
    async for job_id in events.listen(events.CANCEL):
        for lease in _held.values():
            if lease.job.id == job_id:
                lease.cancel_requested.set()


async def hand_back() -> None:
    """Stop carrying every job and let another worker go on with it at once."""
    leases = dict(_held)
    for lease in leases.values():
        lease.carrier.cancel()
    await asyncio.gather(*(lease.carrier for lease in leases.values()), return_exceptions=True)
    if leases:
        await jobs.release(leases)

"""Halt the queue while Replicate refuses the account or does not answer, so that no more predictions are created.

Jobs stay queued meanwhile. From time to time, one worker checks whether Replicate works again, or sends one job as a
probe.

A user may halt the queue as well, and a restored library halts itself. Then nothing is sent until a user resumes it.
"""

import logging
from uuid import UUID

from tasks.db.database import from_now, now
from tasks.db.tables import Halt
from tasks.errors import Failure
from tasks.messaging.broker import generate_later
from tasks.settings import settings

log = logging.getLogger(__name__)

AUTH = "provider_auth"
BILLING = "provider_billing"
AWAY = "provider_away"
MANUAL_CODES = ["held", "restored"]
"""The codes of halts that no probe lifts: a user has to."""

FIRST_PROBE_SECONDS = 1.0  # after Replicate did not answer; later waits are half as long as the outage has lasted
MAX_PROBE_SECONDS = 30.0  # the longest wait between two probes


async def current() -> Halt | None:
    """Return why no predictions are created now, or None when the queue is not halted."""
    return await Halt.objects().first()


async def is_open(code: str) -> bool:
    """Return whether the queue is halted for this reason."""
    return await Halt.exists().where(Halt.code == code)


async def halt(failure: Failure, job_id: UUID | None = None) -> None:
    """Halt the queue, or keep it halted. job_id: the job that met the failure."""
    before = await current()
    same = before if before is not None and before.code == failure.code else None
    since = before.since if before is not None else now()
    probe_at = from_now(_until_probe(failure.code, same))
    row = Halt(id=1, code=failure.code, message=failure.message, since=since, probe_at=probe_at, job=job_id)
    changes = {Halt.code: failure.code, Halt.message: failure.message, Halt.probe_at: probe_at, Halt.job: job_id}
    await Halt.insert(row).on_conflict(
        target=Halt.id, action="DO UPDATE", values=list(changes.items()), where=Halt.code.not_in(MANUAL_CODES)
    )
    if same is None:
        told = f"The queue is halted: {failure.message} Jobs resume automatically once this is over."
        log.error("%s%s", told, f" Detected on job {job_id}." if job_id else "")


async def may_probe(stopped: Halt) -> bool:
    """Return whether it is this worker's turn to probe. Of all workers, one gets a turn from time to time."""
    due = (Halt.id == 1) & (Halt.probe_at <= from_now()) & Halt.code.not_in(MANUAL_CODES)
    later = from_now(_until_probe(stopped.code, stopped))
    return bool(await Halt.update({Halt.probe_at: later}).where(due).returning(Halt.id))


async def lift() -> None:
    """Resume the queue because Replicate works again."""
    if await Halt.delete().where((Halt.id == 1) & Halt.code.not_in(MANUAL_CODES)).returning(Halt.id):
        log.warning("The queue is running again.")
        generate_later(settings.worker_concurrency)


async def hold(code: str, message: str) -> None:
    """Halt the queue until resume(): see MANUAL_CODES. Never replaces the halt of a restored library."""
    row = Halt(id=1, code=code, message=message, since=now(), probe_at=now())
    changes = {Halt.code: code, Halt.message: message, Halt.job: None}
    await Halt.insert(row).on_conflict(
        target=Halt.id, action="DO UPDATE", values=list(changes.items()), where=Halt.code != "restored"
    )
    log.warning("The queue is halted: %s", message)


async def hold_by_hand() -> None:
    """Halt the queue at a user's request."""
    await hold("held", "A user halted the queue. Run `darkroom resume` to continue.")


async def resume() -> Halt | None:
    """Lift a halt that no probe lifts. Returns that halt, or None when there is none."""
    lifted = await Halt.delete().where(Halt.code.is_in(MANUAL_CODES)).returning(*Halt.all_columns())
    return Halt(**lifted[0]) if lifted else None


def _until_probe(code: str, before: Halt | None) -> float:
    """Return the seconds until the next probe. In an outage, probes start soon and become less frequent."""
    if code != AWAY:
        return MAX_PROBE_SECONDS
    lasted = (now() - before.since).total_seconds() if before is not None else 0.0
    return min(max(lasted / 2, FIRST_PROBE_SECONDS), MAX_PROBE_SECONDS)

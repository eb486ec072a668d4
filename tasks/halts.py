"""A halt of the queue: Replicate refuses the account, or does not answer, so nothing more is created for the moment.

Jobs stay queued meanwhile. From time to time one worker looks, or sends one job as a probe, to see whether it works
again.

Somebody may halt it, too, and a restored library halts itself: then nothing is sent until somebody resumes it.
"""

import logging
from uuid import UUID

from tasks.broker import generate_later
from tasks.database import from_now, now
from tasks.failures import Failure
from tasks.settings import settings
from tasks.tables import Halt

log = logging.getLogger(__name__)

AUTH = "provider_auth"
BILLING = "provider_billing"
AWAY = "provider_away"
HELD = ["held", "restored"]
"""The codes of halts that no probe lifts: somebody has to."""

FIRST_PROBE_SECONDS = 1.0  # after Replicate did not answer; then after half as long again as it has lasted
PROBE_SECONDS = 30.0  # between two probes at most


async def current() -> Halt | None:
    """Return why nothing is created at the moment, if so."""
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
        target=Halt.id, action="DO UPDATE", values=list(changes.items()), where=Halt.code.not_in(HELD)
    )
    if same is None:
        told = f"The queue is halted: {failure.message} Jobs wait, and go on when it works again."
        log.error("%s%s", told, f" It was met by job {job_id}." if job_id else "")


async def may_probe(stopped: Halt) -> bool:
    """Return whether it is this worker's turn to see if it works again: of all workers one, once in a while."""
    due = (Halt.id == 1) & (Halt.probe_at <= from_now()) & Halt.code.not_in(HELD)
    later = from_now(_until_probe(stopped.code, stopped))
    return bool(await Halt.update({Halt.probe_at: later}).where(due).returning(Halt.id))


async def lift() -> None:
    """Have the queue go on: it works again."""
    if await Halt.delete().where((Halt.id == 1) & Halt.code.not_in(HELD)).returning(Halt.id):
        log.warning("The queue goes on.")
        generate_later(settings.worker_concurrency)


async def hold(code: str, message: str) -> None:
    """Halt the queue until resume(): see HELD. What a restored library says stays."""
    row = Halt(id=1, code=code, message=message, since=now(), probe_at=now())
    changes = {Halt.code: code, Halt.message: message, Halt.job: None}
    await Halt.insert(row).on_conflict(
        target=Halt.id, action="DO UPDATE", values=list(changes.items()), where=Halt.code != "restored"
    )
    log.warning("The queue is halted: %s", message)


async def hold_by_hand() -> None:
    """Halt the queue because somebody wants that."""
    await hold("held", "Somebody has halted the queue. It goes on after `darkroom resume`.")


async def resume() -> Halt | None:
    """Lift a halt that no probe lifts. Answers which that was, or None where there is none."""
    lifted = await Halt.delete().where(Halt.code.is_in(HELD)).returning(*Halt.all_columns())
    return Halt(**lifted[0]) if lifted else None


def _until_probe(code: str, before: Halt | None) -> float:
    """Seconds. An outage is looked at soon, and less and less often."""
    if code != AWAY:
        return PROBE_SECONDS
    lasted = (now() - before.since).total_seconds() if before is not None else 0.0
    return min(max(lasted / 2, FIRST_PROBE_SECONDS), PROBE_SECONDS)

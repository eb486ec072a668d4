"""A halt of the queue: Replicate refuses the account, so nothing more is created until it works again.

Jobs stay queued meanwhile. From time to time one worker sends one job, the best that waits, as a probe.

Somebody may halt it, too, and a restored library halts itself: then nothing is sent until somebody resumes it.
"""

import logging

from tasks.broker import generate_later
from tasks.database import from_now, now
from tasks.failures import Failure
from tasks.settings import settings
from tasks.tables import Halt

log = logging.getLogger(__name__)

PROBE = 30.0  # seconds between two probes
HELD = ["held", "restored"]
"""The codes of halts that no probe lifts: somebody has to."""


async def current() -> Halt | None:
    """Why nothing is created at the moment, if so."""
    return await Halt.objects().first()


async def halt(failure: Failure) -> None:
    """Halt the queue, or keep it halted."""
    row = Halt(id=1, code=failure.code, message=failure.message, since=now(), probe_at=from_now(PROBE))
    changes = {Halt.code: failure.code, Halt.message: failure.message, Halt.probe_at: from_now(PROBE)}
    await Halt.insert(row).on_conflict(
        target=Halt.id, action="DO UPDATE", values=list(changes.items()), where=Halt.code.not_in(HELD)
    )
    log.error("The queue is halted: %s Jobs wait, and go on when it works again.", failure.message)


async def may_probe() -> bool:
    """Whether it is this worker's turn to see if it works again: once in PROBE seconds, of all workers one."""
    due = (Halt.id == 1) & (Halt.probe_at <= from_now()) & Halt.code.not_in(HELD)
    return bool(await Halt.update({Halt.probe_at: from_now(PROBE)}).where(due).returning(Halt.id))


async def lift() -> None:
    """It works again."""
    if await Halt.delete().where((Halt.id == 1) & Halt.code.not_in(HELD)).returning(Halt.id):
        log.warning("The queue goes on.")
        generate_later(settings.worker_concurrency)


async def hold(code: str, message: str) -> None:
    """Halt the queue until resume(): see HELD. What a restored library says stays."""
    row = Halt(id=1, code=code, message=message, since=now(), probe_at=now())
    changes = {Halt.code: code, Halt.message: message}
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

"""Pausing and resuming the queue, or one model, with the audit: for pages, programs and the command line alike."""

from tasks.accounts import audit
from tasks.accounts.actors import OPEN_HOUSE
from tasks.accounts.audit import COMMAND_LINE, By
from tasks.db.operation_tables import ModelPause
from tasks.db.tables import Halt
from tasks.jobs import pauses
from tasks.jobs.pauses import Terms
from tasks.replicate import circuit

NOBODY = (OPEN_HOUSE.name, COMMAND_LINE)
"""The actors that are nobody in particular."""


async def hold(asked: Terms, by: By) -> None:
    """Pause what is asked for."""
    if asked.model:
        await pauses.pause(asked, by.actor)
    else:
        await circuit.hold_by_hand("" if by.actor in NOBODY else by.actor, asked.reason, asked.until)
    after = {"reason": asked.reason or None, "until": asked.until.isoformat() if asked.until else None}
    await audit.note(by, "model paused" if asked.model else "queue halted", asked.model or "queue", after=after)


async def lift_model(model: str, by: By) -> ModelPause | None:
    """Lift the pause of a model. Returns it, or None when there was none."""
    paused = await pauses.resume(model)
    if paused is not None:
        await audit.note(by, "model resumed", model, before={"reason": paused.reason or None})
    return paused


async def lift(by: By) -> Halt | None:
    """Lift the halt of the queue that only a user lifts. Returns it, or None when there was none."""
    lifted = await circuit.resume()
    if lifted is not None:
        await audit.note(by, "queue resumed", "queue", before={"halted": lifted.message})
    return lifted

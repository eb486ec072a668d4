"""What `darkroom halt` and `darkroom resume` do: pause the queue, or one model, and lift that again."""

from tasks.accounts import audit
from tasks.accounts.audit import COMMAND_LINE, By
from tasks.jobs import pauses
from tasks.jobs.pauses import Terms
from tasks.replicate import circuit


async def hold(asked: Terms) -> None:
    """Pause what is asked for."""
    if asked.model:
        await pauses.pause(asked, COMMAND_LINE)
    else:
        await circuit.hold_by_hand(reason=asked.reason, until=asked.until)
    after = {"reason": asked.reason or None, "until": asked.until.isoformat() if asked.until else None}
    await audit.note(By(), "model paused" if asked.model else "queue halted", asked.model or "queue", after=after)


async def lift(model: str | None) -> str:
    """Lift the pause of a model, or the halt that only a user can lift. Returns which it was, or what else halts."""
    if model is not None:
        paused = await pauses.resume(model)
        if paused is None:
            return f"{model} is not paused."
        await audit.note(By(), "model resumed", model, before={"reason": paused.reason or None})
        return f"Resumed {model}. It was paused since {paused.since:%Y-%m-%d %H:%M:%S} UTC by {paused.by}."
    if lifted := await circuit.resume():
        await audit.note(By(), "queue resumed", "queue", before={"halted": lifted.message})
        return f"Resumed the queue. It was halted since {lifted.since:%Y-%m-%d %H:%M:%S} UTC: {lifted.message}"
    if other := await circuit.current():
        return f"The queue was not halted by a user. It resumes automatically once this is over: {other.message}"
    return "The queue is not halted."

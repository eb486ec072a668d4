"""What `darkroom resume` says: what it lifts, or what else halts the queue."""

from tasks.accounts.audit import By
from tasks.operations import pausing
from tasks.replicate import circuit


async def lift(model: str | None) -> str:
    """Lift the pause of a model, or the halt that only a user can lift. Returns which it was, or what else halts."""
    if model is not None:
        paused = await pausing.lift_model(model, By())
        if paused is None:
            return f"{model} is not paused."
        return f"Resumed {model}. It was paused since {paused.since:%Y-%m-%d %H:%M:%S} UTC by {paused.by}."
    if lifted := await pausing.lift(By()):
        return f"Resumed the queue. It was halted since {lifted.since:%Y-%m-%d %H:%M:%S} UTC: {lifted.message}"
    if other := await circuit.current():
        return f"The queue was not halted by a user. It resumes automatically once this is over: {other.message}"
    return "The queue is not halted."

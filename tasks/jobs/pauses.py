"""Models that are paused: no predictions of them are created until a user resumes them, or a time has come.

What runs goes on. All models together are paused by a halt: see tasks/replicate/circuit.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tasks.db.database import now
from tasks.db.dialect import from_now
from tasks.db.operation_tables import ModelPause
from tasks.errors import Fault, Rejected
from tasks.models.names import OWNER_AND_NAME

MAX_REASON_LENGTH = 200  # characters


@dataclass(frozen=True, slots=True)
class Terms:
    """What is to be paused: a model, owner/name, or all of them (""). until: None until a user resumes it."""

    model: str = ""
    reason: str = ""
    until: datetime | None = None


def read(model: object, reason: object, until: object, faults: Sequence[Fault] = ()) -> Terms:
    """Return terms as they are sent: strings, or None. until: ISO 8601, in the future. Raises Rejected.

    faults: what is wrong already.
    """
    found, moment = list(faults), None
    if model is not None and not (isinstance(model, str) and OWNER_AND_NAME.fullmatch(model)):
        found.append(Fault("/model", "This must be the name of a model, owner/name, without a version."))
    if reason is not None and not (isinstance(reason, str) and len(reason) <= MAX_REASON_LENGTH and "\0" not in reason):
        found.append(Fault("/reason", f"This must be a text of up to {MAX_REASON_LENGTH} characters."))
    if until is not None:
        try:
            moment = datetime.fromisoformat(str(until))
        except ValueError:
            moment = None
        if not isinstance(until, str) or moment is None or moment.tzinfo is None or moment <= now():
            found.append(Fault("/until", "This must be a time to come in ISO 8601, with its offset."))
    if found:
        raise Rejected("invalid_request", found)
    return Terms(str(model or ""), " ".join(str(reason or "").split()), moment and moment.astimezone(UTC))


async def pause(terms: Terms, by: str) -> None:
    """Pause a model, or change why and until when it is paused. by: who wants that, for people."""
    row = ModelPause(model=terms.model, by=by, reason=terms.reason, since=now(), until=terms.until)
    changes = [ModelPause.by, ModelPause.reason, ModelPause.until]
    await ModelPause.insert(row).on_conflict(target=ModelPause.model, action="DO UPDATE", values=changes)


async def resume(model: str) -> ModelPause | None:
    """Resume a model. Returns its pause, or None when it was not paused."""
    rows = await ModelPause.delete().where(ModelPause.model == model).returning(*ModelPause.all_columns())
    return ModelPause(**rows[0]) if rows else None


async def listed() -> Sequence[ModelPause]:
    """Return the pauses that are in force, by model."""
    return await ModelPause.objects().order_by(ModelPause.model)


async def end_due() -> list[ModelPause]:
    """End the pauses whose time has come, and return them."""
    rows = await ModelPause.delete().where(ModelPause.until <= from_now()).returning(*ModelPause.all_columns())
    return [ModelPause(**row) for row in rows]

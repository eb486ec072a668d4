"""How each model does: how long its jobs wait, run and are stored, how many succeed, what Replicate refuses."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from tasks.db.database import now
from tasks.operations import activity
from tasks.operations.durations import Durations, merged

WINDOW = timedelta(hours=1)
RATE_LIMITED = "rate_limited"
UPSTREAM_ERRORS = frozenset(
    f"provider_{code}" for code in ("away", "busy", "error", "interrupted", "timeout", "unreachable")
)
NOT_THE_MODELS = frozenset({RATE_LIMITED, "canceled"})
"""The codes of attempts that say nothing about the model."""


@dataclass(frozen=True, slots=True)
class ModelState:
    """What was done with a model in WINDOW. codes: how many attempts ended with each error."""

    model: str
    succeeded: int
    codes: Mapping[str, int]
    waited: Durations
    ran: Durations
    stored: Durations

    @property
    def success(self) -> float | None:
        """The share of attempts that succeeded, from 0 to 1, without those that were refused or canceled."""
        tried = self.succeeded + sum(count for code, count in self.codes.items() if code not in NOT_THE_MODELS)
        return self.succeeded / tried if tried else None

    @property
    def rate_limited_per_minute(self) -> float:
        """How many creates Replicate answers with 429 in a minute."""
        return self.codes.get(RATE_LIMITED, 0) / (WINDOW / timedelta(minutes=1))

    @property
    def upstream_errors_per_minute(self) -> float:
        """How many attempts fail in a minute because Replicate does: it is busy, answers 5xx, or not at all."""
        return sum(self.codes.get(code, 0) for code in UPSTREAM_ERRORS) / (WINDOW / timedelta(minutes=1))


async def of_last_hour() -> Sequence[ModelState]:
    """Return the state of each model that was used in the last hour, the most used first."""
    rows = await activity.since(now() - WINDOW, activity.MINUTE)
    states = []
    for model in sorted({row["model"] for row in rows}):
        own = [row for row in rows if row["model"] == model]
        well = [row for row in own if not row["code"]]
        codes = Counter[str]()
        for row in own:
            codes[row["code"]] += row["attempts"]
        succeeded = codes.pop("", 0)
        times = (merged(Durations.read(row[name]) for row in well) for name in ("waited", "ran", "stored"))
        states.append(ModelState(model, succeeded, codes, *times))
    return sorted(states, key=lambda state: -(state.succeeded + sum(state.codes.values())))

"""Where the time of a job went: its spans, from its creation to its end, as the bar on its page shows them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.db.tables import Attempt, Job

LENGTH = 1000
"""The length of the whole bar, in units of its viewBox."""
LEAST = 6  # units: a shorter span could not be seen


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time. name: what happened in it. at, length: its place on the bar, in units of its viewBox."""

    name: str
    seconds: float
    at: float
    length: float

    @property
    def words(self) -> str:
        """What happened, in words."""
        return {"earlier": "Earlier attempts", "rest": "Started, stored"}.get(self.name, self.name.capitalize())


def spans(job: Job, attempts: Sequence[Attempt]) -> list[Span]:
    """Return the spans of a job's time that are known, in their order; of a job that has not ended, only the wait.

    What lies before and after the model's own run is told apart only when Replicate has measured the whole prediction
    (`total_time`).
    """
    if job.started_at is None:
        return []
    known = [("waited", _between(job.created_at, job.started_at))]
    if job.finished_at is not None:
        known += _made(job.started_at, job.finished_at, attempts)
    return _placed([(name, seconds) for name, seconds in known if seconds >= 0.05])


def _made(started: datetime, finished: datetime, attempts: Sequence[Attempt]) -> list[tuple[str, float]]:
    last = attempts[-1] if attempts else None
    if last is None or last.predict_time is None:
        return [("ran", _between(started, finished))]
    begun = started if len(attempts) == 1 else max(started, last.created_at)
    whole, ran = _between(begun, finished), last.predict_time
    total = json.loads(last.metrics or "{}").get("total_time")
    earlier = [("earlier", _between(started, begun))]
    if not isinstance(total, int | float) or not ran <= total <= whole:
        return [*earlier, ("ran", ran), ("rest", whole - ran)]
    return [*earlier, ("started", total - ran), ("ran", ran), ("stored", whole - total)]


def _between(first: datetime, last: datetime) -> float:
    return max(0.0, (last - first).total_seconds())


def _placed(known: Sequence[tuple[str, float]]) -> list[Span]:
    """Return the spans along the bar, to scale but for those that would be too short to be seen."""
    whole = sum(seconds for _, seconds in known) or 1.0
    widths = [max(LEAST, LENGTH * seconds / whole) for _, seconds in known]
    found, at = [], 0.0
    for (name, seconds), width in zip(known, widths, strict=True):
        length = width * LENGTH / sum(widths)
        found.append(Span(name, seconds, round(at, 1), round(length, 1)))
        at += length
    return found

"""How many attempts succeeded and failed in the last hour, day and month, in steps that can be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tasks.db.database import now
from tasks.db.operation_tables import Activity
from tasks.operations.activity import DAY, HOUR, MINUTE

SUMS = (
    "SELECT starts_at, CASE WHEN code = '' THEN 1 ELSE 0 END AS well, sum(attempts) AS attempts FROM activity"
    " WHERE starts_at >= {} GROUP BY 1, 2"
)


@dataclass(slots=True)
class Step:
    """The attempts that ended in a step of time. seconds: how long it is."""

    starts_at: datetime
    seconds: int
    succeeded: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """Steps of the same length, the earliest first. name: of all of them together, such as "hour"."""

    name: str
    steps: Sequence[Step]

    @property
    def succeeded(self) -> int:
        """How many attempts succeeded in all."""
        return sum(step.succeeded for step in self.steps)

    @property
    def failed(self) -> int:
        """How many failed in all."""
        return sum(step.failed for step in self.steps)

    @property
    def most(self) -> int:
        """How many ended in the step in which most did."""
        return max(step.succeeded + step.failed for step in self.steps)


async def latest() -> Sequence[History]:
    """Return the last hour by minutes, the last day by half hours, and the last 31 days by days."""
    moment = now()
    rows = await Activity.raw(SUMS, moment - timedelta(days=31))
    spans = (("hour", MINUTE, 60), ("day", HOUR // 2, 48), ("month", DAY, 31))
    histories = [History(name, _steps(moment, seconds, number)) for name, seconds, number in spans]
    for row in rows:
        for history in histories:
            first = history.steps[0]
            place = int((row["starts_at"] - first.starts_at).total_seconds() // first.seconds)
            if 0 <= place < len(history.steps):
                step = history.steps[place]
                step.succeeded += row["attempts"] if row["well"] else 0
                step.failed += 0 if row["well"] else row["attempts"]
    return histories


def _steps(moment: datetime, seconds: int, number: int) -> list[Step]:
    last = moment.timestamp() // seconds * seconds
    starts = (last - seconds * back for back in reversed(range(number)))
    return [Step(datetime.fromtimestamp(start, UTC), seconds) for start in starts]

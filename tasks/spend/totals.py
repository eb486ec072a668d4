"""What was spent: the sums of the ledger."""

from dataclasses import dataclass
from datetime import datetime

from tasks.db.tables import Attempt, Ledger

BY_MODEL = (
    "SELECT model, count(*) AS runs, sum(micros) AS micros FROM ledger WHERE at >= {} AND at < {} AND pretend = {}"
    " GROUP BY model ORDER BY sum(micros) DESC, model"
)
UNPRICED = (
    "SELECT count(*) AS runs FROM attempt WHERE finished_at >= {} AND finished_at < {} AND prediction_id IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.attempt = attempt.id)"
)


@dataclass(frozen=True, slots=True)
class Total:
    """What the runs of a model cost together, in micro-dollars."""

    model: str
    runs: int
    micros: int


async def by_model(start: datetime, end: datetime, pretend: bool = False) -> list[Total]:
    """Return what the runs cost that ended from `start` on and before `end`, by model, the largest sum first.

    pretend: of the runs that the stand-in made, which nobody charges.
    """
    rows = await Ledger.raw(BY_MODEL, start, end, pretend)
    return [Total(row["model"], row["runs"], int(row["micros"])) for row in rows]


async def unpriced(start: datetime, end: datetime) -> int:
    """Return how many runs ended in this time whose cost is not known. Those of deleted jobs do not count."""
    [row] = await Attempt.raw(UNPRICED, start, end)
    return int(row["runs"])

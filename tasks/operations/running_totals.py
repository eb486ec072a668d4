"""Sums over all time, for Prometheus: of attempts with their durations, and of what was spent.

A process reads everything once. After that it adds up what is new: rows that are older than a while change no more.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from tasks.db.database import now
from tasks.db.money_tables import Ledger
from tasks.db.operation_tables import Activity
from tasks.jobs.budgets import COUNTS_AS_SPENT
from tasks.operations.durations import Durations, merged
from tasks.settings import settings

SETTLED = timedelta(minutes=10)  # after which a row of activity or of the ledger is there, and stays as it is
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)

SPENT = (
    "SELECT coalesce(person.name, '') AS owner, ledger.model AS model, ledger.basis AS basis,"
    f" sum(ledger.micros) AS micros FROM ledger LEFT JOIN person ON person.id = ledger.owner WHERE {COUNTS_AS_SPENT}"
    " AND ledger.at >= {} AND ledger.at < {} GROUP BY 1, 2, 3"
)

Rows = Sequence[Mapping[str, Any]]
Attempts = dict[tuple[str, str], int]
"""model and code, "" for a success -> how many attempts ended so."""
Times = dict[str, tuple[Durations, Durations, Durations]]
"""model -> how long its successful attempts waited, ran and were stored."""
Spent = dict[tuple[str, str, str], int]
"""owner's name, model and basis -> micro-dollars."""


class RunningTotals:
    """The sums so far, as one process knows them."""

    def __init__(self) -> None:
        self._settled_until = BEGINNING
        self._attempts: Attempts = {}
        self._times: Times = {}
        self._spent: Spent = {}

    async def read(self) -> tuple[Attempts, Times, Spent]:
        """Return the sums now."""
        until = now() - SETTLED
        if until > self._settled_until:
            found = await self._between(self._settled_until, until)
            self._attempts, self._times, self._spent = self._with(found)
            self._settled_until = until
        return self._with(await self._between(self._settled_until, now() + SETTLED))

    async def _between(self, since: datetime, until: datetime) -> tuple[Rows, Rows]:
        rows = await Activity.select().where((Activity.starts_at >= since) & (Activity.starts_at < until))
        return rows, await Ledger.raw(SPENT, settings.standin, since, until)

    def _with(self, found: tuple[Rows, Rows]) -> tuple[Attempts, Times, Spent]:
        attempts, times, spent = dict(self._attempts), dict(self._times), dict(self._spent)
        for row in found[0]:
            model, code = row["model"], row["code"]
            attempts[model, code] = attempts.get((model, code), 0) + row["attempts"]
            if not code:
                read = [Durations.read(row[name]) for name in ("waited", "ran", "stored")]
                before = times.get(model, (Durations(), Durations(), Durations()))
                waited, ran, stored = (merged(pair) for pair in zip(before, read, strict=True))
                times[model] = waited, ran, stored
        for row in found[1]:
            key = row["owner"], row["model"], row["basis"]
            spent[key] = spent.get(key, 0) + int(row["micros"])
        return attempts, times, spent

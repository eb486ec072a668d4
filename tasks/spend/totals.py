"""What was spent: the sums of the ledger, by day, model, person and key. The stand-in's entries count for it alone."""

import asyncio
import re
from calendar import monthrange
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from piccolo.querystring import QueryString

from tasks.db.database import now
from tasks.db.money_tables import Ledger
from tasks.db.tables import Attempt
from tasks.jobs import budgets
from tasks.jobs.budgets import COUNTS_AS_SPENT, Period, Window
from tasks.settings import settings

MONTH = re.compile(r"(19[7-9]\d|2\d{3})-(0[1-9]|1[0-2])", re.ASCII)
BY_ALL = (
    "SELECT ledger.model, person.name AS person, person.name || '/' || api_key.name AS key,"
    " count(ledger.attempt) AS runs, sum(ledger.micros) AS micros FROM ledger"
    " LEFT JOIN person ON person.id = ledger.owner LEFT JOIN api_key ON api_key.id = ledger.api_key"
    f" WHERE ledger.at >= {{}} AND ledger.at < {{}} AND {COUNTS_AS_SPENT} AND {{}}"
    " GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
LAST_BEFORE = f"SELECT at FROM ledger WHERE at < {{}} AND {COUNTS_AS_SPENT} AND {{}} ORDER BY at DESC LIMIT 1"
FIRST_AFTER = f"SELECT at FROM ledger WHERE at >= {{}} AND {COUNTS_AS_SPENT} AND {{}} ORDER BY at LIMIT 1"
UNPRICED = (
    "SELECT count(*) AS runs FROM attempt WHERE finished_at >= {} AND finished_at < {} AND prediction_id IS NOT NULL"
    " AND NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.attempt = attempt.id)"
    " AND NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.job = attempt.job AND ledger.kind = 'adjust')"
)


@dataclass(frozen=True, slots=True)
class Line:
    """What the runs of a model for a person with a key cost on a day together, in micro-dollars.

    person, key: their names, such as anna and anna/ci; None for jobs of nobody in particular, and without a key.
    """

    day: date
    model: str
    person: str | None
    key: str | None
    runs: int
    micros: int


@dataclass(frozen=True, slots=True)
class Total:
    """What runs cost together, in micro-dollars. name: what they have in common."""

    name: str
    runs: int
    micros: int


def today() -> date:
    """Return this day, in the zone of TIMEZONE."""
    return now().astimezone(settings.zone).date()


def month_of(text: str) -> date:
    """Return the first day of a month that is written like 2026-11. Raises ValueError."""
    found = MONTH.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return date(int(found[1]), int(found[2]), 1)


def days_of(month: date) -> list[date]:
    """Return the days of a month."""
    return [month + timedelta(days) for days in range(monthrange(month.year, month.month)[1])]


async def of_month(month: date, owner: UUID | None = None) -> list[Line]:
    """Return what was spent in a month, by day. month: its first day. owner: the only person whose jobs count."""
    days = await asyncio.gather(*(of_day(day, owner) for day in days_of(month)))
    return [line for lines in days for line in lines]


async def of_day(day: date, owner: UUID | None = None) -> list[Line]:
    """Return what was spent on a day. owner: the only person whose jobs count; None for everyone's."""
    within = _window(Period.DAY, day)
    rows = await Ledger.raw(BY_ALL, within.starts_at, within.ends_at, settings.standin, _of(owner))
    return [Line(day, row["model"], row["person"], row["key"], row["runs"], int(row["micros"])) for row in rows]


async def beside(month: date, owner: UUID | None = None) -> tuple[date | None, date | None]:
    """Return the months before and after this one in which something was spent, None where there is none."""
    within = _window(Period.MONTH, month)
    before, after = await asyncio.gather(
        Ledger.raw(LAST_BEFORE, within.starts_at, settings.standin, _of(owner)),
        Ledger.raw(FIRST_AFTER, within.ends_at, settings.standin, _of(owner)),
    )
    return _month_in(before), _month_in(after)


async def unpriced(month: date) -> int:
    """Return how many runs ended in a month whose cost is not known. Those of deleted jobs do not count."""
    within = _window(Period.MONTH, month)
    [row] = await Attempt.raw(UNPRICED, within.starts_at, within.ends_at)
    return int(row["runs"])


def grouped(lines: Iterable[Line], name: Callable[[Line], str | None]) -> list[Total]:
    """Return the sums of lines with the same name, the largest first. Those whose name is None are left out."""
    sums: dict[str, list[Line]] = {}
    for line in lines:
        if (found := name(line)) is not None:
            sums.setdefault(found, []).append(line)
    return sorted((summed(own, of) for of, own in sums.items()), key=lambda total: (-total.micros, total.name))


def summed(lines: Iterable[Line | Total], name: str = "") -> Total:
    """Return the sum of lines."""
    runs = micros = 0
    for line in lines:
        runs, micros = runs + line.runs, micros + line.micros
    return Total(name, runs, micros)


def _window(period: Period, day: date) -> Window:
    return budgets.window(period, datetime.combine(day, time(12), settings.zone))


def _of(owner: UUID | None) -> QueryString:
    return QueryString("true") if owner is None else QueryString("ledger.owner = {}", owner)


def _month_in(rows: Sequence[dict[str, datetime]]) -> date | None:
    return rows[0]["at"].astimezone(settings.zone).date().replace(day=1) if rows else None

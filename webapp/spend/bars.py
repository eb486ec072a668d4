"""The bars of a month: a column for each day, stacked by what the money was spent on. All lengths are whole numbers.

A sum below zero, of a day on which costs were put right, has no length.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from tasks.spend.totals import Line, Total, days_of, summed

MAX_SHOWN = 7  # of a ranking, beside the sum of the others: as many as there are colors
HEIGHT = 1000  # of the drawing
DAY_WIDTH, GAP = 100, 12  # of a column, and what is left free on each of its sides


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a column. place: in the ranking, from 1. The others have the last one, MAX_SHOWN + 1."""

    place: int
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Column:
    """What was spent on a day. amounts: micro-dollars, as the ranking is ordered."""

    day: date
    x: int
    amounts: Sequence[int]
    parts: Sequence[Part]

    @property
    def micros(self) -> int:
        """What was spent on the day, in micro-dollars."""
        return sum(self.amounts)


@dataclass(frozen=True, slots=True)
class Bars:
    """The columns of a month. top: the micro-dollars of a column that is as high as the drawing."""

    top: int
    columns: Sequence[Column]
    height: int = HEIGHT
    bar_width: int = DAY_WIDTH - 2 * GAP

    @property
    def width(self) -> int:
        """The width of the drawing."""
        return len(self.columns) * DAY_WIDTH


def ranked(totals: Sequence[Total]) -> list[Total]:
    """Return the largest sums, and after them the sum of the others. totals: the largest first."""
    shown, others = list(totals[:MAX_SHOWN]), totals[MAX_SHOWN:]
    return [*shown, summed(others, f"{len(others)} other{'' if len(others) == 1 else 's'}")] if others else shown


def bars(month: date, lines: Sequence[Line], ranking: Sequence[Total], name: Callable[[Line], str]) -> Bars:
    """Return the bars of a month. ranking: of what `name` returns for the lines, see ranked()."""
    places = {total.name: place for place, total in enumerate(ranking[:MAX_SHOWN])}
    days = {day: [0] * len(ranking) for day in days_of(month)}
    for line in lines:
        days[line.day][places.get(name(line), MAX_SHOWN)] += line.micros
    top = _scale(max(sum(map(_length, amounts)) for amounts in days.values()))
    return Bars(top, [_column(number, day, amounts, top) for number, (day, amounts) in enumerate(days.items())])


def _column(number: int, day: date, amounts: Sequence[int], top: int) -> Column:
    parts, below = [], 0
    for place, micros in enumerate(amounts, start=1):
        lower, below = HEIGHT - below * HEIGHT // top, below + _length(micros)
        upper = HEIGHT - below * HEIGHT // top
        if lower > upper:
            parts.append(Part(place, upper, lower - upper))
    return Column(day, number * DAY_WIDTH + GAP, amounts, parts)


def _length(micros: int) -> int:
    return max(0, micros)


def _scale(micros: int) -> int:
    """Return the next amount of one digit and zeros, of which there is a half."""
    least = max(micros, 10)
    step = int("1".ljust(len(str(least)), "0"))
    return next(factor * step for factor in (1, 2, 3, 4, 5, 6, 8, 10) if factor * step >= least)

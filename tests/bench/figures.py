"""What is measured: a figure is one number, taken in several rounds, beside what it is compared with."""

from collections.abc import Sequence
from math import ceil
from statistics import median
from typing import Literal

import msgspec

Sign = Literal["<", "<=", ">="]
Other = Literal["reference", "ceiling"]
Of = Literal["value", "reference", "ceiling"]


class Target(msgspec.Struct, frozen=True):
    """What a figure has to be. of: the figure itself, or how many times the reference or the ceiling it is."""

    sign: Sign
    bound: float
    of: Of = "value"

    def met_by(self, value: float) -> bool:
        """Whether a number is as it has to be."""
        return {"<": value < self.bound, "<=": value <= self.bound, ">=": value >= self.bound}[self.sign]


class Figure(msgspec.Struct, frozen=True):
    """One number of Darkroom's.

    part: as BENCH names it. what: in words. database: SQLite, PostgreSQL, or "" where it does not matter. rounds: what
    each round gave, in `unit`. reference, ceiling: what the others gave in the same rounds, in the same unit; empty
    where there is nothing to compare with. note: what a reader has to know. course: how it went, for a plot, as points:
    how much was done, and the figure then.
    """

    part: str
    what: str
    unit: str
    rounds: tuple[float, ...]
    database: str = ""
    reference: tuple[float, ...] = ()
    ceiling: tuple[float, ...] = ()
    targets: tuple[Target, ...] = ()
    note: str = ""
    course: tuple[tuple[float, float], ...] = ()

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        """The least and the most of the rounds."""
        return min(self.rounds), max(self.rounds)

    def times(self, other: Other) -> float:
        """How many times as good as the reference or the ceiling it is: the median of what each round gave.

        Of rates more is better, of all else less.
        """
        beside = self.reference if other == "reference" else self.ceiling
        ratios = [own / its for own, its in zip(self.rounds, beside, strict=True)]
        return median(ratios if self.unit.endswith("/s") else [1 / ratio for ratio in ratios])

    def met(self, target: Target) -> bool:
        """Whether a target of it is met."""
        return target.met_by(self.value if target.of == "value" else self.times(target.of))


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest of some values that is not smaller than this share (0 to 1) of them: 0.99 for p99."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]

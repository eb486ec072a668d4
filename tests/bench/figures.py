"""The figures of the benchmark: each is one number, measured in several rounds, with what it is compared to."""

from collections.abc import Sequence
from math import ceil
from statistics import median
from typing import Literal

import msgspec

Sign = Literal["<", "<=", ">="]
Other = Literal["reference", "ceiling"]
Of = Literal["value", "reference", "ceiling"]


class Target(msgspec.Struct, frozen=True):
    """A bound that a figure must meet.

    of: what the bound applies to: the figure itself, or how many times as good as the reference or the ceiling it is.
    """

    sign: Sign
    bound: float
    of: Of = "value"

    def met_by(self, value: float) -> bool:
        """Return whether a number meets the bound."""
        return {"<": value < self.bound, "<=": value <= self.bound, ">=": value >= self.bound}[self.sign]


class Figure(msgspec.Struct, frozen=True):
    """One measured number of Darkroom.

    part: its name in BENCH. what: a description in words. database: SQLite, PostgreSQL, or "" where it does not matter.
    rounds: the value of each round, in `unit`. reference, ceiling: the values of these systems in the same rounds, in
    the same unit; empty where there is nothing to compare with. note: what a reader must know. course: points for a
    plot: how much was done, and the figure at that time.
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
        """The lowest and the highest of the rounds."""
        return min(self.rounds), max(self.rounds)

    def times(self, other: Other) -> float:
        """Return how many times as good as the reference or the ceiling the figure is.

        This is the median of the rounds' ratios. For rates, more is better; for everything else, less.
        """
        beside = self.reference if other == "reference" else self.ceiling
        ratios = [own / its for own, its in zip(self.rounds, beside, strict=True)]
        return median(ratios if self.unit.endswith("/s") else [1 / ratio for ratio in ratios])

    def met(self, target: Target) -> bool:
        """Return whether the figure meets one of its targets."""
        return target.met_by(self.value if target.of == "value" else self.times(target.of))


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not smaller than this share (0 to 1) of the values: 0.99 for p99."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]

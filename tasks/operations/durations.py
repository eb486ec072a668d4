"""Durations, counted in buckets: counts of many minutes, models and processes add up, and have percentiles."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

BOUNDS = (0.1, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 300.0,
          600.0, 1200.0, 3600.0, 14400.0)  # fmt: skip
"""The upper bounds of the buckets, in seconds. One more bucket has what took longer."""


@dataclass(slots=True)
class Durations:
    """How many durations there were in each bucket, and their sum in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    @classmethod
    def read(cls, text: str) -> Self:
        """Return what str() wrote. Counts of fewer or more buckets than there are now belong to the last ones."""
        total, *counts = text.split()
        read = cls([int(count) for count in counts[: len(BOUNDS)]], float(total))
        read.counts += [0] * (len(BOUNDS) - len(read.counts)) + [sum(map(int, counts[len(BOUNDS) :]))]
        return read

    def __str__(self) -> str:
        return " ".join([f"{self.seconds:.3f}", *map(str, self.counts)])

    def __len__(self) -> int:
        return sum(self.counts)

    def add(self, seconds: float) -> None:
        """Count one more. A duration below 0, as between two clocks, counts as 0."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += max(0.0, seconds)

    def percentile(self, share: float) -> float | None:
        """Return the duration in seconds that this share (0 to 1) of all did not pass, or None when there are none.

        Within a bucket they are taken to be spread evenly. What took longer than the last bound counts as that long.
        """
        wanted, before, low = round(share * len(self), 6), 0, 0.0
        if not len(self):
            return None
        for count, high in zip(self.counts, BOUNDS, strict=False):
            if count and before + count >= wanted:
                return low + (high - low) * ((wanted - before) / count)
            before, low = before + count, high
        return BOUNDS[-1]


def merged(all_of_them: Iterable[Durations]) -> Durations:
    """Return the sum of durations."""
    total = Durations()
    for each in all_of_them:
        total.counts = [one + other for one, other in zip(total.counts, each.counts, strict=True)]
        total.seconds += each.seconds
    return total

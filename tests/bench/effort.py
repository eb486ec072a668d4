"""How much is measured: the figures that are kept need all of it, a quick look less."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """rounds: how often a figure is taken. seconds: how long a round of requests lasts. scale: the share of the counts
    (jobs, pages) that the targets name; only with 1 the figures are kept.
    """

    rounds: int = 3
    seconds: float = 3.0
    scale: float = 1.0

    @property
    def long_rounds(self) -> int:
        """How often a figure is taken that takes half a minute."""
        return (self.rounds + 1) // 2

    def count(self, full: int) -> int:
        """So many of what the target names, or fewer in a quick look; one at least."""
        return max(1, round(full * self.scale))

"""How much to measure: figures that are stored need the full effort, a quick look needs less."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """The effort of a run.

    rounds: how often a figure is measured. seconds: how long a round of requests lasts. scale: the share of the counts
    (jobs, pages) that the targets name; figures are stored only when it is 1.
    """

    rounds: int = 3
    seconds: float = 3.0
    scale: float = 1.0

    @property
    def long_rounds(self) -> int:
        """The number of rounds for a figure that takes half a minute."""
        return (self.rounds + 1) // 2

    def count(self, full: int) -> int:
        """Return the count that a target names, or fewer in a quick look, but at least 1."""
        return max(1, round(full * self.scale))

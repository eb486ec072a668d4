"""How long to wait before trying again: pure arithmetic."""

from collections.abc import Callable, Iterator
from random import random

LONGEST = 300.0  # seconds


def retry_delay(failures: int, retry_after: float | None = None, chance: Callable[[], float] = random) -> float:
    """Seconds until the next attempt after `failures` failed ones (1, 2, ...).

    What the other side asked for, if it did; else full jitter: anything up to min(2^failures seconds, 5 minutes), so
    that jobs which failed together do not come back together ("Exponential Backoff And Jitter", AWS Architecture Blog).
    """
    if retry_after is not None:
        return max(0.0, retry_after)
    return chance() * min(2.0 ** min(failures, 30), LONGEST)


SAFETY = 30.0  # seconds between looks at a prediction whose webhooks tell how it goes


def polling_intervals(first: float = 0.5, longest: float = 5.0, growth: float = 1.25) -> Iterator[float]:
    """Seconds between looks at a prediction: brisk at first, calm for the long ones."""
    interval = first
    while True:
        yield interval
        interval = min(interval * growth, longest)

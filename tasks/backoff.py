"""The delays before retries and between polls: pure arithmetic."""

from collections.abc import Callable, Iterator
from random import random

MAX_DELAY_SECONDS = 300.0  # seconds


def retry_delay(failures: int, retry_after: float | None = None, chance: Callable[[], float] = random) -> float:
    """Return the seconds until the next attempt after `failures` failed attempts (1, 2, ...).

    Returns `retry_after` if the other side sent it. Otherwise applies full jitter: a random delay of up to
    min(2^failures seconds, 5 minutes), so that jobs that failed together do not come back together ("Exponential
    Backoff And Jitter", AWS Architecture Blog).
    """
    if retry_after is not None:
        return max(0.0, retry_after)
    return chance() * min(2.0 ** min(failures, 30), MAX_DELAY_SECONDS)


WEBHOOK_POLL_SECONDS = 30.0  # seconds between polls of a prediction whose webhooks report its progress


def polling_intervals(first: float = 0.5, longest: float = 5.0, growth: float = 1.25) -> Iterator[float]:
    """Yield the seconds between polls of a prediction: short at first, longer for long predictions."""
    interval = first
    while True:
        yield interval
        interval = min(interval * growth, longest)

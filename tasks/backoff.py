"""How long a worker waits for what: its timings, and the delays before retries and between polls."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import random


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a worker waits for what, in seconds."""

    max_retry_delay: float = 300.0
    refused_delay: float = 60.0  # until a job is sent again after the account was refused: other jobs run first
    circuit_closed: float = 2.0  # after an answered create
    first_probe: float = 1.0  # after Replicate did not answer; later waits are half as long as the outage has lasted
    max_probe: float = 30.0  # the longest wait between two probes
    search_delays: tuple[float, ...] = (2.0, 5.0, 10.0, 20.0)  # before each look at the list, while a worker waits
    search_window: float = 120.0  # after the request: until then Replicate may list the prediction late
    late_search: float = 30.0  # until the next look, after search_delays
    orphan_sweep: float = 20.0  # between two looks for predictions that turn up too late
    webhook_poll: float = 30.0  # between polls of a prediction whose webhooks report its progress
    missing: float = 60.0  # how long Replicate must say that it does not know a prediction until it counts as lost
    grace: float = 120.0  # after Replicate's own deadline until polling stops
    outputs_kept: float = 3600.0  # by Replicate, from a prediction's end on (Replicate docs, data retention)
    rescue: float = 2.0  # between two looks for due jobs that have no hint
    heartbeat: float = 2.0  # between two signs of life
    outbox: float = 2.0  # between two looks for webhooks that are due and have no hint

    def retry_delay(
        self, failures: int, retry_after: float | None = None, chance: Callable[[], float] = random
    ) -> float:
        """Return the seconds until the next attempt after `failures` failed attempts (1, 2, ...).

        Returns `retry_after` if the other side sent it. Otherwise applies full jitter: a random delay of up to
        min(2^failures seconds, max_retry_delay), so that jobs that failed together do not come back together
        ("Exponential Backoff And Jitter", AWS Architecture Blog).
        """
        if retry_after is not None:
            return max(0.0, retry_after)
        return chance() * min(2.0 ** min(failures, 30), self.max_retry_delay)


DEFAULT_TIMINGS = Timings()


def polling_intervals(first: float = 0.5, longest: float = 5.0, growth: float = 1.25) -> Iterator[float]:
    """Yield the seconds between polls of a prediction: short at first, longer for long predictions."""
    interval = first
    while True:
        yield interval
        interval = min(interval * growth, longest)

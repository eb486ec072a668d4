"""When an event is tried again: eight times in 28 hours, later if the receiver asks for it."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import uniform

DELAYS = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 36_000.0)  # seconds after each failed try
JITTER = (0.9, 1.1)  # what a delay is multiplied with, so that what failed together does not come back together
MAX_RETRY_AFTER_SECONDS = 86_400.0


def wait(tries: int, retry_after: float | None, chance: Callable[[float, float], float] = uniform) -> float | None:
    """Return the seconds until the next try after `tries` failed ones (1, 2, ...), or None when none is left.

    retry_after: the seconds that the receiver asked for, if any.
    """
    if tries > len(DELAYS):
        return None
    return max(DELAYS[tries - 1] * chance(*JITTER), retry_after or 0.0)


def seconds_of(retry_after: str, moment: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number or a date (RFC 9110, section 10.2.3).

    Returns None when it is neither. They are MAX_RETRY_AFTER_SECONDS at most.
    """
    if retry_after.isascii() and retry_after.isdecimal():
        return min(float(retry_after), MAX_RETRY_AFTER_SECONDS)
    try:
        date = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError, OverflowError):
        return None
    until = date if date.tzinfo else date.replace(tzinfo=UTC)
    return min(max((until - moment).total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)

"""Moments that others wrote: read within the years that ids of jobs and databases can hold."""

from datetime import UTC, datetime

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def read(text: str) -> datetime:
    """Return a moment in ISO 8601, in UTC where it names no other zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return within(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def within(moment: datetime) -> datetime:
    """Return the moment itself. Raises ValueError where it is before 1970, or at the end of time."""
    if not EARLIEST <= moment < LATEST:
        raise ValueError("a moment that cannot be kept")
    return moment

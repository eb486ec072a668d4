"""Read moments from outside, within the years that job ids and databases can hold."""

from datetime import UTC, datetime

EARLIEST, LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def read(text: str) -> datetime:
    """Return the moment that an ISO 8601 text names, in UTC unless it names a zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return within(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def within(moment: datetime) -> datetime:
    """Return the moment itself. Raises ValueError when it is before 1970 or after 9998."""
    if not EARLIEST <= moment < LATEST:
        raise ValueError("a moment that cannot be kept")
    return moment

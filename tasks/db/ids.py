"""The ids of rows: UUIDs of version 7, which begin with their time, so that they sort by it (RFC 9562, section 5.7)."""

from datetime import UTC, datetime
from random import Random
from uuid import UUID

from uuid_utils.compat import uuid7

TIME_SHIFT = 80  # bits after the 48 that hold the milliseconds since 1970
VERSION_AND_VARIANT = 7 << 76 | 2 << 62

LAST = UUID(int=2**128 - 1)
"""An id after all others."""

new = uuid7
"""Return a new id."""


def first_at(moment: datetime) -> UUID:
    """Return the least id that can be made at a moment, to the millisecond."""
    return UUID(int=int(moment.timestamp() * 1000) << TIME_SHIFT)


def before(given: UUID) -> UUID:
    """Return the greatest id below another."""
    return UUID(int=given.int - 1)


def moment_of(given: UUID) -> datetime:
    """Return when an id was made, to the millisecond, in UTC."""
    return datetime.fromtimestamp((given.int >> TIME_SHIFT) / 1000, UTC)


def drawn_at(moment: datetime, chance: Random) -> UUID:
    """Return an id as if it were made at a moment. Its random part is drawn from `chance`."""
    drawn = chance.getrandbits(12) << 64 | chance.getrandbits(62)
    return UUID(int=first_at(moment).int | VERSION_AND_VARIANT | drawn)

"""Numbers that only grow, counted by each worker in its memory and added up in the database every few seconds.

What a worker had counted in the seconds before it was killed is lost.
"""

from collections.abc import Mapping
from enum import StrEnum

from tasks.db import ids
from tasks.db.operation_tables import Counter

ADD = (
    "INSERT INTO counter (id, name, label, total) VALUES ({}, {}, {}, {}) ON CONFLICT (name, label)"
    " DO UPDATE SET total = counter.total + excluded.total"
)


class Counted(StrEnum):
    """What is counted."""

    RESPONSES = "provider_responses"
    """Responses of Replicate, by their status of HTTP; 0: there was none."""
    DELIVERIES = "webhook_deliveries"
    """Tries to deliver a webhook, by their outcome: see tasks/webhooks/sending.py."""
    LEASES_LOST = "leases_lost"
    """Leases that were lost to another worker."""


async def add(what: Counted, numbers: Mapping[str, int]) -> None:
    """Add to the numbers. numbers: label -> how many more."""
    for label, number in numbers.items():
        if number:
            await Counter.raw(ADD, ids.new(), str(what), label, number)


async def totals(what: Counted) -> dict[str, int]:
    """Return label -> how many there were so far."""
    rows = await Counter.select(Counter.label, Counter.total).where(Counter.name == what)
    return {row["label"]: row["total"] for row in rows}

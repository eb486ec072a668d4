"""What this process knows about a halt of the queue, so that every page can show it without a database query."""

from tasks.db.tables import Halt
from tasks.replicate import circuit

_known: Halt | None = None


def known() -> Halt | None:
    """Return why the queue is halted, as of the last look(), or None when it is not halted."""
    return _known


async def look() -> None:
    """Read the current halt from the database."""
    global _known
    _known = await circuit.current()

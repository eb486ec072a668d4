"""What this process knows of a halt of the queue: every page can tell it without asking the database."""

from tasks import halts
from tasks.tables import Halt

_known: Halt | None = None


def known() -> Halt | None:
    """Why nothing is created at the moment, if so, as of the last look."""
    return _known


async def look() -> None:
    """Look into the database."""
    global _known
    _known = await halts.current()

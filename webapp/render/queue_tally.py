"""What this process knows about how much runs and waits, so that every page can show it without a database query."""

from tasks.jobs import tally
from tasks.jobs.tally import Tally

MAX_UNFOLDED = 12  # jobs that wait and are shown on the wall one by one

_known = Tally()


def known() -> Tally:
    """Return how much runs and waits, as of the last look()."""
    return _known


def folded() -> Tally | None:
    """Return the same if so many jobs wait that a sheet of all prints folds them into one card, else None."""
    return _known if _known.waiting > MAX_UNFOLDED else None


async def look() -> None:
    """Find out how much runs and waits now. What was counted a moment ago is not counted again."""
    global _known
    _known = await tally.current()

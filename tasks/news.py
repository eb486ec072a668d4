"""What was finished of late: for pages that nobody looks at, which keep no stream open."""

from datetime import datetime, timedelta
from uuid import UUID

from tasks.database import now
from tasks.tables import Job, Status

MOST = 100
LONGEST = timedelta(days=1)


async def finished_since(moment: datetime) -> list[tuple[UUID, str]]:
    """The jobs completed at `moment` or later that are still shown, with their prompts: 100 at most, first to last.

    What was completed more than a day ago is no news.
    """
    moment = min(max(moment, now() - LONGEST), now())  # any moment may be asked for, also one that no database holds
    found = (
        await Job.select(Job.id, Job.prompt)
        .where(
            Job.changed_at >= moment,  # what ended since has changed since: this is the column that has an index
            Job.finished_at >= moment,
            Job.status == Status.COMPLETED,
            Job.deleted_at.is_null(),
            Job.trashed_at.is_null(),
        )
        .order_by(Job.changed_at)
        .limit(MOST)
    )
    return [(row["id"], row["prompt"]) for row in found]

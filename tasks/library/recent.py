"""List recently finished jobs for hidden pages, which keep no stream open."""

from datetime import datetime, timedelta
from uuid import UUID

from tasks.db.database import now
from tasks.db.tables import Job, Status

MAX_FINISHED = 100
MAX_AGE = timedelta(days=1)


async def finished_since(moment: datetime, sees_only: UUID | None = None) -> list[tuple[UUID, str]]:
    """Return up to 100 jobs completed at `moment` or later that are still shown, with their prompts, oldest first.

    Jobs completed more than a day ago are left out. sees_only: the person whose jobs are all that are listed.
    """
    moment = min(max(moment, now() - MAX_AGE), now())  # any moment may be requested, even one that no database holds
    query = Job.select(Job.id, Job.prompt).where(
        Job.changed_at >= moment,  # a job that ended since then also changed since then, and this column is indexed
        Job.finished_at >= moment,
        Job.status == Status.COMPLETED,
        Job.deleted_at.is_null(),
        Job.trashed_at.is_null(),
    )
    if sees_only is not None:
        query = query.where(Job.owner == sees_only)
    found = await query.order_by(Job.changed_at).limit(MAX_FINISHED)
    return [(row["id"], row["prompt"]) for row in found]

"""List the last prompts of a person, to write them again."""

from uuid import UUID

from tasks.db.tables import Job, Status
from tasks.library import cards
from tasks.library.cards import Card
from tasks.library.filters import VISIBLE

MAX_PROMPTS = 50
MAX_JOBS = 1000  # the last jobs that are looked at: one prompt may have thousands


async def latest(owner: UUID | None) -> list[Card]:
    """Return a job for each of the last prompts of a person, last written first: the newest with a result, if any.

    owner: None for the jobs of nobody in particular. Prompts whose jobs are all deleted or in the trash are left out.
    """
    whose = Job.owner.is_null() if owner is None else Job.owner == owner
    newest = Job.select(Job.id, Job.prompt, Job.status).where(whose & VISIBLE).order_by(Job.id, ascending=False)
    shown: dict[str, UUID] = {}
    finished: dict[str, UUID] = {}
    for row in await newest.limit(MAX_JOBS):
        shown.setdefault(row["prompt"], row["id"])
        if row["status"] == Status.COMPLETED:
            finished.setdefault(row["prompt"], row["id"])
    wanted = [finished.get(prompt, job_id) for prompt, job_id in list(shown.items())[:MAX_PROMPTS]]
    found = {card.job.id: card for card in await cards.by_ids(wanted)}
    return [found[job_id] for job_id in wanted if job_id in found]

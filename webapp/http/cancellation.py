"""Canceling a job, for every door: with what came of it."""

from tasks.accounts.actors import Actor
from tasks.db.tables import Job, Status
from tasks.jobs import lifecycle
from tasks.library.cards import Card
from webapp.http.requests import existing
from webapp.schemas.jobs import Cancel


async def canceled(job_id: str, actor: Actor) -> tuple[Cancel, Card]:
    """Cancel a job. Return what came of it, and the job as it is afterwards. Raises Problem: see existing()."""
    card = await existing(job_id, actor)
    while True:  # a job that changes between waiting and running may be missed: the cancel is then repeated
        asked = await lifecycle.cancel(card.job.id)
        card = await existing(job_id, actor)
        if outcome := _outcome(card.job) or (asked and _outcome(asked)):
            return outcome, card


def _outcome(job: Job) -> Cancel | None:
    if job.status == Status.CANCELED:
        return "dequeued"
    if job.status in lifecycle.ENDED:
        return "too_late"
    return "requested" if job.cancel_requested else None

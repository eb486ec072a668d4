"""Find a job's lineage: the job that it was made from, and the jobs that were made from it."""

from dataclasses import dataclass
from uuid import UUID

from tasks.db.tables import Job
from tasks.library import cards
from tasks.library.cards import Card
from tasks.library.filters import VISIBLE

MAX_CHILDREN = 12  # shown at most


@dataclass(frozen=True, slots=True)
class Lineage:
    """The parent and the children of a job.

    made_from: None when the job has no parent, or its parent is deleted. used_in: newest first. more: whether there are
    other children.
    """

    made_from: Card | None
    used_in: list[Card]
    more: bool


async def lineage(job: Job) -> Lineage:
    """Return a job's parent and up to MAX_CHILDREN of the jobs that were made from it."""
    parent = await cards.by_ids([job.made_from]) if job.made_from else []
    children = (Job.made_from == job.id) & VISIBLE
    found = await Job.select(Job.id).where(children).order_by(Job.id, ascending=False).limit(MAX_CHILDREN + 1)
    used_in = await cards.by_ids([row["id"] for row in found[:MAX_CHILDREN]])
    return Lineage(parent[0] if parent and not parent[0].deleted else None, used_in, len(found) > MAX_CHILDREN)


async def source(job_id: str) -> Card | None:
    """Return the job that a user is about to make something from. Returns None when no such job exists."""
    try:
        found = await cards.by_ids([UUID(job_id)])
    except ValueError:
        return None
    return found[0] if found and not found[0].deleted else None

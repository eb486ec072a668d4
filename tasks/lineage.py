"""What was made from what: the job that one was made from, and those that it led to."""

from dataclasses import dataclass
from uuid import UUID

from tasks import library
from tasks.library import Card
from tasks.matching import SHOWN
from tasks.tables import Job

CHILDREN = 12  # that are shown


@dataclass(frozen=True, slots=True)
class Lineage:
    """made_from: None where it was made from none that is still there. led_to: newest first. more: there are others."""

    made_from: Card | None
    led_to: list[Card]
    more: bool


async def lineage(job: Job) -> Lineage:
    """Where a job comes from, and up to CHILDREN of those that it led to."""
    parent = await library.cards([job.made_from]) if job.made_from else []
    children = (Job.made_from == job.id) & SHOWN
    found = await Job.select(Job.id).where(children).order_by(Job.id, ascending=False).limit(CHILDREN + 1)
    led_to = await library.cards([row["id"] for row in found[:CHILDREN]])
    return Lineage(parent[0] if parent and not parent[0].deleted else None, led_to, len(found) > CHILDREN)


async def source(job_id: str) -> Card | None:
    """The job with this id, for who is about to make something from it. None: there is none."""
    try:
        found = await library.cards([UUID(job_id)])
    except ValueError:
        return None
    return found[0] if found and not found[0].deleted else None

"""Rates, trashes and restores single outputs of jobs. Each action can be undone like those in edits.py.

A job always has an output that is not in the trash alone: the last one takes the whole job with it.
"""

from collections.abc import Collection
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks.curation import edits
from tasks.curation.edits import Outcome, by_ids
from tasks.curation.undoable import NOT_DELETED
from tasks.curation.undoable_outputs import IN_SIGHT, OF_JOB
from tasks.db.tables import Condition

OTHERS = "others"
"""The argument of the action that leaves only the favorites."""


async def favorite(job_id: UUID, positions: Collection[int], yes: bool = True) -> Outcome:
    """Mark the outputs at these positions as favorites, or remove the mark."""
    return await edits.run("favorite output", "yes" if yes else "no", by_ids([job_id]), which=_at(positions))


async def rate(job_id: UUID, positions: Collection[int], stars: int) -> Outcome:
    """Give the outputs 1 to 5 stars, or remove the stars with 0. Raises ValueError for any other number."""
    if not 0 <= stars <= 5:
        raise ValueError(edits.RATING_FAULT)
    return await edits.run("rate output", str(stars), by_ids([job_id]), which=_at(positions))


async def trash(job_id: UUID, positions: Collection[int]) -> Outcome:
    """Move the outputs to the trash, or the job if none would be left."""
    one, left = by_ids([job_id]), _others(_at(positions))
    outcome = await edits.run("trash outputs", "", one, NOT_DELETED & left, _at(positions))
    return outcome if outcome.jobs else await edits.trash(one & WhereRaw("NOT {}", left.querystring))


async def restore(job_id: UUID, positions: Collection[int]) -> Outcome:
    """Take the outputs out of the trash, in which they were moved without their job."""
    return await edits.run("restore outputs", "", by_ids([job_id]), which=_at(positions))


async def keep_favorites(where: Condition) -> Outcome:
    """Move to the trash what is no favorite of the jobs that have favorites."""
    rest = f"NOT output.favorite AND {IN_SIGHT}"
    return await edits.run("trash outputs", OTHERS, where, NOT_DELETED & _others(rest), rest)


def _at(positions: Collection[int]) -> str:
    return f"output.position IN ({', '.join(map(str, positions))})"


def _others(which: str) -> WhereRaw:
    """Return the condition for the jobs that have outputs in sight besides these."""
    return WhereRaw(f"EXISTS (SELECT 1 {OF_JOB} AND {IN_SIGHT} AND NOT ({which}))")

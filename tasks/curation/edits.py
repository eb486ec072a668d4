"""Rates, tags, collects, trashes and restores one job or all that match a condition, and undoes that.

Each action takes the jobs that a condition selects, changes those that differ, and returns the outcome. It works from
the newest to the oldest in portions. Each portion is a transaction that also records how to undo it, so that a process
killed midway has done nothing that cannot be undone. The action announces up to MAX_ANNOUNCED jobs; open pages learn of
the others when they next poll.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks.curation import collections
from tasks.curation.names import tag_name
from tasks.curation.undoable import NOT_DELETED, Edit, RowEdit, TrashEdit, note, on_the_list
from tasks.curation.undoable_outputs import IN_SIGHT, OutputEdit
from tasks.db import ids
from tasks.db.database import DB, now
from tasks.db.dialect import one_transaction_at_a_time
from tasks.db.tables import Condition, Job, Undo
from tasks.jobs import bulk
from tasks.jobs.chunks import JOBS_PER_CHUNK, among, announced, breathe, portions
from tasks.jobs.transitions import change
from tasks.models.strict_json import is_text

UNDO_WINDOW = timedelta(days=1)  # how long an action can be undone
MAX_NOTES_LENGTH = 10_000  # characters
MAX_TAGS = 100  # per job
RATING_FAULT = "A rating must be 0 to 5 stars."
EDIT_LOCK = 0x74696479  # for one portion at a time

ENDED = WhereRaw("job.status IN ('completed', 'failed', 'canceled')")
COUNT_TAGS = "(SELECT count(*) FROM job_tag AS every WHERE every.job = job.id)"
IN_TRASH = WhereRaw("job.trashed_at IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an action.

    jobs: how many changed. undo: the id to undo it by; None when it cannot be undone. left_out: how many could not be
    changed, because they still wait or run, or have MAX_TAGS tags. job_ids: the first of the changed jobs, up to
    MAX_ANNOUNCED. action, argument: what was done, as noted() returns it; "" for what cannot be undone.
    """

    jobs: int
    undo: UUID | None = None
    left_out: int = 0
    job_ids: Sequence[UUID] = ()
    action: str = ""
    argument: str = ""


def by_ids(job_ids: Sequence[UUID]) -> Condition:
    """Return a condition that selects the jobs with these ids."""
    if len(job_ids) > JOBS_PER_CHUNK:  # as one value: writing each id into the query takes a while
        return among(job_ids, WhereRaw("true"))
    return Job.id.is_in(list(job_ids)) if job_ids else WhereRaw("false")


async def favorite(where: Condition, yes: bool = True) -> Outcome:
    """Mark the jobs as favorites with all their outputs, or remove the mark. A job is one if any of its outputs is."""
    return await run("favorite", "yes" if yes else "no", where)


async def rate(where: Condition, stars: int) -> Outcome:
    """Give the jobs and all their outputs 1 to 5 stars, or remove the stars with 0.

    A job has the stars of its best output. Raises ValueError for any other number.
    """
    if not 0 <= stars <= 5:
        raise ValueError(RATING_FAULT)
    return await run("rate", str(stars), where)


async def tag(where: Condition, name: str, most: int = MAX_TAGS) -> Outcome:
    """Put a tag on the jobs, except those that have `most` tags. Raises ValueError when the name cannot be a tag."""
    kept = tag_name(name)
    outcome = await run("tag", kept, where, NOT_DELETED & WhereRaw(f"{COUNT_TAGS} < {{}}", most))
    full = NOT_DELETED & WhereRaw(f"{COUNT_TAGS} >= {{}}", most) & _deed("tag", kept, now()).undone()
    return replace(outcome, left_out=await Job.count().where(where & full))


async def untag(where: Condition, name: str) -> Outcome:
    """Remove a tag from the jobs. Raises ValueError when the name cannot be a tag."""
    return await run("untag", tag_name(name), where)


async def collect(where: Condition, name: str) -> Outcome:
    """Put the jobs into a collection, creating it if necessary. Raises ValueError when the name is not valid."""
    return await run("collect", str((await collections.named(name)).id), where)


async def take_out(where: Condition, name: str) -> Outcome:
    """Remove the jobs from a collection. Raises ValueError when there is none of this name."""
    found = await collections.find(name)
    if found is None:
        raise ValueError(f'There is no collection named "{name}".')
    return await run("take out", str(found.id), where)


async def trash(where: Condition) -> Outcome:
    """Move the jobs that have ended to the trash. The others are left out."""
    busy = where & NOT_DELETED & WhereRaw("job.trashed_at IS NULL AND job.status IN ('queued', 'running')")
    left_out = await Job.count().where(busy)
    outcome = await run("trash", "", where, NOT_DELETED & ENDED)
    return replace(outcome, left_out=left_out)


async def restore(where: Condition) -> Outcome:
    """Take the jobs out of the trash."""
    return await run("restore", "", where)


async def retry(where: Condition) -> Outcome:
    """Queue the failed and canceled jobs again. The cost cannot be undone. Raises QueueFull."""
    return Outcome(await bulk.retry_all(where))


async def cancel(where: Condition) -> Outcome:
    """Cancel the jobs that wait. It cannot be undone."""
    return Outcome(await bulk.cancel_waiting(where))


async def delete(where: Condition) -> Outcome:
    """Permanently delete those of the jobs that are in the trash. A worker removes their files."""
    return Outcome(await bulk.delete_all(where, IN_TRASH))


async def write(job_id: UUID, notes: str) -> Job | None:
    """Save the notes on a job. Returns None when the job is deleted. Raises ValueError when they cannot be saved."""
    if fault := fault_of_notes(notes):
        raise ValueError(fault)
    return await change((Job.id == job_id) & NOT_DELETED, {Job.notes: notes})


def fault_of_notes(notes: str) -> str | None:
    """Return why this text cannot be saved as notes, in a sentence, or None when it can."""
    if len(notes) > MAX_NOTES_LENGTH:
        return f"Notes can have up to {MAX_NOTES_LENGTH:,} characters."
    return None if is_text(notes) else "The notes contain an invalid character."


async def run(
    action: str, argument: str, where: Condition, allowed: Condition = NOT_DELETED, which: str | None = None
) -> Outcome:
    """Run an action on the selected jobs.

    allowed: what is checked again of each job when its portion's turn comes. which: of an action on outputs, the
    condition that selects them, in SQL.
    """
    first = Undo(id=ids.new(), created_at=now(), action=action, argument=argument)
    count, changed = await announced(_done(first, where, allowed, which))
    return Outcome(count, first.id if count else None, job_ids=changed, action=action, argument=argument)


async def noted(undo_id: UUID) -> tuple[str, str, Outcome] | None:
    """Return the action that can be undone, its argument (the id of a collection) and its outcome, or None."""
    row = await Undo.select(Undo.action, Undo.argument).where(_portions_of(undo_id)).first()
    if row is None:
        return None
    lengths = "SELECT sum(json_array_length(before)) AS jobs FROM undo WHERE id = {} OR part_of = {}"
    [listed] = await Undo.raw(lengths, undo_id, undo_id)
    return row["action"], row["argument"], Outcome(int(listed["jobs"] or 0), undo_id)


async def undo(undo_id: UUID) -> Outcome | None:
    """Undo an action on the jobs that are still as it left them. Returns None when that is no longer possible.

    If the action is still running, all that it has done so far is undone, which also ends it. Two concurrent calls
    share the work.
    """
    if not await Undo.exists().where(_portions_of(undo_id)):
        return None
    count, first = await announced(_taken_back(undo_id))
    return Outcome(count, job_ids=first)


async def forget_undone() -> None:
    """Delete the undo records of actions that are more than a day old."""
    await Undo.delete().where(Undo.created_at < now() - UNDO_WINDOW)


async def _done(first: Undo, where: Condition, allowed: Condition, which: str | None) -> AsyncIterator[list[UUID]]:
    """Run an action, and yield the changed jobs of each portion."""
    deed, portion = _deed(first.action, first.argument, first.created_at, which), first
    allowed = allowed & deed.undone()
    async for job_ids in portions(where & allowed):
        those = among(job_ids, allowed)
        async with DB.transaction():
            await one_transaction_at_a_time(EDIT_LOCK)
            if portion is not first and not await Undo.exists().where(_portions_of(first.id)):
                return  # it has been undone meanwhile
            await Undo.insert(portion)
            listed = await note(portion.id, those, deed.had)
            if listed:
                for statement in deed.do(on_the_list(portion.id), now()):
                    await Job.raw("{}", statement)
            else:
                await Undo.delete().where(Undo.id == portion.id)
        if listed:
            yield [UUID(job_id) for job_id, _ in json.loads(listed)]
            portion = Undo(
                id=ids.new(),
                part_of=first.id,
                created_at=first.created_at,
                action=first.action,
                argument=first.argument,
            )


async def _taken_back(undo_id: UUID) -> AsyncIterator[list[UUID]]:
    """Undo an action, and yield the changed jobs of each portion."""
    asked = (Undo.id, Undo.action, Undo.argument, Undo.created_at)
    while True:
        async with DB.transaction():
            await one_transaction_at_a_time(EDIT_LOCK)
            row = await Undo.select(*asked).where(_portions_of(undo_id)).order_by(Undo.id).first()
            if row is None:
                return
            deed = _deed(row["action"], row["argument"], row["created_at"])
            which, *others = deed.undo(on_the_list(row["id"]), now())
            changed = await Job.raw("{}", which)
            for statement in others:
                await Job.raw("{}", statement)
            await Undo.delete().where(Undo.id == row["id"])
        yield sorted((UUID(str(job["id"])) for job in changed), reverse=True)
        if not await Undo.exists().where(_portions_of(undo_id)):
            return
        await breathe()


def _portions_of(undo_id: UUID) -> Condition:
    return (Undo.id == undo_id) | (Undo.part_of == undo_id)


def _deed(action: str, argument: str, moment: datetime, which: str | None = None) -> Edit:
    match action:
        case "favorite" | "favorite output":
            return OutputEdit("favorite", argument == "yes", "boolean", which or IN_SIGHT, action == "favorite")
        case "rate" | "rate output":
            return OutputEdit("rating", int(argument), "smallint", which or IN_SIGHT, action == "rate")
        case "trash":
            return TrashEdit(moment)
        case "restore":
            return TrashEdit(None)
        case "trash outputs":
            return OutputEdit("trashed_at", moment, "timestamptz", which or IN_SIGHT)
        case "restore outputs":
            return OutputEdit("trashed_at", None, "timestamptz", which or IN_SIGHT)
        case "tag" | "untag":
            return RowEdit("job_tag", "name", argument, action == "tag")
        case "collect" | "take out":
            return RowEdit("collection_item", "collection", UUID(argument), action == "collect")
    raise ValueError(f"unknown action: {action}")

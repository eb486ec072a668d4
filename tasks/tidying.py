"""Tidying: what people say of their prints, and what they throw away, of one as of all that match; and undo.

Each verb takes the jobs that a condition finds, changes those that are not so already, and says what came of it. It
goes from the newest to the oldest, a portion at a time: each is a transaction that also notes how it is taken back, so
that whoever is killed on the way has done nothing that cannot be undone. It announces up to ANNOUNCED of them; of more,
open pages learn at their next look.
"""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks import bulk, collections
from tasks.database import DB, now
from tasks.deeds import THERE, Deed, Mark, Row, note, on_the_list
from tasks.names import tag_name
from tasks.portions import PORTION, among, announced, breathe, portions
from tasks.queue import Condition
from tasks.strict_json import is_text
from tasks.tables import Job, Undo, new_id
from tasks.transitions import change

KEPT = timedelta(days=1)  # how long an action can be taken back
MAX_NOTES = 10_000  # characters
MAX_TAGS = 100  # of a job
TURN = 0x74696479  # any number: one portion at a time on PostgreSQL, as everything is on SQLite

ENDED = WhereRaw("job.status IN ('completed', 'failed', 'canceled')")
TAGS = "(SELECT count(*) FROM job_tag AS every WHERE every.job = job.id)"
IN_TRASH = WhereRaw("job.trashed_at IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action.

    jobs: how many changed. undo: what takes it back; None where nothing does. left_out: how many could not be changed,
    because they still wait or run, or have all the tags that a job may have. some: the first of those that changed, up
    to ANNOUNCED.
    """

    jobs: int
    undo: UUID | None = None
    left_out: int = 0
    some: Sequence[UUID] = ()


def these(job_ids: Sequence[UUID]) -> Condition:
    """The jobs with these ids, as a selection."""
    if len(job_ids) > PORTION:  # in one value: to write each into the query takes a while
        return among(job_ids, WhereRaw("true"))
    return Job.id.is_in(list(job_ids)) if job_ids else WhereRaw("false")


async def favourite(some: Condition, yes: bool = True) -> Outcome:
    """Make them favourites, or not any more."""
    return await _do("favourite", "yes" if yes else "no", some)


async def rate(some: Condition, stars: int) -> Outcome:
    """Give them 1 to 5 stars, or with 0 take the stars away. Raises ValueError."""
    if not 0 <= stars <= 5:
        raise ValueError("A rating has 0 to 5 stars.")
    return await _do("rate", str(stars), some)


async def tag(some: Condition, name: str) -> Outcome:
    """Put a tag on them; those that have MAX_TAGS are left out. Raises ValueError where it cannot be one."""
    kept = tag_name(name)
    outcome = await _do("tag", kept, some, THERE & WhereRaw(f"{TAGS} < {{}}", MAX_TAGS))
    full = THERE & WhereRaw(f"{TAGS} >= {{}}", MAX_TAGS) & _deed("tag", kept, now()).undone()
    return replace(outcome, left_out=await Job.count().where(some & full))


async def untag(some: Condition, name: str) -> Outcome:
    """Take a tag off them. Raises ValueError."""
    return await _do("untag", tag_name(name), some)


async def collect(some: Condition, name: str) -> Outcome:
    """Put them into a collection, which is made where there is none of this name. Raises ValueError."""
    return await _do("collect", str((await collections.named(name)).id), some)


async def take_out(some: Condition, name: str) -> Outcome:
    """Take them out of a collection. Raises ValueError where there is none of this name."""
    found = await collections.find(name)
    if found is None:
        raise ValueError(f'There is no collection "{name}".')
    return await _do("take out", str(found.id), some)


async def trash(some: Condition) -> Outcome:
    """Move them to the trash: those that have ended. The others are left out."""
    busy = some & THERE & WhereRaw("job.trashed_at IS NULL AND job.status IN ('queued', 'running')")
    left_out = await Job.count().where(busy)
    outcome = await _do("trash", "", some, THERE & ENDED)
    return replace(outcome, left_out=left_out)


async def restore(some: Condition) -> Outcome:
    """Take them out of the trash."""
    return await _do("restore", "", some)


async def retry(some: Condition) -> Outcome:
    """Have those that failed or were canceled wait again. What that costs is not undone. Raises QueueFull."""
    return Outcome(await bulk.retry_all(some))


async def delete(some: Condition) -> Outcome:
    """Delete for good what is in the trash of them. A worker removes the files."""
    return Outcome(await bulk.delete_all(some, IN_TRASH))


async def write(job_id: UUID, notes: str) -> Job | None:
    """Keep what somebody wrote about a job. None: it is deleted. Raises ValueError where that is too long."""
    if fault := fault_of_notes(notes):
        raise ValueError(fault)
    return await change((Job.id == job_id) & THERE, {Job.notes: notes})


def fault_of_notes(notes: str) -> str | None:
    """Why this cannot be kept as notes, in a sentence, or None."""
    if len(notes) > MAX_NOTES:
        return f"Notes have {MAX_NOTES:,} characters at most."
    return None if is_text(notes) else "The notes have a character that is not text."


async def noted(undo_id: UUID) -> tuple[str, str, Outcome] | None:
    """What can be taken back: the action, its argument (of a collection its id), and what came of it."""
    row = await Undo.select(Undo.action, Undo.argument).where(_portions_of(undo_id)).first()
    if row is None:
        return None
    lengths = "SELECT sum(json_array_length(before)) AS jobs FROM undo WHERE id = {} OR part_of = {}"
    [listed] = await Undo.raw(lengths, undo_id, undo_id)
    return row["action"], row["argument"], Outcome(int(listed["jobs"] or 0), undo_id)


async def undo(undo_id: UUID) -> Outcome | None:
    """Take an action back, of the jobs that still are as it left them. None: that is not possible any more.

    It takes back all that is done by then of an action that is still at it, and so ends it. Two at once share the work.
    """
    if not await Undo.exists().where(_portions_of(undo_id)):
        return None
    count, first = await announced(_taken_back(undo_id))
    return Outcome(count, some=first)


async def forget_undone() -> None:
    """Forget how to take back what was done more than a day ago."""
    await Undo.delete().where(Undo.created_at < now() - KEPT)


async def _do(action: str, argument: str, some: Condition, may: Condition = THERE) -> Outcome:
    """may: what is asked again of each job when its portion's turn comes."""
    first = Undo(id=new_id(), created_at=now(), action=action, argument=argument)
    count, changed = await announced(_done(first, some, may))
    return Outcome(count, first.id if count else None, some=changed)


async def _done(first: Undo, some: Condition, may: Condition) -> AsyncIterator[list[UUID]]:
    """Do it, and answer which jobs of each portion changed."""
    deed, portion = _deed(first.action, first.argument, first.created_at), first
    may = may & deed.undone()
    async for job_ids in portions(some & may):
        those = among(job_ids, may)
        async with DB.transaction():
            await _our_turn()
            if portion is not first and not await Undo.exists().where(_portions_of(first.id)):
                return  # somebody has taken it back already
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
                id=new_id(), part_of=first.id, created_at=first.created_at, action=first.action, argument=first.argument
            )


async def _taken_back(undo_id: UUID) -> AsyncIterator[list[UUID]]:
    """Take it back, and answer which jobs of each portion changed."""
    asked = (Undo.id, Undo.action, Undo.argument, Undo.created_at)
    while True:
        async with DB.transaction():
            await _our_turn()
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


def _deed(action: str, argument: str, moment: object) -> Deed:
    match action:
        case "favourite":
            return Mark(Job.favourite, argument == "yes", "boolean")
        case "rate":
            return Mark(Job.rating, int(argument), "smallint")
        case "trash":
            return Mark(Job.trashed_at, moment, "timestamptz")  # type: ignore[arg-type]
        case "restore":
            return Mark(Job.trashed_at, None, "timestamptz")
        case "tag" | "untag":
            return Row("job_tag", "name", argument, action == "tag")
        case "collect" | "take out":
            return Row("collection_item", "collection", UUID(argument), action == "collect")
    raise ValueError(f"an action that nobody knows: {action}")


async def _our_turn() -> None:
    if DB.engine_type == "postgres":
        await Undo.raw("SELECT pg_advisory_xact_lock({})", TURN)

"""Tidying: what people say of their prints, and what they throw away, of one as of all that match; and undo.

Each verb takes the jobs that a condition finds, changes those that are not so already in one transaction, and says
what came of it. It announces up to ANNOUNCED of them; of more, open pages learn at their next look.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from piccolo.columns.combination import WhereRaw
from piccolo.querystring import QueryString

from tasks import collections, jobs
from tasks.database import DB, now
from tasks.deeds import Deed, Mark, Row, note, on_the_list
from tasks.names import tag_name
from tasks.queue import Condition
from tasks.tables import Job, Undo, new_id
from tasks.transitions import ANNOUNCED, announce_all, change

KEPT = timedelta(days=1)  # how long an action can be taken back
MAX_NOTES = 10_000  # characters
TURN = 0x74696479  # any number: one bulk action at a time on PostgreSQL, as everything is on SQLite

THERE = WhereRaw("job.deleted_at IS NULL")
ENDED = WhereRaw("job.status IN ('completed', 'failed', 'canceled')")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an action.

    jobs: how many changed. undo: what takes it back; None where nothing does. left_out: how many could not be changed,
    because they still wait or run. some: the first of those that changed, up to ANNOUNCED.
    """

    jobs: int
    undo: UUID | None = None
    left_out: int = 0
    some: Sequence[UUID] = ()


def these(job_ids: Sequence[UUID]) -> Condition:
    """The jobs with these ids, as a selection."""
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
    """Put a tag on them. Raises ValueError where it cannot be one."""
    return await _do("tag", tag_name(name), some)


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
    return await _do("trash", "", some & ENDED, left_out)


async def restore(some: Condition) -> Outcome:
    """Take them out of the trash."""
    return await _do("restore", "", some)


async def retry(some: Condition) -> Outcome:
    """Have those that failed or were canceled wait again. What that costs is not undone."""
    return Outcome(await jobs.retry_all(some))


async def delete(some: Condition) -> Outcome:
    """Delete for good what is in the trash of them. A worker removes the files."""
    return Outcome(await jobs.delete_all(some & WhereRaw("job.trashed_at IS NOT NULL")))


async def write(job_id: UUID, notes: str) -> Job | None:
    """Keep what somebody wrote about a job. None: it is deleted. Raises ValueError where that is too long."""
    if fault := fault_of_notes(notes):
        raise ValueError(fault)
    return await change((Job.id == job_id) & THERE, {Job.notes: notes})


def fault_of_notes(notes: str) -> str | None:
    """Why this cannot be kept as notes, in a sentence, or None."""
    if len(notes) > MAX_NOTES:
        return f"Notes have {MAX_NOTES:,} characters at most."
    if "\x00" in notes or (not notes.isascii() and any("\ud800" <= letter <= "\udfff" for letter in notes)):
        return "The notes have a character that is not text."
    return None


async def noted(undo_id: UUID) -> tuple[str, str, Outcome] | None:
    """What can be taken back: the action, its argument (of a collection its id), and what came of it."""
    row = await Undo.select(Undo.action, Undo.argument).where(Undo.id == undo_id).first()
    if row is None:
        return None
    [listed] = await Undo.raw("SELECT json_array_length(before) AS jobs FROM undo WHERE id = {}", undo_id)
    return row["action"], row["argument"], Outcome(int(listed["jobs"]), undo_id)


async def undo(undo_id: UUID) -> Outcome | None:
    """Take an action back, of the jobs that still are as it left them. None: that is not possible any more."""
    moment = now()
    async with DB.transaction():
        await _our_turn()
        row = await Undo.select(Undo.action, Undo.argument, Undo.created_at).where(Undo.id == undo_id).first()
        if row is None:
            return None
        deed, listed = _deed(row["action"], row["argument"], row["created_at"]), on_the_list(undo_id)
        still = WhereRaw("job.id IN (SELECT id FROM ({}) AS listed)", listed) & THERE & deed.done
        count = await Job.count().where(still)
        some = await _first(Job.select(Job.id).where(still).order_by(Job.id, ascending=False).querystrings[0])
        for statement in deed.undo(listed, moment):
            await Job.raw("{}", statement)
        await Undo.delete().where(Undo.id == undo_id)
    announce_all(some)
    return Outcome(count, some=some)


async def forget_undone() -> None:
    """Forget how to take back what was done more than a day ago."""
    await Undo.delete().where(Undo.created_at < now() - KEPT)


async def _do(action: str, argument: str, some: Condition, left_out: int = 0) -> Outcome:
    undo_id, moment = new_id(), now()
    deed, listed = _deed(action, argument, moment), on_the_list(undo_id)
    async with DB.transaction():
        await _our_turn()
        await Undo(id=undo_id, created_at=moment, action=action, argument=argument).save()
        count = await note(undo_id, some & THERE & deed.undone(), deed.had)
        if not count:
            await Undo.delete().where(Undo.id == undo_id)
            return Outcome(0, left_out=left_out)
        for statement in deed.do(listed, moment):
            await Job.raw("{}", statement)
        changed = await _first(QueryString("SELECT id FROM ({}) AS listed ORDER BY id DESC", listed))
    announce_all(changed)
    return Outcome(count, undo_id, left_out, changed)


async def _first(query: QueryString) -> list[UUID]:
    rows = await Job.raw("SELECT id FROM ({}) AS those LIMIT {}", query, ANNOUNCED)
    return [UUID(str(row["id"])) for row in rows]


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

"""Many jobs, one portion at a time: others write in between, and an interrupted action can be undone."""

import asyncio
from uuid import UUID

import pytest

from tasks.curation import edits
from tasks.db.database import now
from tasks.db.tables import Condition, Job, Undo
from tasks.jobs import chunks, lifecycle
from tasks.library import filters
from tasks.library.query import parse
from tests.tasks.states import submitted

COUNT = 11


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "JOBS_PER_CHUNK", 2)
    monkeypatch.setattr(chunks, "JOBS_PER_SELECT", 4)


@pytest.fixture
async def ids() -> list[UUID]:
    """Create canceled jobs. Returns their ids, the oldest first."""
    made = [(await submitted()).id for _ in range(COUNT)]
    for job_id in made:
        await lifecycle.cancel(job_id)
    return made


def found(q: str = "") -> Condition:
    return filters.condition(parse(q))


async def count(q: str) -> int:
    return int(await Job.count().where(found(q)))


class Pause:
    """A pause of an action after its first portion. over: ends the pause."""

    def __init__(self) -> None:
        self.begun, self.over = asyncio.Event(), asyncio.Event()

    async def breathe(self) -> None:
        self.begun.set()
        await self.over.wait()

    async def undo_id(self) -> UUID:
        """Return the id of the undo of the paused action."""
        await self.begun.wait()
        [undo_id] = await Undo.select(Undo.id).where(Undo.part_of.is_null()).output(as_list=True)
        return UUID(str(undo_id))


@pytest.fixture
def pause(monkeypatch: pytest.MonkeyPatch) -> Pause:
    pause = Pause()
    monkeypatch.setattr(chunks, "breathe", pause.breathe)
    return pause


async def test_each_job_comes_once_by_age_and_from_the_newest_none_that_was_submitted_meanwhile(
    ids: list[UUID],
) -> None:
    assert [job_id async for some in chunks.portions(found(), newest_first=False) for job_id in some] == ids
    came = []
    async for some in chunks.portions(found()):
        assert len(some) <= 2
        came += some
        await submitted()
    assert came == ids[::-1]


async def test_what_is_found_no_more_because_of_the_change_is_changed_to_its_end(ids: list[UUID]) -> None:
    outcome = await edits.favorite(found("fav:no"))
    assert (outcome.jobs, list(outcome.job_ids), await count("fav:yes")) == (COUNT, ids[::-1], COUNT)
    assert outcome.undo is not None
    assert await Undo.count() == 6
    assert await edits.noted(outcome.undo) == ("favorite", "yes", edits.Outcome(COUNT, outcome.undo))
    await edits.trash(found())
    restored = await edits.restore(found("in:trash"))
    assert (restored.jobs, await count("")) == (COUNT, COUNT)
    undone = await edits.undo(outcome.undo)
    assert undone is not None
    assert (undone.jobs, list(undone.job_ids), await count("fav:yes")) == (COUNT, ids[::-1], 0)
    assert await edits.noted(outcome.undo) is None


async def test_others_write_between_two_portions(ids: list[UUID], pause: Pause) -> None:
    action = asyncio.create_task(edits.tag(found(), "cat"))
    await pause.begun.wait()
    await submitted()
    assert await count("tag:cat") == 2
    pause.over.set()
    assert (await action).jobs == COUNT


async def test_who_is_stopped_on_the_way_has_done_nothing_that_cannot_be_undone(ids: list[UUID], pause: Pause) -> None:
    action = asyncio.create_task(edits.trash(found()))
    undo_id = await pause.undo_id()
    action.cancel()
    with pytest.raises(asyncio.CancelledError):
        await action
    assert await count("in:trash") == 2
    undone = await edits.undo(undo_id)
    assert undone is not None
    assert (undone.jobs, await count("in:trash"), await Undo.count()) == (2, 0, 0)


async def test_an_undo_ends_an_action_that_is_still_at_it(ids: list[UUID], pause: Pause) -> None:
    action = asyncio.create_task(edits.rate(found(), 5))
    assert await edits.undo(await pause.undo_id()) is not None
    pause.over.set()
    assert (await action).jobs == 2
    assert (await count("rating:5"), await Undo.count()) == (0, 0)


async def test_two_undos_at_once_take_each_job_back_once(ids: list[UUID]) -> None:
    outcome = await edits.collect(found(), "wall")
    assert outcome.undo is not None
    both = await asyncio.gather(edits.undo(outcome.undo), edits.undo(outcome.undo))
    assert sum(undone.jobs for undone in both if undone) == COUNT
    assert await count("collection:wall") == 0


async def test_what_was_done_in_one_is_still_taken_back(ids: list[UUID]) -> None:
    outcome = await edits.favorite(found())
    listed = ", ".join(f'["{job_id}", {{"-1": false}}]' for job_id in ids)  # in one row, as before there were portions
    await Undo.delete().where(Undo.part_of.is_not_null())
    await Undo.update({Undo.before: f"[{listed}]"}).where(Undo.id == outcome.undo)
    undone = await edits.undo(outcome.undo or ids[0])
    assert undone is not None
    assert (undone.jobs, await count("fav:yes")) == (COUNT, 0)


async def test_what_leaves_the_trash_before_its_turn_is_not_deleted(ids: list[UUID], pause: Pause) -> None:
    await Job.update({Job.trashed_at: now()}).where(Job.id.is_in(ids))
    deleting = asyncio.create_task(edits.delete(found("in:trash")))
    await pause.begun.wait()
    assert (await edits.restore(edits.by_ids(ids[-3:-2]))).jobs == 1
    pause.over.set()
    assert (await deleting).jobs == COUNT - 1
    assert await count("") == 1


async def test_many_are_tried_again_the_oldest_first(ids: list[UUID]) -> None:
    assert (await edits.retry(found())).jobs == COUNT
    turns = await Job.select(Job.turn).order_by(Job.id).output(as_list=True)
    assert turns == list(range(turns[0], turns[0] + COUNT))

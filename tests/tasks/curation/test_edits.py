"""Tidying on a real database: what changes, what is recorded, and what undo takes back."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.curation import collections, edits
from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Collection, CollectionItem, Job, JobTag, Undo
from tasks.jobs import chunks, lifecycle
from tasks.library import cards, filters, labels
from tasks.library.query import parse
from tests.tasks.states import claimed, submitted
from tests.tasks.work import existing


@pytest.fixture(autouse=True)
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every action take several portions."""
    monkeypatch.setattr(chunks, "JOBS_PER_CHUNK", 2)
    monkeypatch.setattr(chunks, "JOBS_PER_SELECT", 2)


async def ended(count: int = 3) -> list[UUID]:
    """Create canceled jobs. Returns their ids."""
    ids = [(await submitted()).id for _ in range(count)]
    for job_id in ids:
        await lifecycle.cancel(job_id)
    return ids


async def column(name: Any) -> list[Any]:
    return list(await Job.select(name).order_by(Job.id).output(as_list=True))


async def test_one_and_many_take_the_same_road_and_only_what_is_not_so_changes() -> None:
    first, second, third = await ended()
    one = await edits.favorite(edits.by_ids([first]))
    assert (one.jobs, list(one.job_ids)) == (1, [first])
    rest = await edits.favorite(filters.condition(parse("fox")))
    assert (rest.jobs, set(rest.job_ids)) == (2, {second, third})
    assert await column(Job.favorite) == [True, True, True]
    nothing = await edits.favorite(filters.condition(parse("fox")))
    assert (nothing.jobs, nothing.undo, nothing.job_ids) == (0, None, ())
    assert await Undo.count() == 2


async def test_undo_takes_back_exactly_what_changed_and_works_once() -> None:
    first, second, third = ids = await ended()
    await edits.rate(edits.by_ids([first]), 2)
    await edits.rate(edits.by_ids([second]), 5)
    outcome = await edits.rate(edits.by_ids(ids), 5)
    assert outcome.jobs == 2
    assert outcome.undo is not None
    await edits.rate(edits.by_ids([third]), 1)
    undone = await edits.undo(outcome.undo)
    assert undone is not None
    assert (undone.jobs, list(undone.job_ids)) == (1, [first])
    assert await column(Job.rating) == [2, 5, 1]
    assert await edits.undo(outcome.undo) is None


async def test_a_tag_is_put_on_found_and_taken_off_again() -> None:
    first, second, _ = await ended()
    await edits.tag(edits.by_ids([first]), "  Cat  on Mat ")
    outcome = await edits.tag(edits.by_ids([first, second]), "cat on mat")
    assert outcome.jobs == 1
    assert (await existing(second)).marks.tags == ("cat on mat",)
    assert await Job.count().where(filters.condition(parse('tag:"cat on mat"'))) == 2
    await edits.undo(outcome.undo or ids.new())
    assert (await existing(second)).marks.tags == ()
    off = await edits.untag(edits.by_ids([first, second]), "cat on mat")
    assert (off.jobs, await JobTag.count()) == (1, 0)
    await edits.undo(off.undo or ids.new())
    assert (await existing(first)).marks.tags == ("cat on mat",)


async def test_a_job_that_has_all_the_tags_it_may_have_is_left_out() -> None:
    first, second, _ = await ended()
    for name in ("cat", "dog"):
        await edits.tag(edits.by_ids([first]), name, most=2)
    outcome = await edits.tag(edits.by_ids([first, second]), "bird", most=2)
    assert (outcome.jobs, list(outcome.job_ids), outcome.left_out) == (1, [second], 1)
    assert (await existing(first)).marks.tags == ("cat", "dog")
    again = await edits.tag(edits.by_ids([first]), "cat", most=2)
    assert (again.jobs, again.left_out) == (0, 0)


@pytest.mark.parametrize("name", ["", "  ", "a,b", 'a "b"', "x" * 65, "a\x00b"])
async def test_what_cannot_be_a_tag_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"A tag (must have 1 to 64 characters|cannot contain commas)"):
        await edits.tag(edits.by_ids([]), name)


async def test_a_collection_is_made_by_its_name_and_stays_when_collecting_is_undone() -> None:
    first, second, _ = await ended()
    await edits.collect(edits.by_ids([first]), "For the Wall")
    outcome = await edits.collect(edits.by_ids([first, second]), "for the wall")
    assert outcome.jobs == 1
    assert (await existing(second)).marks.collections == ("For the Wall",)
    await edits.undo(outcome.undo or ids.new())
    assert await CollectionItem.count() == 1
    out = await edits.take_out(edits.by_ids([first, second]), "For the wall")
    assert (out.jobs, await CollectionItem.count(), await Collection.count()) == (1, 0, 1)
    with pytest.raises(ValueError, match="no collection"):
        await edits.take_out(edits.by_ids([first]), "elsewhere")


async def test_the_trash_takes_what_has_ended_and_says_how_many_it_left_out() -> None:
    running = await claimed()
    waiting = await submitted()
    first, _, _ = await ended()
    await edits.trash(edits.by_ids([first]))
    outcome = await edits.trash(filters.condition(parse("")))
    assert (outcome.jobs, outcome.left_out) == (2, 2)
    assert {card.job.id for card in await cards.by_ids([running.id, waiting.id]) if card.job.trashed_at} == set()
    assert await Job.count().where(filters.condition(parse("in:trash"))) == 3
    await edits.undo(outcome.undo or ids.new())
    assert await Job.count().where(filters.condition(parse("in:trash"))) == 1


async def test_undo_of_a_restore_keeps_the_day_on_which_it_was_thrown_away() -> None:
    [first] = await ended(1)
    long_ago = now() - timedelta(days=12)
    await Job.update({Job.trashed_at: long_ago}).where(Job.id == first)
    outcome = await edits.restore(edits.by_ids([first]))
    assert await column(Job.trashed_at) == [None]
    await edits.undo(outcome.undo or ids.new())
    assert await column(Job.trashed_at) == [long_ago]


async def test_what_was_restored_and_thrown_away_again_stays_there() -> None:
    [first] = await ended(1)
    outcome = await edits.trash(edits.by_ids([first]))
    await edits.restore(edits.by_ids([first]))
    await edits.trash(edits.by_ids([first]))
    undone = await edits.undo(outcome.undo or ids.new())
    assert undone is not None
    assert undone.jobs == 0
    assert await Job.count().where(filters.IN_TRASH) == 1


async def test_retry_of_many_has_them_wait_one_behind_the_other() -> None:
    other = await submitted("somebody else")
    ids = await ended(3)
    done = await claimed_and_done()
    trashed = (await ended(1))[0]
    await edits.trash(edits.by_ids([trashed]))
    outcome = await edits.retry(filters.condition(parse("")) | edits.by_ids([trashed]))
    assert (outcome.jobs, outcome.undo) == (3, None)
    rows = {job.id: job for job in await Job.objects()}
    assert [rows[job_id].status for job_id in ids] == ["queued"] * 3
    first, second, third = [rows[job_id].turn for job_id in ids]
    assert (second, third) == (first + 1, first + 2)
    assert rows[done].status == "completed"
    assert rows[trashed].status == "canceled"
    assert rows[other.id].turn == other.turn


async def claimed_and_done() -> UUID:
    job = await submitted("a third", priority=3)
    claim = await lifecycle.claim(30)
    assert claim is not None
    await lifecycle.complete(claim, [])
    return job.id


async def test_notes_are_kept_and_found() -> None:
    [first] = await ended(1)
    assert await edits.write(first, "for grandmother") is not None
    assert await Job.count().where(filters.condition(parse("grandmother"))) == 1
    with pytest.raises(ValueError, match="10,000"):
        await edits.write(first, "x" * 10_001)
    await lifecycle.delete(first)
    assert await edits.write(first, "too late") is None


async def test_what_was_done_more_than_a_day_ago_is_not_undone() -> None:
    [first] = await ended(1)
    old = await edits.favorite(edits.by_ids([first]))
    new = await edits.rate(edits.by_ids([first]), 3)
    await Undo.update({Undo.created_at: now() - timedelta(hours=25)}).where(Undo.id == old.undo)
    await edits.forget_undone()
    assert await Undo.select(Undo.id).output(as_list=True) == [new.undo]


async def test_of_two_at_once_each_job_is_changed_by_one() -> None:
    ids = await ended(20)
    both = await asyncio.gather(*[edits.tag(edits.by_ids(ids), "cat") for _ in range(4)])
    assert sum(outcome.jobs for outcome in both) == 20
    assert await JobTag.count() == 20


async def test_collections_are_listed_with_their_counts_and_covers() -> None:
    first, second, third = await ended()
    await Job.update({Job.kind: "image"}).where(Job.id.is_in([first, second]))
    await edits.collect(edits.by_ids([first, second, third]), "wall")
    await edits.trash(edits.by_ids([second]))
    await collections.create("empty")
    with pytest.raises(collections.Taken):
        await collections.create("Wall")
    empty, wall = await collections.shelves()
    assert (empty.name, empty.jobs, empty.cover) == ("empty", 0, None)
    assert (wall.name, wall.jobs, wall.cover) == ("wall", 2, first)
    with pytest.raises(collections.Taken):
        await collections.rename(empty.id, "WALL")
    assert await collections.rename(wall.id, "Wall")
    assert await collections.delete(wall.id)
    assert not await collections.delete(wall.id)
    assert await collections.names() == ["empty"]
    assert await Job.count() == 3


async def test_tags_in_use_are_completed() -> None:
    first, second, _ = await ended()
    for name in ("cat", "big cat", "dog"):
        await edits.tag(edits.by_ids([first, second]), name)
    assert await labels.tags_in_use() == ["big cat", "cat", "dog"]
    assert await labels.tags_in_use("CAT") == ["big cat", "cat"]


ACTIONS = st.one_of(
    st.tuples(st.just("favorite"), st.booleans()),
    st.tuples(st.just("rate"), st.integers(0, 5)),
    st.tuples(st.sampled_from(["tag", "untag"]), st.sampled_from(["cat", "dog"])),
    st.tuples(st.just("collect"), st.just("wall")),
    st.tuples(st.sampled_from(["trash", "restore"]), st.none()),
)
SOME = st.sets(st.integers(0, 3), min_size=1)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(done=st.lists(st.tuples(ACTIONS, SOME), min_size=1, max_size=6))
async def test_all_that_was_done_is_undone_from_the_last_to_the_first(done: list[Any]) -> None:
    ids = await ended(4)
    states, undos = [await state(ids)], []
    for (verb, argument), chosen in done:
        some = edits.by_ids([ids[number] for number in chosen])
        arguments = [] if argument is None else [argument]
        undos.append((await getattr(edits, verb)(some, *arguments)).undo)
        states.append(await state(ids))
    for undo_id, after, before in reversed(list(zip(undos, states[1:], states, strict=False))):
        assert await state(ids) == after
        if undo_id is not None:
            await edits.undo(undo_id)
        assert await state(ids) == before


async def state(ids: list[UUID]) -> list[Any]:
    found = await cards.by_ids(ids)
    return [(card.job.favorite, card.job.rating, card.job.trashed_at, card.marks) for card in found]

"""Single outputs of a job: their marks and their trash, what the job has of them, and undo."""

import asyncio
from uuid import UUID

import pytest

from tasks.curation import edits, output_edits
from tasks.db import ids
from tasks.db.tables import Output
from tasks.jobs import lifecycle
from tests.tasks.states import an_output, claimed
from tests.tasks.work import existing


async def completed(count: int = 3) -> UUID:
    """Return the id of a completed job with so many outputs."""
    job = await claimed()
    outputs = [an_output(f"{job.id}-{position}.png") for position in range(count)]
    for position, output in enumerate(outputs):
        output.position = position
    assert await lifecycle.complete(job, outputs)
    return job.id


async def marks(job_id: UUID) -> tuple[tuple[bool, int], list[tuple[bool, int]]]:
    """Return favorite and rating: the job's own, and those of its outputs in their order."""
    job = (await existing(job_id)).job
    rows = await Output.objects().where(Output.job == job_id).order_by(Output.position)
    return (job.favorite, job.rating), [(row.favorite, row.rating) for row in rows]


async def in_trash(job_id: UUID) -> tuple[bool, list[int]]:
    """Return whether the job is in the trash, and the positions of those of its outputs that are there alone."""
    rows = await Output.select(Output.position).where((Output.job == job_id) & Output.trashed_at.is_not_null())
    job = (await existing(job_id)).job
    return job.trashed_at is not None, sorted(row["position"] for row in rows)


async def undo(outcome: edits.Outcome) -> int:
    undone = await edits.undo(outcome.undo or ids.new())
    assert undone is not None
    return undone.jobs


async def test_a_job_is_a_favorite_if_an_output_is_and_has_the_stars_of_the_best() -> None:
    job_id = await completed()
    first = await output_edits.favorite(job_id, [1])
    await output_edits.rate(job_id, [0], 2)
    best = await output_edits.rate(job_id, [2], 4)
    assert await marks(job_id) == ((True, 4), [(False, 2), (True, 0), (False, 4)])
    assert (await output_edits.favorite(job_id, [1])).jobs == 0
    assert await undo(best) == 1
    assert await undo(first) == 1
    assert await marks(job_id) == ((False, 2), [(False, 2), (False, 0), (False, 0)])


async def test_an_action_on_the_job_is_one_on_its_outputs_and_undo_knows_which_had_what() -> None:
    job_id, other = await completed(), await completed(1)
    await output_edits.rate(job_id, [1], 3)
    rated = await edits.rate(edits.by_ids([job_id, other]), 5)
    assert await marks(job_id) == ((False, 5), [(False, 5)] * 3)
    await output_edits.rate(job_id, [2], 1)
    assert await undo(rated) == 2
    assert await marks(job_id) == ((False, 3), [(False, 0), (False, 3), (False, 1)])
    assert await marks(other) == ((False, 0), [(False, 0)])
    await output_edits.favorite(job_id, [0])
    assert (await edits.favorite(edits.by_ids([job_id]))).jobs == 0  # it is one already
    removed = await edits.favorite(edits.by_ids([job_id]), False)
    assert await marks(job_id) == ((False, 3), [(False, 0), (False, 3), (False, 1)])
    await undo(removed)
    assert [favorite for favorite, _ in (await marks(job_id))[1]] == [True, False, False]


async def test_what_a_job_was_given_while_it_ran_its_outputs_have_and_undo_takes_it_from_them() -> None:
    job = await claimed()
    liked = await edits.favorite(edits.by_ids([job.id]))
    await edits.rate(edits.by_ids([job.id]), 2)
    assert await marks(job.id) == ((True, 2), [])
    assert await lifecycle.complete(job, [an_output()])
    assert await marks(job.id) == ((True, 2), [(True, 2)])
    assert await undo(liked) == 1
    assert await marks(job.id) == ((False, 2), [(False, 2)])


async def test_the_marks_of_a_job_without_outputs_are_its_own() -> None:
    job = await claimed()
    await edits.rate(edits.by_ids([job.id]), 2)
    better = await edits.rate(edits.by_ids([job.id]), 5)
    assert await marks(job.id) == ((False, 5), [])
    assert await undo(better) == 1
    assert await marks(job.id) == ((False, 2), [])


async def test_an_output_goes_to_the_trash_with_its_marks_and_comes_back() -> None:
    job_id = await completed()
    await output_edits.favorite(job_id, [1])
    await output_edits.rate(job_id, [0], 1)
    gone = await output_edits.trash(job_id, [1])
    assert (await in_trash(job_id), (await marks(job_id))[0]) == ((False, [1]), (False, 1))
    assert (await output_edits.trash(job_id, [1])).jobs == 0
    assert await in_trash(job_id) == (False, [1])
    card = await existing(job_id)
    assert ([o.position for o in card.outputs], [o.position for o in card.discarded]) == ([0, 2], [1])
    back = await output_edits.restore(job_id, [1])
    assert (await in_trash(job_id), (await marks(job_id))[0]) == ((False, []), (True, 1))
    assert await undo(back) == 1
    assert await in_trash(job_id) == (False, [1])
    assert await undo(gone) == 1
    assert await in_trash(job_id) == (False, [])


async def test_the_last_output_takes_the_job_with_it_and_comes_back_with_it() -> None:
    job_id = await completed(2)
    await output_edits.trash(job_id, [0])
    last = await output_edits.trash(job_id, [1])
    assert await in_trash(job_id) == (True, [0])
    await undo(last)
    assert await in_trash(job_id) == (False, [0])
    await output_edits.trash(job_id, [0, 1])
    assert await in_trash(job_id) == (True, [0])
    await edits.restore(edits.by_ids([job_id]))
    assert await in_trash(job_id) == (False, [0])


async def test_undo_of_a_restore_leaves_the_job_an_output() -> None:
    job_id = await completed(2)
    await output_edits.trash(job_id, [0])
    back = await output_edits.restore(job_id, [0])
    await output_edits.trash(job_id, [1])
    assert await undo(back) == 0
    assert await in_trash(job_id) == (False, [1])


async def test_of_all_outputs_trashed_at_once_one_stays_with_its_job() -> None:
    job_id = await completed(4)
    outcomes = await asyncio.gather(*(output_edits.trash(job_id, [position]) for position in range(4)))
    assert [outcome.jobs for outcome in outcomes] == [1, 1, 1, 1]
    is_trashed, alone = await in_trash(job_id)
    assert (is_trashed, len(alone)) == (True, 3)


async def test_only_the_favorites_are_kept() -> None:
    job_id, plain = await completed(4), await completed(2)
    await output_edits.favorite(job_id, [1, 2])
    await output_edits.trash(job_id, [2])
    kept = await output_edits.keep_favorites(edits.by_ids([job_id, plain]))
    assert (kept.jobs, await in_trash(job_id), await in_trash(plain)) == (1, (False, [0, 2, 3]), (False, []))
    assert (await output_edits.keep_favorites(edits.by_ids([job_id]))).jobs == 0
    await undo(kept)
    assert await in_trash(job_id) == (False, [2])


@pytest.mark.parametrize("stars", [-1, 6])
async def test_no_other_number_of_stars_is_given(stars: int) -> None:
    with pytest.raises(ValueError, match="0 to 5"):
        await output_edits.rate(await completed(1), [0], stars)


async def test_undo_leaves_alone_what_was_changed_since() -> None:
    job_id = await completed(2)
    both = await output_edits.rate(job_id, [0, 1], 3)
    await output_edits.rate(job_id, [1], 4)
    assert await undo(both) == 1
    assert await marks(job_id) == ((False, 4), [(False, 0), (False, 4)])

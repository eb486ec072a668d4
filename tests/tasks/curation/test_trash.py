"""The trash is emptied: its rows and files are deleted completely, even if a process dies, and nothing else is."""

from datetime import timedelta
from uuid import UUID

import pytest

from tasks.curation import edits, output_edits, trash
from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Attempt, Job, JobTag, Output
from tasks.errors import Failure
from tasks.files import pending_files
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.library import cards, filters
from tasks.library.query import parse
from tasks.settings import settings
from tests.factories import completed
from tests.tasks.states import nothing
from tests.tasks.work import existing


@pytest.fixture
def storage() -> Storage:
    return Storage.open(settings.storage_url)


async def thrown_away(days: float) -> UUID:
    job = await completed()
    await Job.update({Job.trashed_at: now() - timedelta(days=days)}).where(Job.id == job.id)
    return job.id


async def there(storage: Storage, job_id: UUID) -> bool:
    return await storage.head(f"{job_id}-0123456789ab.png") is not None


async def test_what_lies_in_the_trash_for_thirty_days_is_deleted_with_its_files(storage: Storage) -> None:
    old, young, kept = await thrown_away(30.1), await thrown_away(29.9), (await completed()).id
    await edits.tag(edits.by_ids([old, young, kept]), "cat")
    assert await trash.empty_old(storage) == 1
    assert [await there(storage, job_id) for job_id in (old, young, kept)] == [False, True, True]
    card = await cards.by_id(old)
    assert card is not None
    assert card.deleted
    assert (card.job.prompt, card.outputs, card.marks.tags) == ("", [], ())
    assert nothing(card.job.trashed_at)
    assert await Output.count() == await JobTag.count() == 2
    assert await Job.count().where(filters.condition(parse("in:trash"))) == 1


async def test_files_that_storage_would_not_remove_are_removed_later(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await thrown_away(1)
    assert (await edits.delete(edits.by_ids([job_id]))).jobs == 1

    async def away(self: Storage, keys: object) -> None:
        raise Failure("storage_unavailable", "The storage for finished files is not available.", passing=True)

    with monkeypatch.context() as patched:
        patched.setattr(Storage, "delete", away)
        with pytest.raises(Failure):
            await trash.clear_all(storage)
    assert await there(storage, job_id)
    await trash.clear_all(storage)
    assert not await there(storage, job_id)
    assert await Output.count() == await Attempt.count() == 0


async def test_an_output_that_lies_in_the_trash_for_thirty_days_is_deleted_with_its_file_and_its_job_stays(
    storage: Storage,
) -> None:
    old, young, shared = [(await completed()).id for _ in range(3)]
    for job_id, days in ((old, 30.1), (young, 29.9), (shared, 30.1)):
        [first] = await Output.objects().where(Output.job == job_id)
        await Output.insert(
            Output(**first.to_dict() | {"id": ids.new(), "position": 1, "stored_key": f"b-{job_id}.png"})
        )
        if job_id == shared:
            await Output.update({Output.stored_key: first.stored_key}).where(Output.job == job_id)
        moment = now() - timedelta(days=days)
        await Output.update({Output.trashed_at: moment}).where((Output.job == job_id) & (Output.position == 0))
    await trash.empty_old_outputs()
    assert [await there(storage, job_id) for job_id in (old, young, shared)] == [True, True, True]  # only noted so far
    await pending_files.sweep(storage)
    assert [await there(storage, job_id) for job_id in (old, young, shared)] == [False, True, True]
    cards_left = [await existing(job_id) for job_id in (old, young, shared)]
    assert [len(card.outputs) for card in cards_left] == [1, 1, 1]
    assert [len(card.discarded) for card in cards_left] == [0, 1, 0]
    assert (await output_edits.restore(old, [0])).jobs == 0


@pytest.mark.parametrize("made_by", ["delete", "delete_all"])
async def test_who_dies_right_after_the_tombstone_leaves_no_file_for_ever(storage: Storage, made_by: str) -> None:
    job_id = (await completed()).id if made_by == "delete" else await thrown_away(1)
    if made_by == "delete":
        await lifecycle.delete(job_id)
    else:
        await edits.delete(edits.by_ids([job_id]))
    assert await there(storage, job_id)  # the process that deleted it got no further
    assert await Job.count().where(filters.IN_TRASH) == 0
    await trash.clear_all(storage)
    assert not await there(storage, job_id)


async def test_only_what_is_in_the_trash_is_deleted_for_good() -> None:
    kept, gone = (await completed()).id, await thrown_away(1)
    assert (await edits.delete(edits.by_ids([kept, gone]))).jobs == 1
    assert await edits.restore(edits.by_ids([gone])) == edits.Outcome(0, action="restore")
    assert await Job.count().where(filters.VISIBLE) == 1

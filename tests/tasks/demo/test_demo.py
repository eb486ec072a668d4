"""A library of made-up jobs looks like one that users filled, is the same each time, and leaves real ones unharmed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from tasks.curation import trash
from tasks.db.tables import TABLES, Attempt, Batch, Job, JobTag, Output, Status
from tasks.demo import files, past, seeding, words
from tasks.demo.files import Picture, Shelf
from tasks.files import media_files
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.library import cards, paging
from tasks.library.paging import Sort
from tasks.library.query import Search, parse
from tasks.models import registry
from tasks.models.registry import built_in

UNTIL = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.open(str(tmp_path))


@pytest.fixture
async def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the drawings few and small, to save time."""
    monkeypatch.setattr(words, "SUBJECTS", words.SUBJECTS[:3])
    monkeypatch.setattr(files, "FILMS", words.SUBJECTS[:1])
    monkeypatch.setattr("tasks.demo.orders.FILMS", words.SUBJECTS[:1])
    monkeypatch.setattr(files, "RATIOS", {"1:1": (64, 64)})
    monkeypatch.setattr(files, "FILM_SIZE", (64, 64))
    monkeypatch.setattr(files, "SOUNDS", 1)
    monkeypatch.setattr(files, "SOUND_SECONDS", 1.0)


async def test_it_is_filled_with_jobs_that_can_be_looked_at_and_deleted(few: None, storage: Storage) -> None:
    await seeding.fill(300, storage, until=UNTIL)
    card_list, _ = await cards.page(Search(), Sort.NEWEST, None, 300)
    assert len(card_list) + await Job.count().where(Job.trashed_at.is_not_null()) >= 300
    for card in card_list:
        assert card.job.status in (Status.COMPLETED, Status.FAILED, Status.CANCELED), "nothing is run, or paid for"
        assert bool(card.outputs) == (card.job.status == Status.COMPLETED)
        for output in card.outputs:
            assert await storage.head(output.stored_key) is not None
            assert await storage.head(output.stored_preview_key or output.stored_key) is not None
            assert await media_files.find(output.key) == output.stored_key
            assert await media_files.find(output.preview_key or output.key) is not None
    assert await Attempt.count() == 300
    assert await JobTag.exists()
    first, second = [card for card in card_list if card.outputs and card.outputs[0].key == _common(card_list)][:2]
    await lifecycle.delete(first.job.id)
    await trash.clear(storage, first.job.id)
    assert await storage.head(second.outputs[0].stored_key) is not None, "the file is another job's, too"


def _common(card_list: list[cards.Card]) -> str:
    keys = [card.outputs[0].key for card in card_list if card.outputs]
    return max(keys, key=keys.count)


async def test_the_last_job_of_a_file_takes_it_along(few: None, storage: Storage) -> None:
    await seeding.fill(20, storage, until=UNTIL)
    keys = {row["stored_key"] for row in await Output.select(Output.stored_key)}
    for job in await Job.objects():
        await lifecycle.delete(job.id)
        await trash.clear(storage, job.id)
    assert keys
    assert [await storage.head(key) for key in keys] == [None] * len(keys)


async def test_real_jobs_are_not_mixed_with_made_up_ones_unless_that_is_wanted(few: None, storage: Storage) -> None:
    await lifecycle.submit("a real fox", "a/b", {})
    with pytest.raises(seeding.NotEmpty):
        await seeding.fill(5, storage)
    assert await Job.count() == 1
    for _ in range(2):
        await seeding.fill(5, storage, into_existing=True)
    assert await Job.count() == 11
    ids = await paging.next_ids(parse("a"), Sort.NEWEST, None, 20)
    assert ids
    assert ids == sorted(ids, reverse=True), "searches go by age, not by when a job was written"


def _output(key: str) -> dict[str, object]:
    return {"key": key, "width": 768, "height": 512}


SHELF = Shelf(
    {subject: [Picture("3:2", _output(f"{subject}.png"))] for subject in words.SUBJECTS},
    {subject: _output(f"{subject}.mp4") for subject in words.SUBJECTS},
    [_output("sound.mp3")],
)


def rows(count: int, seed: int = 0) -> past.Rows:
    made: past.Rows = {table: [] for table in TABLES}
    for some in past.jobs(count, UNTIL, SHELF, [UUID(int=7)], Random(seed), 400):
        for table, those in some.items():
            made[table] += those
    return made


def test_the_same_seed_makes_the_same_jobs() -> None:
    assert rows(500) == rows(500)
    assert rows(500)[Job] != rows(500, seed=1)[Job]


def test_ids_are_as_old_as_their_jobs() -> None:
    ids = set()
    for job in rows(2000)[Job]:
        assert UNTIL - timedelta(days=731) < job["created_at"] < job["finished_at"] <= UNTIL
        assert (job["id"].version, job["id"].variant[:8]) == (7, "specifie")
        assert datetime.fromtimestamp((job["id"].int >> 80) / 1000, UTC) == job["created_at"]
        ids.add(job["id"])
    assert len(ids) == 2000


def test_what_was_asked_for_is_what_models_take() -> None:
    made = rows(2000)
    for job in made[Job]:
        model = built_in(job["model"])
        assert model is not None
        assert model.faults(job["prompt"], json.loads(job["parameters"])) == []
    assert {job["model"] for job in made[Job]} == set(registry.BUILT_IN)


def test_batches_are_whole() -> None:
    made = rows(3000)
    assert made[Batch]
    for batch in made[Batch]:
        places = [job["batch_place"] for job in made[Job] if job["batch"] == batch["id"]]
        assert places == list(range(batch["jobs"]))

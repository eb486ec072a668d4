"""What searches find, on a real database with its full-text index."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Batch, Collection, CollectionItem, Job, JobTag
from tasks.jobs import lifecycle
from tasks.library import filters
from tasks.library.query import parse

PROMPTS = {
    "fox": "A red Fox in the snow",
    "foxes": "Two foxes, an old café and snow in the hills",
    "harbour": "A foggy harbour at first light, 16:9",
    "quote": """It's a "quoted" back\\slash 100% fish_and_chips in {braces}""",
}


@pytest.fixture
async def known(empty: None) -> dict[str, UUID]:
    """Create four jobs. Returns their ids, by a word for each."""
    return {name: (await lifecycle.submit(prompt, "stability-ai/sdxl", {})).id for name, prompt in PROMPTS.items()}


async def found(text: str, known: dict[str, UUID]) -> set[str]:
    names = {job_id: name for name, job_id in known.items()}
    rows = await Job.select(Job.id).where(filters.condition(parse(text)))
    return {names[row["id"]] for row in rows}


async def mark(job_id: UUID, **values: Any) -> None:
    changes: dict[Any, Any] = values
    await Job.update(changes).where(Job.id == job_id)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", {"fox", "foxes", "harbour", "quote"}),
        ("fox", {"fox", "foxes"}),
        ('"fox"', {"fox"}),
        ("FOX snow", {"fox", "foxes"}),
        ('"in the snow"', {"fox"}),
        ("cafe", {"foxes"}),
        ("CAFÉ", {"foxes"}),
        ("snow -old", {"fox"}),
        ("-snow", {"harbour", "quote"}),
        ('-"in the snow" fox', {"foxes"}),
        ("16:9", {"harbour"}),
        ("it's", {"quote"}),
        ("back\\slash", {"quote"}),
        ("{braces}", {"quote"}),
        ("it''s", {"quote"}),
        ("\\' OR true --", set()),
        ("-it's -{braces}", {"fox", "foxes", "harbour"}),
        ('fox" OR "harbour', set()),
        ("first & light | fox", set()),
        ("100%", {"quote"}),
        ("zebra", set()),
    ],
)
async def test_words_find_prompts(text: str, names: set[str], known: dict[str, UUID]) -> None:
    assert await found(text, known) == names


async def test_notes_are_found_and_what_is_reworded_is_found_by_its_new_words_only(known: dict[str, UUID]) -> None:
    await mark(known["fox"], notes="printed for grandmother")
    assert await found("grandmother fox", known) == {"fox"}
    await mark(known["fox"], notes="given away")
    assert await found("grandmother", known) == set()
    assert await found("given", known) == {"fox"}


async def test_a_job_that_is_gone_is_not_found(known: dict[str, UUID]) -> None:
    await Job.delete().where(Job.id == known["fox"])
    assert await found('"fox"', known) == set()


async def test_fields_find_what_a_job_is(known: dict[str, UUID]) -> None:
    await mark(known["fox"], model="black-forest-labs/flux_schnell", status="failed", seed=7, kind="image")
    await mark(known["foxes"], status="canceled", kind="video", favorite=True, rating=4)
    assert await found("model:FLUX_", known) == {"fox"}
    assert await found("model:flux%s", known) == set()
    assert await found("-model:FLUX_", known) == {"foxes", "harbour", "quote"}
    assert await found("-model:nothing -status:failed", known) == {"foxes", "harbour", "quote"}
    assert await found("status:failed", known) == {"fox"}
    assert await found("status:failed,canceled", known) == {"fox", "foxes"}
    assert await found("kind:video", known) == {"foxes"}
    assert await found("-kind:video", known) == {"fox", "harbour", "quote"}
    assert await found("fav:yes", known) == {"foxes"}
    assert await found("fav:no snow", known) == {"fox"}
    assert await found("rating:>=4", known) == {"foxes"}
    assert await found("rating:0", known) == {"fox", "harbour", "quote"}
    assert await found("rating:>5", known) == set()
    assert await found("seed:7", known) == {"fox"}
    assert await found("-seed:7", known) == {"foxes", "harbour", "quote"}


async def test_tags_collections_batches_and_lineage_find_their_jobs(known: dict[str, UUID]) -> None:
    batch = Batch(prompt="{a|b}", jobs=2, created_at=now())
    await batch.save()
    wall = Collection(name="For the Wall", created_at=now())
    await wall.save()
    await CollectionItem(collection=wall.id, job=known["fox"]).save()
    await JobTag(job=known["fox"], name="cat").save()
    await JobTag(job=known["foxes"], name="dog").save()
    await mark(known["harbour"], batch=batch.id, made_from=known["fox"])
    assert await found("tag:cat", known) == {"fox"}
    assert await found("tag:Cat,dog", known) == {"fox", "foxes"}
    assert await found("tag:cat tag:dog", known) == set()
    assert await found('collection:"for the wall"', known) == {"fox"}
    assert await found(f"batch:{batch.id}", known) == {"harbour"}
    assert await found(f"from:{known['fox']}", known) == {"harbour"}
    assert await found(f"from:{ids.new()}", known) == set()


async def test_dates_find_what_was_asked_for_then(known: dict[str, UUID]) -> None:
    old = ids.first_at(datetime(2025, 2, 28, 23, 59, 59, tzinfo=UTC))
    await Job(id=old, prompt="an old fox", model="a/b", created_at=now(), changed_at=now(), due_at=now()).save()
    known = {"old": old, **known}
    assert await found("before:2026", known) == {"old"}
    assert await found("on:2025-02", known) == {"old"}
    assert await found("on:2025-02-28", known) == {"old"}
    assert await found("on:2025-03", known) == set()
    assert await found("after:2025-02 before:2025-03", known) == {"old"}
    assert "old" not in await found("after:2025-03-01", known)


async def test_the_trash_is_searched_only_when_asked_for(known: dict[str, UUID]) -> None:
    await mark(known["fox"], trashed_at=now())
    await mark(known["harbour"], trashed_at=now(), deleted_at=now())
    assert await found("", known) == {"foxes", "quote"}
    assert await found("in:trash", known) == {"fox"}
    assert await found("in:trash fox", known) == {"fox"}


async def test_a_search_is_a_condition_for_changes_as_well(known: dict[str, UUID]) -> None:
    changed = await Job.update({Job.rating: 5}).where(filters.condition(parse("snow -old"))).returning(Job.id)
    assert [row["id"] for row in changed] == [known["fox"]]

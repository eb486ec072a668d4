"""What a search finds by the values of its fields: the numbers of the filter panel, and what they cost."""

from collections.abc import Awaitable
from typing import Any
from uuid import UUID

import pytest

from tasks.curation import collections
from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import CollectionItem, Job, JobTag
from tasks.library import facets
from tasks.library.facets import Count, Facets
from tasks.library.query import parse
from tests import factories
from tests.tasks.library.test_plans import library_of_months
from tests.tasks.plans import troubles


async def made(model: str = "m/fox", tags: tuple[str, ...] = (), **more: Any) -> UUID:
    job = Job(prompt="a fox", model=model, created_at=now(), changed_at=now(), due_at=now(), **more)
    await job.save()
    if tags:
        await JobTag.insert(*(JobTag(id=ids.new(), job=job.id, name=name) for name in tags))
    return job.id


@pytest.fixture
async def library(empty: None) -> None:
    """Create two pictures, a video and a failed job, and a picture in the trash."""
    anna = (await factories.person("anna")).id
    await made("m/fox", ("cat", "two words"), kind="image", status="completed", rating=5, favorite=True, owner=anna)
    shown = await made("m/fox:" + "0" * 64, ("cat",), kind="image", status="completed", rating=4)
    await made("m/film", kind="video", status="completed", rating=1)
    await made("m/film", status="failed")
    await made("m/fox", ("cat",), kind="image", status="completed", rating=5, owner=anna, trashed_at=now())
    wall = await collections.create("Wall")
    await CollectionItem.insert(CollectionItem(id=ids.new(), collection=wall.id, job=shown))


def numbers(found: Facets, field: str) -> dict[str, int]:
    return {value: count.jobs for value, count in found.get(field, {}).items() if count.jobs}


async def test_the_library_is_counted_by_every_field_without_the_trash(library: None) -> None:
    found = await facets.found(parse(""))
    assert numbers(found, "kind") == {"image": 2, "video": 1}
    assert numbers(found, "model") == {"m/fox": 2, "m/film": 2}, "with and without a version"
    assert numbers(found, "by") == {"anna": 1}
    assert numbers(found, "tag") == {"cat": 2, "two words": 1}
    assert numbers(found, "fav") == {"yes": 1}
    assert numbers(found, "rating") == {"5": 1, ">=4": 2, ">=3": 2, ">=2": 2, ">=1": 3}
    assert numbers(found, "status") == {"completed": 3, "failed": 1}
    assert not any(count.more for counts in found.values() for count in counts.values())
    assert (await facets.of_library(10))["collection"] == {"Wall": Count(1)}


async def test_a_field_is_counted_within_the_search_but_without_its_own_terms(library: None) -> None:
    found = await facets.found(parse("fox kind:image -tag:missing"))
    assert numbers(found, "kind") == {"image": 2, "video": 1}
    assert numbers(found, "model") == {"m/fox": 2}
    assert numbers(found, "tag") == {"cat": 2, "two words": 1}
    assert numbers(found, "by") == {"anna": 1}
    assert numbers(found, "rating") == {"5": 1, ">=4": 2, ">=3": 2, ">=2": 2, ">=1": 2}
    assert numbers(found, "status") == {"completed": 2}
    negated = await facets.found(parse("-kind:image status:completed"))
    assert numbers(negated, "kind") == {"video": 1}, "what is left out stays left out"


async def test_the_trash_has_numbers_of_its_own(library: None) -> None:
    found = await facets.found(parse("in:trash"))
    assert numbers(found, "kind") == {"image": 1}
    assert numbers(found, "by") == {"anna": 1}


async def test_of_a_search_that_finds_more_than_the_limit_the_newest_are_counted(library: None) -> None:
    found = await facets.found(parse("fox"), most=2)
    assert found["kind"] == {"video": Count(1, more=True), "image": Count(1, more=True)}
    assert found["tag"] == {"cat": Count(1, more=True), "two words": Count(0, more=True)}, "that is in the library"
    assert found["by"] == {"anna": Count(0, more=True)}


async def test_whoever_sees_only_their_own_learns_nothing_of_the_others(library: None) -> None:
    ben = (await factories.person("ben")).id
    await made("m/ben", kind="audio", owner=ben)
    await made("m/ben", kind="audio", owner=ben)
    found = await facets.found(parse("").seen_by("ben", ben), most=1)
    assert set(found["kind"]) == {"audio"}
    assert set(found["by"]) == {"ben"}
    assert "tag" not in found or not found["tag"]


async def test_each_value_of_the_library_is_counted_up_to_a_limit(library: None) -> None:
    found = await facets.of_library(1)
    assert (found["kind"]["image"], found["kind"]["video"]) == (Count(1, more=True), Count(1))
    assert (found["tag"]["cat"], found["tag"]["two words"]) == (Count(1, more=True), Count(1))


async def test_the_numbers_of_the_library_are_counted_again_after_a_while(library: None) -> None:
    known = await facets.of_library(10)
    await made(kind="audio")
    assert await facets.of_library(10) is known
    facets.of_library.cache_clear()
    assert numbers(await facets.of_library(10), "kind") == {"image": 2, "video": 1, "audio": 1}


async def test_the_numbers_are_read_from_indexes() -> None:
    await library_of_months()
    assert await scans(Job.select(Job.id).where(Job.notes == "x").run())
    assert await scans(facets.of_library(100)) == []
    for text in ("photograph", "status:failed", "fav:yes", "-zebra"):
        assert await scans(facets.found(parse(text), most=100)) == [], text


async def scans(call: Awaitable[object]) -> list[str]:
    """Return the steps of a call's queries that scan all jobs. Up to 10,000 may be sorted by their values."""
    return [trouble for trouble in await troubles(call) if trouble.startswith(("SCAN", "Seq Scan"))]

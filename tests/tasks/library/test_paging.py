"""The order of the gallery: pages meet without gap or overlap, and neighbors are the same as on the page."""

from itertools import pairwise
from uuid import UUID

import pytest

from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Job
from tasks.jobs import lifecycle
from tasks.library import cards
from tasks.library.paging import NoPlace, Place, Sort
from tasks.library.query import Search, parse

SEARCHES = ["", "fox", "fox -owl", "fav:yes", "fox fav:no", "in:trash", "fox model:sdxl", "zebra", "seed:7"]


@pytest.fixture
async def nine(empty: None) -> list[UUID]:
    """Create nine jobs: every third a favorite, two in the trash. Returns their ids, oldest first."""
    made = [await lifecycle.submit(f"fox {number}", "stability-ai/sdxl", {}) for number in range(9)]
    for number, job in enumerate(made):
        trashed_at = now() if number in (1, 7) else None
        await Job.update(
            {Job.favorite: number % 3 == 0, Job.trashed_at: trashed_at, Job.seed: 7 if number > 5 else None}
        ).where(Job.id == job.id)
    return [job.id for job in made]


async def whole(search: Search, sort: Sort, size: int) -> list[UUID]:
    """Return the ids of everything that a search finds, read page by page."""
    found: list[UUID] = []
    place: Place | None = None
    while True:
        card_list, place = await cards.page(search, sort, place, size)
        found += [card.job.id for card in card_list]
        if place is None:
            return found
        assert len(card_list) == size
        assert Place.of(str(place), sort) == place


@pytest.mark.parametrize("text", SEARCHES)
async def test_pages_meet_without_gap_or_overlap_in_every_order(nine: list[UUID], text: str) -> None:
    search = parse(text)
    found = await whole(search, Sort.NEWEST, 50)
    favorites = {row["id"] for row in await Job.select(Job.id).where(Job.favorite.eq(True))}
    assert found == sorted(found, reverse=True)
    for size in (1, 2, 3):
        assert await whole(search, Sort.NEWEST, size) == found
        assert await whole(search, Sort.OLDEST, size) == found[::-1]
        assert await whole(search, Sort.FAVORITES, size) == sorted(found, key=lambda job: job not in favorites)
    assert await cards.count(search) == len(found)


async def test_the_library_without_a_search_is_all_that_is_not_in_the_trash(nine: list[UUID]) -> None:
    assert await whole(Search(), Sort.OLDEST, 50) == [job_id for n, job_id in enumerate(nine) if n not in (1, 7)]
    assert await whole(parse("in:trash"), Sort.OLDEST, 50) == [nine[1], nine[7]]


@pytest.mark.parametrize("text", ["", "fox", "in:trash", "fox seed:7"])
@pytest.mark.parametrize("sort", list(Sort))
async def test_neighbors_are_those_on_the_page(nine: list[UUID], text: str, sort: Sort) -> None:
    search = parse(text)
    order = [None, *await whole(search, sort, 50), None]
    assert len(order) > 2
    for (before, job_id), (_, after) in pairwise(pairwise(order)):
        assert job_id is not None
        assert await cards.neighbors(job_id, search, sort) == (before, after)


@pytest.mark.parametrize("sort", Sort)
@pytest.mark.parametrize("text", SEARCHES)
async def test_the_position_of_a_job_is_the_one_on_the_page(nine: list[UUID], text: str, sort: Sort) -> None:
    search = parse(text)
    order = await whole(search, sort, 20)
    for job in await Job.objects():
        assert await cards.position(job, search, sort) == (order.index(job.id) + 1 if job.id in order else None)
        beyond = job.id not in order[:2]
        assert (await cards.position(job, search, sort, most=2) is None) == beyond


async def test_one_that_the_search_does_not_find_has_the_neighbors_of_its_place(nine: list[UUID]) -> None:
    assert await cards.neighbors(nine[1], Search(), Sort.NEWEST) == (nine[2], nine[0])
    assert await cards.neighbors(ids.new(), Search(), Sort.NEWEST) == (None, None)


@pytest.mark.parametrize("text", ["", "fox"])
async def test_pages_go_on_behind_a_job_that_is_gone(nine: list[UUID], text: str) -> None:
    _, place = await cards.page(parse(text), Sort.NEWEST, None, 2)
    await Job.delete().where(Job.id == nine[6])
    card_list, _ = await cards.page(parse(text), Sort.NEWEST, place, 1)
    assert [card.job.id for card in card_list] == [nine[5]]


async def test_more_than_are_counted_are_only_known_to_be_more(nine: list[UUID]) -> None:
    assert await cards.count(parse("fox"), most=5) == 6
    assert await cards.count(parse("fav:yes"), most=5) == 3


async def test_among_some_jobs_those_that_a_search_finds_are_told(nine: list[UUID]) -> None:
    for text, found in (
        ("", nine[2:5]),
        ("fox", nine[2:5]),
        ('"fox 3"', [nine[3]]),
        ("fav:yes fox", [nine[3]]),
        ("owl", []),
    ):
        assert await cards.found_among(nine[1:5], parse(text)) == set(found)
    assert await cards.found_among([], parse("fox")) == set()


@pytest.mark.parametrize("cursor", ["x", "newest", "bg", "é" * 23, "n" * 23, "A" * 24, "=", "bgGasMRdHns2lTPlDsJtdjI"])
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(NoPlace):
        Place.of(cursor, Sort.OLDEST)


def test_a_cursor_is_for_its_own_order() -> None:
    place = Place(Sort.NEWEST, ids.new())
    assert Place.of(str(place), Sort.NEWEST) == place
    with pytest.raises(NoPlace):
        Place.of(str(place), Sort.FAVORITES)

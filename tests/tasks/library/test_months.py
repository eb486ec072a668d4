"""The months of a search, which the timeline shows and jumps to."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Job
from tasks.library import cards, months, paging
from tasks.library.months import Found, Month
from tasks.library.paging import Place, Sort
from tasks.library.query import parse

DAYS = [(2024, 12, 31), (2025, 1, 1), (2025, 1, 31), (2025, 9, 14), (2026, 2, 1)]
UTC_ZONE = ZoneInfo("UTC")
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture
async def submitted(empty: None) -> None:
    """Create a job on each of the days, every other one of a wolf, and one in the trash."""
    for number, day in enumerate(DAYS):
        await submit(datetime(*day, 18, tzinfo=UTC), "a wolf" if number % 2 else "a fox")
    await submit(datetime(2025, 5, 5, tzinfo=UTC), "a fox", trashed_at=now())


async def submit(moment: datetime, prompt: str = "a fox", trashed_at: datetime | None = None) -> None:
    await Job(
        id=ids.first_at(moment), prompt=prompt, model="m/m", trashed_at=trashed_at,
        created_at=moment, changed_at=moment, due_at=moment,
    ).save()  # fmt: skip


def numbers(found: Found) -> dict[str, int | None]:
    return {f"{month.first:%Y-%m}": month.jobs for month in found.months}


async def test_the_months_of_the_library_are_listed_newest_first_with_the_number_of_their_jobs(submitted: None) -> None:
    found = await months.found(parse(""), UTC_ZONE)
    assert list(numbers(found).items()) == [("2026-02", 1), ("2025-09", 1), ("2025-01", 2), ("2024-12", 1)]
    assert found.total == len(DAYS)


async def test_a_month_begins_at_midnight_in_the_zone_that_is_asked_for(submitted: None) -> None:
    found = await months.found(parse(""), TOKYO)  # nine hours ahead: there it is the next day already
    assert numbers(found) == {"2026-02": 1, "2025-09": 1, "2025-02": 1, "2025-01": 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wolf", {"2025-09": 1, "2025-01": 1}),
        ("-wolf", {"2026-02": 1, "2025-01": 1, "2024-12": 1}),
        ("on:2025", {"2025-09": 1, "2025-01": 2}),
        ("badger", {}),
    ],
)
async def test_a_search_has_months_of_its_own(submitted: None, text: str, expected: dict[str, int]) -> None:
    found = await months.found(parse(text), UTC_ZONE)
    assert numbers(found) == expected
    assert found.total == sum(expected.values())


async def test_the_trash_is_counted_and_has_no_months(submitted: None) -> None:
    assert await months.found(parse("in:trash"), UTC_ZONE) == Found(1, ())


async def test_of_very_many_jobs_the_months_are_those_of_the_library_as_a_hint(
    submitted: None,
) -> None:
    found = await months.found(parse("model:m"), UTC_ZONE, most=4)
    assert found == Found(5, [Month(month.first, month.weight, None) for month in await months.of_library(UTC_ZONE)])


async def test_the_first_print_of_an_empty_library_has_its_month_at_once(empty: None) -> None:
    assert await months.found(parse(""), UTC_ZONE) == Found(0, ())
    await submit(now())
    assert numbers(await months.found(parse(""), UTC_ZONE)) == {f"{now():%Y-%m}": 1}


async def test_the_months_of_the_library_are_counted_again_after_a_while(submitted: None) -> None:
    known = await months.of_library(UTC_ZONE)
    await submit(now())
    assert await months.of_library(UTC_ZONE) == known
    months.of_library.cache_clear()
    assert await months.of_library(UTC_ZONE) == (Month(now().date().replace(day=1), 1, 1), *known)


@pytest.mark.parametrize("text", ["", "model:m"])
async def test_from_a_months_place_its_jobs_come_next(submitted: None, text: str) -> None:
    span = months.span_of(date(2025, 1, 1), UTC_ZONE)
    for sort, first in ((Sort.NEWEST, (2025, 1, 31)), (Sort.OLDEST, (2025, 1, 1))):
        [card], _ = await cards.page(parse(text), sort, Place.before_span(span, sort), 1)
        assert card.job.created_at == datetime(*first, 18, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "fox", "wolf", "fox -wolf"])
async def test_what_is_found_within_a_span_is_counted_up_to_a_limit(submitted: None, text: str) -> None:
    spans = [
        (datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 10, 1, tzinfo=UTC)),
        months.span_of(date(2030, 1, 1), UTC_ZONE),
    ]
    expected = {"": 3, "fox": 1, "wolf": 2, "fox -wolf": 1}[text]
    assert await paging.numbers_within(parse(text), spans, 10) == [expected, 0]
    assert await paging.numbers_within(parse(text), spans, 1) == [1, 0]

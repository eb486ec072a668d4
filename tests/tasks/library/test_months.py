"""The months that the gallery offers to jump to."""

from datetime import UTC, datetime

import pytest

from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Job
from tasks.library import cards, months
from tasks.library.paging import Place, Sort
from tasks.library.query import parse

DAYS = [(2024, 12, 31), (2025, 1, 1), (2025, 1, 31), (2025, 9, 14), (2026, 2, 1)]


@pytest.fixture
async def submitted(empty: None) -> None:
    """Create a job on each of the days, and one in the trash."""
    for day in sorted([*DAYS, (2025, 5, 5)]):
        moment = datetime(*day, 12, tzinfo=UTC)
        trashed_at = now() if day == (2025, 5, 5) else None
        await Job(
            id=ids.first_at(moment), prompt="a fox", model="m/m", trashed_at=trashed_at,
            created_at=moment, changed_at=moment, due_at=moment,
        ).save()  # fmt: skip


async def test_months_that_have_jobs_are_listed_newest_first(submitted: None) -> None:
    assert await months.with_jobs() == ["2026-02", "2025-09", "2025-01", "2024-12"]


async def test_the_first_print_of_an_empty_library_has_its_month_at_once() -> None:
    assert await months.with_jobs() == []
    await Job(id=ids.first_at(now()), model="m/m", created_at=now(), changed_at=now(), due_at=now()).save()
    assert await months.with_jobs() == [f"{now():%Y-%m}"]


async def test_months_are_found_again_after_a_while(submitted: None) -> None:
    known = await months.with_jobs()
    await Job(id=ids.first_at(now()), model="m/m", created_at=now(), changed_at=now(), due_at=now()).save()
    assert await months.with_jobs() == known
    months.with_jobs.cache_clear()
    assert await months.with_jobs() == [f"{now():%Y-%m}", *known]


@pytest.mark.parametrize("text", ["", "fox"])
async def test_from_a_months_place_its_jobs_come_next(submitted: None, text: str) -> None:
    for sort, first in ((Sort.NEWEST, (2025, 1, 31)), (Sort.OLDEST, (2025, 1, 1))):
        [card], _ = await cards.page(parse(text), sort, Place.before_month("2025-01", sort), 1)
        assert card.job.created_at == datetime(*first, 12, tzinfo=UTC)

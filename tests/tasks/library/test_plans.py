"""The gallery's queries use indexes: no page of a large library scans all jobs, or sorts all that it finds."""

import re
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from tasks.curation import edits
from tasks.db import ids
from tasks.db.database import DB, now
from tasks.db.tables import Job
from tasks.library import cards, days, filters, months
from tasks.library.paging import Place, Sort
from tasks.library.query import parse
from tests.tasks.plans import forget_statistics, plan, troubles

JOBS = 4000
UTC_ZONE = ZoneInfo("UTC")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


async def library_of_months() -> UUID:
    """Insert jobs of five months, with words that all, many and few have. Returns the id of one in the middle."""
    await forget_statistics()
    jobs = [_job(number) for number in range(JOBS)]
    for start in range(0, JOBS, 500):
        await Job.insert(*jobs[start : start + 500])
    if DB.engine_type == "postgres":
        await Job.raw("ANALYZE")
    return jobs[JOBS // 2].id


def _job(number: int) -> Job:
    moment = BEGIN + timedelta(hours=number)
    words = " ".join(f"w{number * step % 701}" for step in (1, 3, 7))
    return Job(
        id=ids.first_at(moment),
        prompt=f"a photograph {words} {'zebra' if number % 500 == 250 else ''}",
        model=f"m/{number % 5}",
        status="failed" if number % 100 == 0 else "completed",
        favorite=number % 50 == 0,
        trashed_at=moment if number % 200 == 7 else None,
        created_at=moment,
        changed_at=moment,
        due_at=moment,
    )


async def test_the_gallerys_queries_scan_and_sort_but_a_little() -> None:
    middle = await library_of_months()
    assert await troubles(Job.select(Job.id).where(Job.notes == "x").run())
    assert await troubles(Job.select(Job.id).order_by(Job.prompt).limit(5).run())
    found = []
    for sort in Sort:
        words = ["photograph", "zebra"] if sort != Sort.FAVORITES else []
        for text in ("", "status:failed", "status:running", "fav:yes", "in:trash", *words):
            for place in (None, Place(sort, middle)):
                found += await troubles(cards.page(parse(text), sort, place, 60))
            found += await troubles(cards.neighbors(middle, parse(text), sort))
    month = Place.before_span(months.span_of(date(2026, 3, 1), UTC_ZONE), Sort.NEWEST)
    for text in ("", "photograph"):
        found += await troubles(cards.page(parse(text), Sort.NEWEST, month, 60))
        found += await troubles(cards.page_before(parse(text), Sort.NEWEST, month, 60))
        found += await troubles(days.counted(parse(text), [date(2026, 3, 1), date(2026, 3, 2)], UTC_ZONE))
    found += await troubles(months.of_library(UTC_ZONE))
    found += await troubles(cards.count(parse("zebra")))  # for a word that most jobs have, every match is counted
    found += await troubles(cards.found_among([middle], parse("photograph")))
    found += await troubles(cards.changes_since(now(), 100))
    assert found == []


async def test_what_very_many_have_of_late_is_not_taken_for_rare_when_it_is_taken_back() -> None:
    await library_of_months()
    everything = filters.condition(parse(""))
    for action in (edits.trash(everything), edits.favorite(everything), edits.tag(everything, "new")):
        done = await action
        assert done.undo is not None
        assert done.jobs > JOBS / 2
        found = await plan(edits.undo(done.undo))
        assert not set(re.findall(r"\w+", found)) & {"job_trashed", "job_favorite"}, found

"""The sums of the ledger, and how many runs are not in it."""

from datetime import UTC, date, datetime
from typing import Any

from tasks.accounts import keys
from tasks.accounts.audit import By
from tasks.db import ids
from tasks.db.money_tables import Ledger
from tasks.spend import totals
from tasks.spend.totals import Line, Total
from tests import factories

NOVEMBER, FIRST, LAST = date(2026, 11, 1), date(2026, 11, 1), date(2026, 11, 30)
NOON, LAST_MOMENT = datetime(2026, 11, 1, 12, tzinfo=UTC), datetime(2026, 11, 30, 23, 59, 59, 999999, UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


async def entered(model: str = "a/cheap", micros: int = 3_000, at: datetime = NOON, **more: Any) -> None:
    given = {"pretend": True, "attempt": ids.new(), "basis": "metrics", **more}
    await Ledger.insert(Ledger(at=at, job=ids.new(), model=model, micros=micros, **given))


async def test_a_month_is_summed_up_by_day_and_model() -> None:
    await entered()
    await entered()
    await entered(micros=4_000, at=LAST_MOMENT)
    await entered("b/dear", 2**40)
    await entered("b/dear", 1, DECEMBER)
    lines = await totals.of_month(NOVEMBER)
    assert lines == [
        Line(FIRST, "a/cheap", None, None, 2, 6_000),
        Line(FIRST, "b/dear", None, None, 1, 2**40),
        Line(LAST, "a/cheap", None, None, 1, 4_000),
    ]
    assert totals.grouped(lines, lambda line: line.model) == [Total("b/dear", 1, 2**40), Total("a/cheap", 3, 10_000)]
    assert totals.summed(lines) == Total("", 4, 2**40 + 10_000)
    assert await totals.of_day(LAST) == lines[-1:]


async def test_what_is_held_and_what_replicate_charged_is_not_in_the_sums_of_the_stand_in() -> None:
    await entered(kind="hold", attempt=None)
    await entered(kind="release", attempt=None, micros=-3_000)
    await entered(pretend=False)
    assert await totals.of_month(NOVEMBER) == []
    await entered()
    await entered(kind="adjust", attempt=None, micros=-1_000)
    assert await totals.of_month(NOVEMBER) == [Line(FIRST, "a/cheap", None, None, 1, 2_000)]


async def test_the_sums_are_by_person_and_key_and_of_one_person_where_that_is_requested() -> None:
    anna, ben = await factories.person("anna"), await factories.person("ben")
    key = (await keys.add(anna, "ci", ["submit"], By())).key
    await entered(owner=anna.id, api_key=key.id)
    await entered(owner=anna.id)
    await entered(owner=ben.id, at=LAST_MOMENT)
    await entered()
    by_hand, by_key = (
        Line(FIRST, "a/cheap", "anna", None, 1, 3_000),
        Line(FIRST, "a/cheap", "anna", "anna/ci", 1, 3_000),
    )
    lines = await totals.of_month(NOVEMBER)
    assert {line.person for line in lines} == {"anna", "ben", None}
    assert totals.grouped(lines, lambda line: line.key) == [Total("anna/ci", 1, 3_000)]
    assert set(await totals.of_month(NOVEMBER, anna.id)) == {by_hand, by_key}


async def test_the_months_beside_one_are_those_with_entries() -> None:
    anna = await factories.person("anna")
    await entered(at=datetime(2025, 2, 3, tzinfo=UTC))
    await entered(at=datetime(2026, 8, 31, 23, 59, tzinfo=UTC), owner=anna.id)
    await entered(at=datetime(2027, 1, 1, tzinfo=UTC))
    assert await totals.beside(NOVEMBER) == (date(2026, 8, 1), date(2027, 1, 1))
    assert await totals.beside(date(2026, 8, 1)) == (date(2025, 2, 1), date(2027, 1, 1))
    assert await totals.beside(NOVEMBER, anna.id) == (date(2026, 8, 1), None)


async def test_runs_without_a_known_price_are_counted() -> None:
    month = totals.today().replace(day=1)
    await factories.paid(image_output_count=1)
    assert await totals.unpriced(month) == 0
    await factories.paid("stability-ai/sdxl", predict_time=1.5)
    assert await totals.unpriced(month) == 1
    assert await totals.unpriced(NOVEMBER.replace(year=1999)) == 0

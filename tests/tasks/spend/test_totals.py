"""The sums of the ledger, and how many runs are not in it."""

from datetime import UTC, datetime

from tasks.db import ids
from tasks.db.tables import Ledger
from tasks.spend import totals
from tasks.spend.totals import Total
from tests import factories

NOVEMBER, DECEMBER = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
LONG_AGO, FAR_AWAY = datetime(1970, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)


async def entered(model: str, micros: int, at: datetime) -> None:
    await Ledger.insert(Ledger(at=at, job=ids.new(), attempt=ids.new(), model=model, micros=micros, basis="metrics"))


async def test_a_month_is_summed_up_by_model() -> None:
    await entered("a/cheap", 3_000, NOVEMBER)
    await entered("a/cheap", 4_000, datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC))
    await entered("b/dear", 2**40, NOVEMBER)
    await entered("b/dear", 1, DECEMBER)
    assert await totals.by_model(NOVEMBER, DECEMBER) == [Total("b/dear", 1, 2**40), Total("a/cheap", 2, 7_000)]


async def test_runs_without_a_known_price_are_counted() -> None:
    await factories.paid(image_output_count=1)
    assert await totals.unpriced(LONG_AGO, FAR_AWAY) == 0
    await factories.paid("stability-ai/sdxl", predict_time=1.5)
    assert await totals.unpriced(LONG_AGO, FAR_AWAY) == 1
    assert await totals.unpriced(LONG_AGO, LONG_AGO) == 0

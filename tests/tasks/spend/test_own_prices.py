"""An admin's own price counts before the others, until it is taken back."""

import json
from uuid import UUID

import pytest

from tasks.accounts.audit import By, latest
from tasks.db.database import now
from tasks.db.money_tables import ModelPrice
from tasks.errors import Rejected
from tasks.models import prices
from tasks.models.costs import Basis, of_run
from tasks.spend import own_prices
from tests.factories import FLUX

BY = By("anna")
IMAGE, THOUSAND, VIDEO, COMPUTE, RUN = own_prices.UNITS


async def text_of(model: str = FLUX) -> str | None:
    price = await prices.current(model)
    return own_prices.words(price) if price else None


async def own(model: str = FLUX) -> UUID:
    row = prices.standing(await prices.history(model))
    assert row is not None
    return row.id


async def read_from_its_page(price: str) -> None:
    listed = {"tiers": [{"prices": [{"metric": "run", "price": price, "title": "per run"}]}]}
    row = ModelPrice(model=FLUX, listed=json.dumps(listed), source=prices.page_of(FLUX), since=now(), checked_at=now())
    await ModelPrice.insert(row)
    prices.latest.cache_invalidate(FLUX)


async def test_an_own_price_counts_before_that_of_the_page_and_that_before_the_table() -> None:
    assert await text_of() == "$3.00 per thousand output images"
    await read_from_its_page("$0.01")
    assert await text_of() == "$0.01 per run"
    await own_prices.put(FLUX, "0.04", IMAGE, BY)
    assert await text_of() == "$0.04 per output image"
    await read_from_its_page("$0.02")
    assert await text_of() == "$0.04 per output image"
    assert await own_prices.take_back(await own(), BY)
    assert await text_of() == "$0.02 per run"


async def test_each_own_price_is_taken_back_in_turn_and_none_is_deleted() -> None:
    for amount in ("0.04", "4"):
        await own_prices.put(FLUX, amount, IMAGE, BY)
    typo = await own()
    assert await own_prices.take_back(typo, BY)
    assert await text_of() == "$0.04 per output image"
    assert not await own_prices.take_back(typo, BY), "a second click takes back nothing else"
    assert await own_prices.take_back(await own(), BY)
    assert await text_of() == "$3.00 per thousand output images"
    assert await ModelPrice.count() == 4


async def test_who_set_a_price_and_what_it_was_before_is_in_the_audit() -> None:
    await own_prices.put(FLUX, "$0.04", IMAGE, BY)
    [entry] = await latest(1)
    assert (entry.actor, entry.action, entry.subject) == ("anna", "price set", FLUX)
    assert json.loads(entry.before)["price"] == "$3.00 per thousand output images"
    assert json.loads(entry.after) == {"price": "$0.04 per output image", "source": "/prices"}


@pytest.mark.parametrize(
    ("unit", "used", "micros", "basis"),
    [
        (IMAGE, {"image_output_count": 2}, 3_000_000, Basis.METRICS),
        (THOUSAND, {"image_output_count": 2}, 3_000, Basis.METRICS),
        (VIDEO, {"video_output_duration_seconds": 2.5}, 3_750_000, Basis.METRICS),
        (COMPUTE, {"predict_time": 0.1}, 150_000, Basis.TIME),
        (RUN, {}, 1_500_000, Basis.METRICS),
    ],
)
async def test_what_a_run_costs_by_each_unit(unit: str, used: dict[str, float], micros: int, basis: Basis) -> None:
    await own_prices.put("nobody/knows", "1.50", unit, BY)
    price = await prices.current("nobody/knows")
    assert price is not None
    cost = of_run(price, used, {"run": 1}, succeeded=True)
    assert cost is not None
    assert (cost.micros, cost.basis) == (micros, basis)


@pytest.mark.parametrize(
    ("model", "amount", "unit", "pointer"),
    [
        ("flux", "0.04", IMAGE, "/model"), (FLUX, "0.00", IMAGE, "/amount"), (FLUX, "-1", IMAGE, "/amount"),
        (FLUX, "1e3", IMAGE, "/amount"), (FLUX, "1234567", IMAGE, "/amount"), (FLUX, "1", "per picture", "/unit"),
    ],
)  # fmt: skip
async def test_what_is_no_price_is_refused(model: str, amount: str, unit: str, pointer: str) -> None:
    with pytest.raises(Rejected) as refused:
        await own_prices.put(model, amount, unit, BY)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]
    assert not await ModelPrice.exists()

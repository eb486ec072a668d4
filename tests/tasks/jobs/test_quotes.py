"""What requests are expected to cost: by their input, by what such runs have cost, or not at all."""

from typing import Any

from tasks.db import ids
from tasks.db.database import now
from tasks.db.money_tables import Ledger, ModelPrice
from tasks.jobs import quotes
from tasks.jobs.quotes import UNKNOWN, Quote, QuoteBasis
from tasks.models import prices, registry
from tests.factories import FLUX, SDXL


async def quoted(*runs: tuple[str, dict[str, Any]]) -> Quote:
    models = [registry.built_in(name) for name, _ in runs]
    return await quotes.of_runs([(model, given) for model, (_, given) in zip(models, runs, strict=True) if model])


async def timed(median: str = "") -> None:
    """Let a model be charged by time."""
    listed = f'{{"price": "$0.001 per second", "p50price": "{median}"}}'
    row = ModelPrice(model=SDXL, listed=listed, source=prices.page_of(SDXL), since=now(), checked_at=now())
    await ModelPrice.insert(row)
    prices.latest.cache_clear()


async def ran(*costs: int) -> None:
    for micros in costs:
        await Ledger.insert(
            Ledger(at=now(), job=ids.new(), attempt=ids.new(), model=SDXL, micros=micros, basis="time", pretend=True)
        )


async def test_what_the_input_says_is_exact() -> None:
    quote = await quoted((FLUX, {"num_outputs": 4}))
    assert (quote.basis, quote.low, quote.high) == (QuoteBasis.METRICS, 12_000, 12_000)
    assert quote.tier is not None
    assert quote.tier.text == "$3.00 per thousand output images"


async def test_the_runs_of_a_batch_are_added_up() -> None:
    quote = await quoted((FLUX, {"num_outputs": 4}), (FLUX, {}))
    assert (quote.low, quote.high) == (15_000, 15_000)
    assert quote.price == prices.shipped(FLUX)
    several = await quoted((FLUX, {}), ("minimax/hailuo-02", {"duration": 6, "resolution": "512p"}))
    assert (several.low, several.price) == (103_000, None)


async def test_what_is_charged_by_time_costs_what_such_runs_cost() -> None:
    await timed("$0.0029")
    quote = await quoted((SDXL, {}))
    assert (quote.basis, quote.low, quote.high) == (QuoteBasis.MEDIAN, 2_900, 2_900)
    await ran(*range(1_000, 101_000, 1_000))  # of a hundred runs the last fifty count: 51,000 to 100,000
    quotes.last_runs.cache_clear()
    quote = await quoted((SDXL, {}), (SDXL, {}))
    assert (quote.basis, quote.low, quote.high) == (QuoteBasis.MEDIAN, 2 * 76_000, 2 * 98_000)


async def test_what_runs_at_replicate_cost_says_nothing_of_the_stand_ins() -> None:
    await timed()
    await ran(5_000)
    await Ledger.update({Ledger.pretend: False}, force=True)
    assert await quoted((SDXL, {})) == UNKNOWN


async def test_what_is_not_known_is_not_zero() -> None:
    assert await quoted((SDXL, {})) == UNKNOWN
    await timed()
    assert await quoted((SDXL, {})) == UNKNOWN
    assert await quoted((FLUX, {}), (SDXL, {})) == UNKNOWN
    assert await quotes.of_runs([]) == UNKNOWN

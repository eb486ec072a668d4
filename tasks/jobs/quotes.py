"""What requests are expected to cost, before they become jobs: by the same prices as runs that have ended."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from async_lru import alru_cache

from tasks.db.money_tables import Ledger
from tasks.models import costs, prices, registry
from tasks.models.names import bare
from tasks.models.prices import PRICE_TTL_SECONDS
from tasks.models.registry import Model
from tasks.models.tariffs import Price, Tier
from tasks.models.usage import expected
from tasks.settings import settings

RUNS_LOOKED_AT = 50  # of a model, for what a run usually costs
LAST_RUNS = "SELECT micros FROM ledger WHERE model = {} AND pretend = {} AND kind = 'settle' ORDER BY id DESC LIMIT {}"

Run = tuple[Model, Mapping[str, Any]]
"""A run to come: its model and its parameters."""


class QuoteBasis(StrEnum):
    """What a quote rests on."""

    METRICS = "metrics"
    """The input says everything that the price counts."""
    MEDIAN = "median"
    """The price is for something that only the run will tell: what such runs have cost."""
    UNKNOWN = "unknown"
    """No price is known."""


@dataclass(frozen=True, slots=True)
class Quote:
    """What runs are expected to cost together: from `low` to `high` micro-dollars, None when that is not known.

    price: if it is the same for all of them, with the tier that applies.
    """

    basis: QuoteBasis
    low: int | None = None
    high: int | None = None
    price: Price | None = None
    tier: Tier | None = None


UNKNOWN = Quote(QuoteBasis.UNKNOWN)


async def of_runs(runs: Sequence[Run]) -> Quote:
    """Return what runs are expected to cost together."""
    quotes = [await of_run(model.name, model.input_schema["properties"], parameters) for model, parameters in runs]
    low = [quote.low for quote in quotes if quote.low is not None]
    high = [quote.high for quote in quotes if quote.high is not None]
    if len(low) < len(quotes) or not quotes:
        return UNKNOWN
    basis = QuoteBasis.MEDIAN if any(quote.basis == QuoteBasis.MEDIAN for quote in quotes) else QuoteBasis.METRICS
    same = len({(quote.price, quote.tier) for quote in quotes}) == 1
    price, tier = (quotes[0].price, quotes[0].tier) if same else (None, None)
    return Quote(basis, sum(low), sum(high), price, tier)


async def of_run(model: str, properties: Mapping[str, Any], parameters: Mapping[str, Any]) -> Quote:
    """Return what a run is expected to cost. properties: of the model's input schema."""
    price = await prices.current(model)
    if price is None:
        return UNKNOWN
    usual = expected(parameters, properties)
    tier = price.tier(usual)
    micros = costs.micros_of(tier, usual)
    if micros is not None:
        return Quote(QuoteBasis.METRICS, micros, micros, price, tier)
    if found := await last_runs(bare(model)):
        return Quote(QuoteBasis.MEDIAN, found[len(found) // 2], found[len(found) * 95 // 100], price, tier)
    if price.median is not None:
        median = costs.rounded(price.median)
        return Quote(QuoteBasis.MEDIAN, median, median, price, tier)
    return UNKNOWN


async def of_job(model: str, parameters: str) -> Quote:
    """Return what a job is expected to cost. parameters: as its row has them, in JSON."""
    known = await registry.stored(model)
    properties = known.input_schema["properties"] if known else {}
    return await of_run(model, properties, json.loads(parameters))


@alru_cache(maxsize=256, ttl=PRICE_TTL_SECONDS)
async def last_runs(model: str) -> list[int]:
    """Return what the last runs of a model have cost, sorted. It may be a few seconds old."""
    rows = await Ledger.raw(LAST_RUNS, model, settings.standin, RUNS_LOOKED_AT)
    return sorted(row["micros"] for row in rows)

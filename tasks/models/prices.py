"""Where prices come from: an admin, Replicate's pages, and our own table, all of them in the form of those pages."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from async_lru import alru_cache

from tasks.db.money_tables import ModelPrice
from tasks.models.names import bare
from tasks.models.tariffs import COMPUTE_SECONDS, MICROS_PER_DOLLAR, Charge, Criterion, Price, Tier, quantity
from tasks.settings import PRICE_PAGES, settings

TABLE = Path(__file__).with_name("prices.json")
PRICE_TTL_SECONDS = 5.0  # seconds that this process caches a price
OWN = "/prices"
"""The source of prices that an admin has set, see tasks/spend/own_prices.py."""
TAKEN_BACK = "{}"
"""What is listed in the row that takes back the own price before it."""

PRICE = re.compile(r"\$(\d{1,6}(?:\.\d{1,12})?)")
UNITS = re.compile(r"per (?:(hundred|thousand|million|[1-9][\d,]{0,14}) )?\D", re.IGNORECASE)
NUMBERS = {"hundred": 100, "thousand": 1000, "million": 1_000_000}
METRICS = {
    "model variant": "model_variant",
    "target resolution": "resolution_target",
    "with audio": "with_audio",
    "output image pixel": "image_output_pixel_count",
}
"""The metrics that the titles of criteria mean, where they are not the title itself with underscores."""


class UnreadablePrice(Exception):
    """The error of a price that is not in the form that we know. The text says what is wrong."""


class _Charge(msgspec.Struct):
    """A charge as Replicate's pages write it: `price` is for what `title` says ("per thousand output images")."""

    metric: str
    price: str
    title: str


class _Criterion(msgspec.Struct):
    """A criterion as Replicate's pages write it. value: of type `equals`, else a pair, each of which may be null."""

    type: str
    title: str
    value: Any = None


class _Tier(msgspec.Struct):
    prices: list[_Charge]
    criteria: list[_Criterion] | None = None


class Listed(msgspec.Struct):
    """A price as our table and Replicate's pages write it: tiers, or a price per second of compute.

    p50price: of a median run.
    """

    tiers: list[_Tier] = []
    price: str = ""
    p50price: str = ""


class _Shipped(Listed):
    """A price of our table. checked: when it was last read at its source."""

    checked: date = date.min


async def current(model: str) -> Price | None:
    """Return the price of a model, or None when none is known: the latest one, else the one in our table."""
    name = bare(model)
    return await latest(name) or shipped(name)


@alru_cache(maxsize=256, ttl=PRICE_TTL_SECONDS)
async def latest(name: str) -> Price | None:
    """Return the price of a model that was set here, else the one last read from its page, or None.

    It may be a few seconds old.
    """
    row = standing(await history(name))
    return None if row is None else price_of(row)


async def history(name: str) -> Sequence[ModelPrice]:
    """Return all prices that were set for a model, taken back, or read from its page, oldest first.

    The stand-in's prices count for it alone.
    """
    ours = (ModelPrice.model == name) & ModelPrice.source.is_in([OWN, page_of(name)])
    return await ModelPrice.objects().where(ours).order_by(ModelPrice.id)


def standing(rows: Iterable[ModelPrice]) -> ModelPrice | None:
    """Return which price of a model's history counts: the last own one that is not taken back, else the last read."""
    read, own = None, list[ModelPrice]()
    for row in rows:
        if row.source != OWN:
            read = row
        elif row.listed != TAKEN_BACK:
            own.append(row)
        else:
            own = own[:-1]
    return own[-1] if own else read


def price_of(row: ModelPrice) -> Price | None:
    """Return a price of a model's history, or None when it was saved by another version of Darkroom, or taken back."""
    try:
        return parsed(msgspec.json.decode(row.listed, type=Listed), row.source, row.checked_at.date())
    except (UnreadablePrice, msgspec.DecodeError):
        return None


def page_of(name: str) -> str:
    """Return the address of the page of a model, where its price is: the stand-in's, if that makes the pictures."""
    return f"{settings.price_pages or PRICE_PAGES}/{name}"


async def last_read(name: str) -> ModelPrice | None:
    """Return what was last read from the page of a model, or None."""
    of_page = (ModelPrice.model == name) & (ModelPrice.source == page_of(name))
    return await ModelPrice.objects().where(of_page).order_by(ModelPrice.id, ascending=False).first()


async def priced() -> set[str]:
    """Return the names of all models of which a price is or was known."""
    rows = await ModelPrice.select(ModelPrice.model).distinct()
    return {*_table(), *(row["model"] for row in rows)}


def shipped(model: str) -> Price | None:
    """Return the price in our own table, which comes with Darkroom. model: owner/name, with or without a version."""
    return _table().get(bare(model))


def parsed(listed: Listed, source: str, checked: date) -> Price:
    """Return a price as its source writes it. Raises UnreadablePrice."""
    tiers = tuple(_tier(tier) for tier in listed.tiers)
    if listed.price:
        amount, _, title = listed.price.partition(" ")
        tiers = (Tier((_charge(COMPUTE_SECONDS, amount, title),)),)
    if not tiers:
        raise UnreadablePrice("there is neither a tier nor a price per second")
    return Price(tiers, source, checked, _micros(listed.p50price) if listed.p50price else None)


@cache
def _table() -> dict[str, Price]:
    listed = msgspec.json.decode(TABLE.read_bytes(), type=dict[str, _Shipped])
    return {model: parsed(entry, f"{PRICE_PAGES}/{model}", entry.checked) for model, entry in listed.items()}


def _tier(tier: _Tier) -> Tier:
    charges = tuple(_charge(charge.metric, charge.price, charge.title) for charge in tier.prices)
    return Tier(charges, tuple(_criterion(criterion) for criterion in tier.criteria or ()))


def _charge(metric: str, amount: str, title: str) -> Charge:
    return Charge(metric, _micros(amount), _units(title), f"{amount} {title}")


def _criterion(criterion: _Criterion) -> Criterion:
    title = criterion.title.lower()
    metric = METRICS.get(title, title.replace(" ", "_"))
    if criterion.type == "equals" and isinstance(criterion.value, str | bool):
        return Criterion(metric, criterion.value)
    if criterion.type == "range" and isinstance(criterion.value, list) and len(criterion.value) == 2:
        with suppress(KeyError):
            low, high = (None if end is None else quantity(end) for end in criterion.value)
            return Criterion(metric, None, low, high)
    raise UnreadablePrice(f"a criterion is not in a known form: {criterion.type}")


def _micros(text: str) -> Fraction:
    found = PRICE.search(text)
    if found is None:
        raise UnreadablePrice(f"not a price in dollars: {text!r:.100}")
    return Fraction(found[1]) * MICROS_PER_DOLLAR


def _units(title: str) -> int:
    """Return for how many units a price is. Without its title, a price would be a thousand times wrong."""
    found = UNITS.search(title)
    if found is None:
        raise UnreadablePrice(f"does not say what it is for: {title!r:.100}")
    return NUMBERS.get((found[1] or "").lower()) or int((found[1] or "1").replace(",", ""))

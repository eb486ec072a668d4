"""Where prices come from: our own table, and what was read from Replicate's pages, both in the form of those pages."""

import re
from contextlib import suppress
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from async_lru import alru_cache

from tasks.db.tables import ModelPrice
from tasks.models.tariffs import COMPUTE_SECONDS, MICROS_PER_DOLLAR, Charge, Criterion, Price, Tier, quantity
from tasks.settings import PRICE_PAGES, settings

TABLE = Path(__file__).with_name("prices.json")
PRICE_TTL_SECONDS = 60.0  # seconds that this process caches a price

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
    """Return the price of a model, or None when none is known: from its page at Replicate, else from our own table."""
    name = model.partition(":")[0]
    return await latest(name) or shipped(name)


def page_of(name: str) -> str:
    """Return the address of the page of a model, where its price is: the stand-in's, if that makes the pictures."""
    return f"{settings.price_pages or PRICE_PAGES}/{name}"


async def last_read(name: str) -> ModelPrice | None:
    """Return what was last read from the page of a model, or None. The stand-in's prices count for it alone."""
    of_page = (ModelPrice.model == name) & (ModelPrice.source == page_of(name))
    return await ModelPrice.objects().where(of_page).order_by(ModelPrice.id, ascending=False).first()


@alru_cache(maxsize=256, ttl=PRICE_TTL_SECONDS)
async def latest(name: str) -> Price | None:
    """Return the price that was last read from the page of a model, or None. It may be a minute old."""
    row = await last_read(name)
    if row is None:
        return None
    try:
        return parsed(msgspec.json.decode(row.listed, type=Listed), row.source, row.checked_at.date())
    except (UnreadablePrice, msgspec.DecodeError):  # saved by another version of Darkroom
        return None


def shipped(model: str) -> Price | None:
    """Return the price in our own table, which comes with Darkroom. model: owner/name, with or without a version."""
    return _table().get(model.partition(":")[0])


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

"""Prices that an admin sets: they count before those that Replicate publishes, until they are taken back."""

import re
from collections.abc import Mapping
from fractions import Fraction
from uuid import UUID

import msgspec

from tasks.accounts import audit
from tasks.accounts.audit import By
from tasks.db.database import now
from tasks.db.money_tables import ModelPrice
from tasks.errors import Fault, Rejected
from tasks.models import prices
from tasks.models.names import OWNER_AND_NAME
from tasks.models.tariffs import COMPUTE_SECONDS, RUN, Price

AMOUNT = re.compile(r"\$?([0-9]{1,6}(?:\.[0-9]{1,12})?)")
UNITS: Mapping[str, str] = {
    "per output image": "image_output_count",
    "per thousand output images": "image_output_count",
    "per second of output video": "video_output_duration_seconds",
    "per second of compute": COMPUTE_SECONDS,
    "per run": RUN,
}
"""What an own price may be for, with the metric that counts it."""


async def put(model: str, amount: str, unit: str, by: By) -> None:
    """Set the price of a model. amount: in dollars. unit: one of UNITS. Raises Rejected("invalid_price")."""
    name, found = model.strip(), AMOUNT.fullmatch(amount.strip())
    faults = []
    if not OWNER_AND_NAME.fullmatch(name):
        faults.append(Fault("/model", "A model is named as owner/name."))
    if found is None or not Fraction(found[1]):
        faults.append(Fault("/amount", "A price is an amount in dollars above 0, such as 0.04."))
    if unit not in UNITS:
        faults.append(Fault("/unit", f"A price is {', '.join(UNITS)}."))
    if faults or found is None:
        raise Rejected("invalid_price", faults)
    charge = {"metric": UNITS[unit], "price": f"${found[1]}", "title": unit}
    listed = msgspec.json.encode({"tiers": [{"prices": [charge]}]}).decode()
    await _add(name, listed, "price set", by)


async def take_back(price_id: UUID, by: By) -> bool:
    """Take back an own price: the one before it counts again. Returns False when it does not count any more."""
    row = await ModelPrice.objects().get((ModelPrice.id == price_id) & (ModelPrice.source == prices.OWN))
    standing = prices.standing(await prices.history(row.model)) if row else None
    if row is None or standing is None or standing.id != row.id:
        return False
    await _add(row.model, prices.TAKEN_BACK, "price taken back", by)
    return True


async def _add(name: str, listed: str, action: str, by: By) -> None:
    """Add to the history of a model's price. Other processes notice it within prices.PRICE_TTL_SECONDS."""
    before, moment = await _now(name), now()
    row = ModelPrice(model=name, listed=listed, source=prices.OWN, since=moment, checked_at=moment)
    await ModelPrice.insert(row)
    await audit.note(by, action, name, before, await _now(name))


async def _now(name: str) -> Mapping[str, str] | None:
    """Return the price of a model as the audit notes it, and not from the cache."""
    prices.latest.cache_invalidate(name)
    price = await prices.current(name)
    return None if price is None else {"price": words(price), "source": price.source}


def words(price: Price) -> str:
    """Return a price in a line."""
    return "; ".join(tier.text for tier in price.tiers)

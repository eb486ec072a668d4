"""Reads the prices of models from their public pages at Replicate, because it has no API for them.

The page of a model that is used is read once a day, and never in the way of a job: what cannot be read is logged, and
the last good price counts.
"""

import asyncio
import logging
import re
from contextvars import Context
from datetime import timedelta
from typing import Any

import httpx
import msgspec

from tasks.db.database import now
from tasks.db.money_tables import ModelPrice
from tasks.errors import DatabaseAway
from tasks.models import prices
from tasks.models.names import bare
from tasks.models.prices import Listed, UnreadablePrice
from tasks.replicate.client import USER_AGENT
from tasks.settings import settings

log = logging.getLogger(__name__)

FRESH = timedelta(days=1)
RETRY = timedelta(hours=1)  # until a page that could not be read is read again
TIMEOUT = 10.0  # seconds
MAX_PAGE_BYTES = 4 * 2**20
SCRIPT = re.compile(r'<script id="react-component-props-[^"]*" type="application/json">(.*?)</script>', re.DOTALL)


class PricePages:
    """The price pages, as one process reads them. transport: for tests."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(timeout=TIMEOUT, headers={"User-Agent": USER_AGENT}, transport=transport)
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, float] = {}  # when each model is looked at again, by this process's clock

    def refresh_soon(self, model: str) -> None:
        """Read the page of a model in the background, unless that was done within a day. Returns immediately."""
        name, loop = bare(model), asyncio.get_running_loop()
        if settings.price_pages is None or name in self._reading or loop.time() < self._not_before.get(name, 0.0):
            return
        # In its own context: it is no part of the job that uses the model.
        self._reading[name] = task = loop.create_task(self._refresh(name), context=Context())
        task.add_done_callback(lambda _: self._reading.pop(name, None))

    async def aclose(self) -> None:
        """Stop reading."""
        for task in list(self._reading.values()):
            task.cancel()
        await asyncio.gather(*self._reading.values(), return_exceptions=True)
        await self._client.aclose()

    async def _refresh(self, model: str) -> None:
        wait = RETRY
        try:
            last = await prices.last_read(model)
            if last is None or now() - last.checked_at > FRESH:
                await self._read(model, last)
            wait = FRESH
        except (httpx.HTTPError, httpx.InvalidURL, UnreadablePrice) as error:
            log.info("could not read the price of %s: %s", model, error)
        except DatabaseAway as away:
            log.info("could not save the price of %s: %s", model, away)
        except Exception:
            log.exception("could not read the price of %s", model)
        self._not_before[model] = asyncio.get_running_loop().time() + wait.total_seconds()

    async def _read(self, model: str, last: ModelPrice | None) -> None:
        source = prices.page_of(model)
        listed = listed_on(await self._page(source))
        moment = now()
        prices.parsed(listed, source, moment.date())  # a price that cannot be used replaces none
        text = msgspec.json.encode(listed, order="deterministic").decode()
        if last is not None and last.listed == text:
            await ModelPrice.update({ModelPrice.checked_at: moment}).where(ModelPrice.id == last.id)
        else:
            row = ModelPrice(model=model, listed=text, source=source, since=moment, checked_at=moment)
            await ModelPrice.insert(row)
            log.info("read a new price of %s", model)
        prices.latest.cache_invalidate(model)

    async def _page(self, source: str) -> str:
        async with self._client.stream("GET", source) as response:
            response.raise_for_status()
            content = bytearray()
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > MAX_PAGE_BYTES:
                    raise UnreadablePrice("the page is too large")
        return content.decode(errors="replace")


def listed_on(page: str) -> Listed:
    """Return the price that a page tells. Raises UnreadablePrice."""
    for embedded in SCRIPT.findall(page):
        try:
            found = _billing(msgspec.json.decode(embedded))
        except (msgspec.DecodeError, RecursionError):
            continue
        if found is not None:
            return _listed(found)
    raise UnreadablePrice("the page tells no price")


def _billing(properties: object) -> dict[str, Any] | None:
    """Return the object with the price, which may be within others."""
    if not isinstance(properties, dict):
        return None
    if "billingConfig" in properties or "price" in properties:
        return properties
    return next(filter(None, map(_billing, properties.values())), None)


def _listed(found: dict[str, Any]) -> Listed:
    billing = found.get("billingConfig")
    tiers = billing.get("current_tiers") if isinstance(billing, dict) else None
    price, median = ("", "") if tiers else (found.get("price") or "", found.get("p50price") or "")
    try:
        return msgspec.convert({"tiers": tiers or [], "price": price, "p50price": median}, Listed)
    except msgspec.ValidationError as error:
        raise UnreadablePrice(str(error)) from error

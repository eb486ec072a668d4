"""The prices of models are read from their pages once a day, and what cannot be read changes nothing."""

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from tasks.db.database import now
from tasks.db.money_tables import ModelPrice
from tasks.models import prices
from tasks.models.price_pages import MAX_PAGE_BYTES, PricePages, listed_on
from tasks.models.prices import UnreadablePrice
from tests.waiting import eventually

VEO = "google/veo-3.1"
TIERS = [
    {
        "title": None,
        "criteria": [{"type": "equals", "title": "target resolution", "subtype": "string", "value": resolution}],
        "prices": [
            {
                "type": "per-unit", "metric": "video_output_duration_seconds", "metric_display": "seconds",
                "price": price, "title": "per second of output video", "description": "or more",
            }
        ],
    }
    for resolution, price in (("720p", "$0.09"), ("1080p", "$0.20"))
]  # fmt: skip


def page(properties: Any, others: str = "") -> str:
    embedded = msgspec.json.encode(properties).decode()
    script = '<script id="react-component-props-%s" type="application/json">%s</script>'
    return f"<html><body>{others}{script % ('1', '{}')}{script % ('2-a', embedded)}</body></html>"


class Pages(httpx.MockTransport):
    """The pages of a test. seen: the addresses that were asked for."""

    def __init__(self, content: str | bytes = "", status: int = 200) -> None:
        self.content, self.status = content, status
        self.seen: list[str] = []
        super().__init__(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(str(request.url))
        assert "authorization" not in request.headers
        return httpx.Response(self.status, content=self.content)


async def read(pages: Pages, model: str = VEO) -> None:
    """Let a new process read the page of a model, if it wants to."""
    async with aclosing(PricePages(pages)) as reader:
        reader.refresh_soon(model)

        async def done() -> bool:
            return not reader._reading

        await eventually(done)


def test_tiers_are_read_with_their_units_and_criteria() -> None:
    price = prices.parsed(listed_on(page({"billingConfig": {"current_tiers": TIERS}, "price": None})), "", now().date())
    tier = price.tier({"resolution_target": "1080p"})
    assert tier is not None
    assert tier.amount({"video_output_duration_seconds": 2}) == 400_000


def test_a_price_per_second_is_read_where_there_are_no_tiers() -> None:
    properties = {"hardware": "T4", "price": "$0.000225 per second", "p50price": "$0.0029", "billingConfig": None}
    for embedded in (properties, {"model": {"more": properties}}):
        price = prices.parsed(listed_on(page(embedded)), "", now().date())
        assert price.tiers[0].amount({"predict_time": 2}) == 450


@pytest.mark.parametrize(
    "content",
    [
        "", "<html>", page({}), page([1]), page({"billingConfig": 7}), page({"price": 7}), page({"price": None}),
        page({"billingConfig": {"current_tiers": [{"prices": [{"metric": "m", "price": "$8"}]}]}}),
        '<script id="react-component-props-1" type="application/json">{</script>',
        '<script id="react-component-props-1" type="application/json">' + "[" * 100_000 + "</script>",
    ],
)  # fmt: skip
def test_a_page_without_a_price_is_refused(content: str) -> None:
    with pytest.raises(UnreadablePrice):
        prices.parsed(listed_on(content), "", now().date())


async def test_the_page_of_a_model_is_asked_for_once_a_day() -> None:
    pages = Pages(page({"billingConfig": {"current_tiers": TIERS}}))
    for _ in range(2):
        await read(pages, f"{VEO}:{'0' * 64}")
    assert len(pages.seen) == 1
    assert pages.seen[0].endswith(f"/{VEO}")
    price = await prices.current(VEO)
    assert price is not None
    assert (price.source, price.checked, len(price.tiers)) == (pages.seen[0], now().date(), 2)
    await ModelPrice.update({ModelPrice.checked_at: now() - timedelta(days=2)}, force=True)
    await read(pages)
    assert len(pages.seen) == 2
    assert await ModelPrice.count() == 1


async def test_many_who_ask_at_once_cause_one_request() -> None:
    pages = Pages(page({"billingConfig": {"current_tiers": TIERS}}))
    async with aclosing(PricePages(pages)) as reader:
        for _ in range(100):
            reader.refresh_soon(VEO)
            await asyncio.sleep(0)

        async def done() -> bool:
            return not reader._reading

        await eventually(done)
        reader.refresh_soon(VEO)
        assert not reader._reading
    assert len(pages.seen) == 1


async def test_a_price_that_changes_is_kept_beside_the_earlier_one() -> None:
    await read(Pages(page({"price": "$0.001 per second"})))
    await ModelPrice.update({ModelPrice.checked_at: now() - timedelta(days=2)}, force=True)
    await read(Pages(page({"price": "$0.002 per second"})))
    price = await prices.current(VEO)
    assert price is not None
    assert price.tiers[0].text == "$0.002 per second"
    assert await ModelPrice.count() == 2


@pytest.mark.parametrize(
    ("content", "status"),
    [("", 200), ("", 404), ("", 500), (page({"price": "free"}), 200), (b"x" * (MAX_PAGE_BYTES + 1), 200)],
)
async def test_what_cannot_be_read_leaves_the_last_good_price(content: str | bytes, status: int) -> None:
    await read(Pages(page({"price": "$0.001 per second"})))
    await ModelPrice.update({ModelPrice.checked_at: now() - timedelta(days=2)}, force=True)
    await read(Pages(content, status))
    price = await prices.current(VEO)
    assert price is not None
    assert price.tiers[0].text == "$0.001 per second"


@pytest.mark.parametrize("lookup", [None, "https://replicate.com"])
async def test_the_prices_of_the_stand_in_are_not_those_of_replicate(
    monkeypatch: pytest.MonkeyPatch, lookup: str | None
) -> None:
    await read(Pages(page({"price": "$0.001 per second"})))
    monkeypatch.setattr("tasks.settings.Settings.price_pages", lookup)
    prices.latest.cache_clear()
    assert await prices.current(VEO) == prices.shipped(VEO)


async def test_without_a_page_our_own_table_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = Pages(page({"price": "$0.001 per second"}))
    monkeypatch.setattr("tasks.settings.Settings.price_pages", None)
    await read(pages)
    assert pages.seen == []
    assert await prices.current(VEO) == prices.shipped(VEO)
    assert await prices.current("nobody/nothing") is None


@pytest.mark.parametrize("model", ["stability-ai/sdxl", "google/nano-banana", "minimax/hailuo-02", "meta/musicgen"])
async def test_the_pages_of_the_stand_in_can_be_read(standin: str, model: str) -> None:
    async with aclosing(PricePages()) as reader:
        reader.refresh_soon(model)

        async def known() -> bool:
            return await prices.latest(model) is not None

        await eventually(known)

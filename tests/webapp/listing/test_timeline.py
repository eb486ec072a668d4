"""The timeline: the months of what is shown, each with its number of prints and a link that jumps there."""

import re
from datetime import UTC, datetime

import httpx

from tests.webapp.listing.history import submitted_at
from tests.webapp.listing.test_search_bar import HTMX, card_ids, links


async def three_months() -> list[str]:
    """Submit a fox in each of three months, and an owl in the one between. Returns the foxes' ids, newest first."""
    oldest, between = [await submitted_at(datetime(2025, month, 3, tzinfo=UTC)) for month in (9, 12)]
    await submitted_at(datetime(2025, 12, 7, tzinfo=UTC), "an owl")
    return [await submitted_at(datetime(2026, 1, 3, tzinfo=UTC)), between, oldest]


def told(html: str) -> list[str]:
    """Return what the timeline says of its months, in order."""
    return re.findall(r'data-words="([^"]+)"', html)


async def test_each_month_has_its_number_of_prints_and_is_a_link_away(web: httpx.AsyncClient) -> None:
    _, between, oldest = await three_months()
    page = (await web.get("/")).text
    assert told(page) == ["Jan 2026, 1", "Dec 2025, 2", "Sep 2025, 1"]
    assert re.findall(r'timeline-year-name">(\d+)<', page) == ["2026", "2025"]
    assert links(page)["Jan 2026 1 print"] == "/", "the first month is where the sheet begins"
    assert card_ids((await web.get(links(page)["Dec 2025 2 prints"])).text)[1:] == [between, oldest]
    assert card_ids((await web.get(links(page)["Sep 2025 1 print"])).text) == [oldest]


async def test_a_search_has_the_months_of_what_it_finds_in_its_order(web: httpx.AsyncClient) -> None:
    newest, between, _ = await three_months()
    page = (await web.get("/?q=fox&sort=oldest", headers=HTMX)).text
    assert told(page) == ["Sep 2025, 1", "Dec 2025, 1", "Jan 2026, 1"]
    there = (await web.get(links(page)["Dec 2025 1 print"])).text
    assert card_ids(there) == [between, newest]
    assert links(there)["Back to the oldest"] == "/?q=fox&sort=oldest"


async def test_there_is_no_timeline_without_an_order_by_time_or_for_a_single_month(web: httpx.AsyncClient) -> None:
    await three_months()
    for address in ("/?sort=favorites", "/?q=owl", "/?q=in:trash", "/?q=status:tired"):
        page = (await web.get(address)).text
        assert told(page) == [], address
        assert re.search(r'<nav id="timeline"[^>]* hidden>', page), address

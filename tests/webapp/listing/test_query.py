"""The places of a sheet: it begins with a job or ends before one, and leads on in both directions."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.webapp.listing.history import submitted_at
from tests.webapp.listing.test_search_bar import card_ids, links
from webapp.listing.query import PAGE

NOON = datetime(2026, 9, 14, 12, tzinfo=UTC)
WORDS = {"newest": ("Newer prints", "Older prints"), "oldest": ("Older prints", "More prints")}


@pytest.mark.parametrize("sort", ["newest", "oldest"])
async def test_a_sheet_that_begins_with_a_job_leads_to_all_before_it_and_after_it(
    web: httpx.AsyncClient, sort: str
) -> None:
    ids = [await submitted_at(NOON + timedelta(minutes=number)) for number in range(2 * PAGE + 10)]
    ordered = ids[::-1] if sort == "newest" else ids
    above, below = WORDS[sort]
    page = (await web.get(f"/?sort={sort}&at={ordered[PAGE + 5]}")).text
    assert card_ids(page) == ordered[PAGE + 5 : 2 * PAGE + 5]
    assert card_ids((await web.get(links(page)[below])).text) == ordered[2 * PAGE + 5 :]
    before = (await web.get(links(page)[above])).text
    assert card_ids(before) == ordered[5 : PAGE + 5]
    assert card_ids((await web.get(links(before)[below])).text)[0] == ordered[PAGE + 5]
    first = (await web.get(links(before)[above])).text
    assert card_ids(first) == ordered[:5]
    assert above not in [name for name, address in links(first).items() if "until" in address]


async def test_a_place_survives_the_job_that_it_is_named_after(web: httpx.AsyncClient) -> None:
    old, gone, new = [await submitted_at(NOON + timedelta(minutes=number)) for number in range(3)]
    await web.post(f"/jobs/{gone}/edit", data={"action": "trash"})
    page = (await web.get(f"/?at={gone}")).text
    assert card_ids(page)[-1] == old
    assert new not in card_ids(page)


async def test_among_favorites_no_place_is_named_after_a_job(web: httpx.AsyncClient) -> None:
    job_id = await submitted_at(NOON)
    assert 'id="search-bar-faults"' in (await web.get(f"/?sort=favorites&at={job_id}")).text

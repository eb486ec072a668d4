"""The headings of days: one for each day, in the zone of the browser, with the number of its prints."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tasks.db.tables import Job
from tests.webapp.listing.history import submitted_at
from tests.webapp.listing.test_search_bar import HTMX, card_ids, links
from webapp.listing.query import APPENDED, PAGE

EVENING = datetime(2026, 9, 14, 20, tzinfo=UTC)


def told(html: str) -> list[tuple[str, str]]:
    """Return the days of the headings and their numbers, in order."""
    return re.findall(r'id="day-[\d-]+">([^<]+)<span class="sheet-day-count">([^<]+)<', html)


async def test_each_day_has_a_heading_with_the_number_of_what_the_search_finds_then(web: httpx.AsyncClient) -> None:
    for hours, prompt in ((0, "a fox"), (1, "a fox"), (2, "an owl"), (30, "a fox")):
        await submitted_at(EVENING + timedelta(hours=hours), prompt)
    assert told((await web.get("/")).text) == [("Wed 16 Sep 2026", "1"), ("Mon 14 Sep 2026", "3")]
    found = told((await web.get("/?q=fox&sort=oldest")).text)
    assert found == [("Mon 14 Sep 2026", "2"), ("Wed 16 Sep 2026", "1")], await Job.raw("SELECT * FROM job_words")
    assert told((await web.get("/?sort=favorites")).text) == [], "days do not follow one another there"


@pytest.mark.parametrize(
    ("cookie", "day", "zone"),
    [
        ("darkroom-zone=Asia/Tokyo", "Tue 15 Sep 2026", "Asia/Tokyo"),
        ("a=b; darkroom-zone=America/New_York", "Mon 14 Sep 2026", "America/New_York"),
        ("darkroom-zone=../../etc/passwd", "Mon 14 Sep 2026", "UTC"),
        ("darkroom-zone=Moon/Crater", "Mon 14 Sep 2026", "UTC"),
    ],
)
async def test_a_day_begins_at_midnight_where_the_browser_is(
    web: httpx.AsyncClient, cookie: str, day: str, zone: str
) -> None:
    await submitted_at(EVENING)
    page = (await web.get("/", headers={"Cookie": cookie})).text
    assert told(page) == [(day, "1")]
    assert f'data-zone="{zone}"' in page


async def test_across_pages_a_day_has_its_heading_once(web: httpx.AsyncClient) -> None:
    made = [await submitted_at(EVENING - timedelta(seconds=number)) for number in range(PAGE + 5)]
    made += [await submitted_at(EVENING - timedelta(days=1, seconds=number)) for number in range(5)]
    page = (await web.get("/")).text
    assert told(page) == [("Mon 14 Sep 2026", "65")]
    older = links(page)["Older prints"]
    added = (await web.get(older, headers=HTMX | {"HX-Target": "p#older"})).text
    assert card_ids(page) + card_ids(added) == made
    assert told(added) == [("Sun 13 Sep 2026", "5")], "the first ones are below the heading of the page above"
    assert told((await web.get(older)).text) == [("Mon 14 Sep 2026", "65"), ("Sun 13 Sep 2026", "5")]


async def test_what_is_added_above_begins_with_a_day_where_one_is_near(web: httpx.AsyncClient) -> None:
    made = [await submitted_at(EVENING - timedelta(seconds=number)) for number in range(APPENDED + 20)]
    first = (await web.get(f"/?at={made[-1]}")).text
    assert card_ids(first) == made[-1:]
    newer = links(first)["Newer prints"]
    added = (await web.get(newer, headers=HTMX | {"HX-Target": "p#newer"})).text
    assert card_ids(added) == made[-APPENDED - 1 : -1], "here no day begins"
    for number in range(3):
        made.insert(0, await submitted_at(EVENING + timedelta(days=1, seconds=number)))
    added = (await web.get(newer, headers=HTMX | {"HX-Target": "p#newer"})).text
    assert card_ids(added) == made[3:-1]
    assert told(added) == [("Mon 14 Sep 2026", "44")]
    assert "Older prints" not in links(added), "what is older is on the page already"
    above = (await web.get(links(added)["Newer prints"], headers=HTMX | {"HX-Target": "p#newer"})).text
    assert card_ids(above) == made[:3]
    assert "Newer prints" not in links(above)

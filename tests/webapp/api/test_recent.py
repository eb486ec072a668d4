"""The news for a hidden tab: the prints that were finished since its last request."""

from datetime import timedelta

import httpx
import pytest

from tasks.db.database import now
from tasks.jobs import lifecycle
from tests.factories import completed, failed


async def test_a_tab_that_asks_first_hears_from_when_on_to_ask(web: httpx.AsyncClient) -> None:
    await completed()
    before = now()
    answer = (await web.get("/finished.json")).json()
    assert answer["finished"] == []
    assert answer["until"] >= before.isoformat().replace("+00:00", "Z")


async def test_what_was_completed_since_is_told_first_to_last_and_nothing_else(web: httpx.AsyncClient) -> None:
    await completed("before")
    until = (await web.get("/finished.json")).json()["until"]
    one, two, gone = await completed("one"), await completed("two"), await completed("gone")
    await failed()
    await lifecycle.delete(gone.id)
    answer = (await web.get("/finished.json", params={"since": until})).json()
    assert answer["finished"] == [
        {"job_id": str(one.id), "prompt": "one"},
        {"job_id": str(two.id), "prompt": "two"},
    ]
    later = (now() + timedelta(seconds=1)).isoformat()
    assert (await web.get("/finished.json", params={"since": later})).json()["finished"] == []


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-25T20:00:00"])
async def test_any_moment_can_be_asked_for(web: httpx.AsyncClient, moment: str) -> None:
    await completed("a fox")
    answer = await web.get("/finished.json", params={"since": moment})
    assert answer.status_code == 200


async def test_what_is_no_moment_is_refused(web: httpx.AsyncClient) -> None:
    answer = await web.get("/finished.json", params={"since": "yesterday"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")

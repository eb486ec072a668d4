"""What a hidden tab hears: the prints that were finished since it asked last."""

from datetime import timedelta

import httpx

from tasks import jobs
from tasks.database import now
from tests.webapp.made import completed, failed


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
    await jobs.delete(gone.id)
    answer = (await web.get("/finished.json", params={"since": until})).json()
    assert answer["finished"] == [
        {"job_id": str(one.id), "prompt": "one"},
        {"job_id": str(two.id), "prompt": "two"},
    ]
    later = (now() + timedelta(seconds=1)).isoformat()
    assert (await web.get("/finished.json", params={"since": later})).json()["finished"] == []

"""People are asked, with the number, before more than a hundred prints go to the trash. Programs are not."""

import re

import httpx
import pytest

from tasks.db.tables import Job
from tasks.jobs import lifecycle
from webapp.edit.question import MAX_UNASKED

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://darkroom.test/"}
BROWSER = {"Accept": "text/html", "Referer": "http://darkroom.test/?q=fox"}
ALL = {"action": "trash", "all": "1", "q": "fox"}
ASKED = f"Move {MAX_UNASKED + 1} prints to the trash?"


async def canceled(count: int) -> list[str]:
    jobs = [await lifecycle.submit("a fox of many", "stability-ai/sdxl", {}) for _ in range(count)]
    for job in jobs:
        await lifecycle.cancel(job.id)
    return [str(job.id) for job in jobs]


async def trashed() -> int:
    return int(await Job.count().where(Job.trashed_at.is_not_null()))


async def test_a_page_asks_before_many_go_to_the_trash_and_sends_the_answer(web: httpx.AsyncClient) -> None:
    await canceled(MAX_UNASKED + 1)
    asked = await web.post("/selection", data=ALL, headers=HTMX)
    assert ASKED in asked.text
    assert 'hx-target="#done"' in asked.text
    assert await trashed() == 0
    done = await web.post("/selection", data=ALL | {"sure": "yes"}, headers=HTMX)
    assert f"Moved {MAX_UNASKED + 1} prints to the trash." in done.text
    assert await trashed() == MAX_UNASKED + 1


async def test_without_script_the_question_is_a_page_that_sends_again_what_was_sent(web: httpx.AsyncClient) -> None:
    ids = await canceled(MAX_UNASKED + 1)
    page = await web.post("/selection", data={"action": "trash", "q": 'f"x', "job": ids}, headers=BROWSER)
    assert page.status_code == 200
    assert ASKED in page.text
    assert 'href="/?q=fox"' in page.text
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text)
    assert sorted(fields) == sorted([("q", "f&#34;x"), *(("job", job_id) for job_id in ids), ("sure", "yes")])
    form = {"action": "trash", "job": ids, "sure": "yes"}
    assert (await web.post("/selection", data=form, headers=BROWSER)).status_code == 303
    assert await trashed() == MAX_UNASKED + 1


@pytest.mark.parametrize(("count", "headers"), [(MAX_UNASKED, HTMX), (MAX_UNASKED + 1, {})])
async def test_few_and_what_a_program_sends_go_at_once(
    web: httpx.AsyncClient, count: int, headers: dict[str, str]
) -> None:
    await canceled(count)
    answer = await web.post("/selection", data=ALL, headers=headers)
    assert "?" not in answer.text
    assert await trashed() == count

"""Actions on many jobs at once, by ids and on all that match, with their notices and undo."""

import re

import httpx
import pytest

from tasks.curation import edits
from tasks.db.tables import Job
from tasks.jobs import lifecycle
from tasks.library import filters
from tasks.library.query import parse
from tests.factories import completed, failed
from webapp.edit import notices

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://darkroom.test/"}
BROWSER = {"Accept": "text/html", "Referer": "http://darkroom.test/?q=fox"}


async def found(q: str) -> int:
    return int(await Job.count().where(filters.condition(parse(q))))


async def test_selected_prints_go_to_the_trash_with_a_notice_and_undo(web: httpx.AsyncClient) -> None:
    first, second, kept = [await completed() for _ in range(3)]
    form = {"action": "trash", "job": [str(first.id), str(second.id)]}
    answer = await web.post("/selection", data=form, headers=HTMX)
    assert "Moved 2 prints to the trash." in answer.text
    for job in (first, second):
        assert f'hx-target="#job-{job.id}" hx-swap="delete"' in answer.text
    assert str(kept.id) not in answer.text
    [undo] = re.findall(r'hx-post="(/undo/[^"]+)"', answer.text)
    back = await web.post(undo, headers=HTMX)
    assert "Undid it for 2 prints." in back.text
    assert back.text.count('hx-swap="outerMorph"') == 2
    assert await found("") == 3


async def test_all_that_match_are_changed_and_no_other(web: httpx.AsyncClient) -> None:
    for prompt in ("a red fox", "a red hen", "a blue fox"):
        await completed(prompt)
    answer = await web.post("/selection", data={"action": "tag", "tag": "Red", "all": "1", "q": "red"})
    assert answer.json() | {"undo": None} == {"changed": 2, "left_out": 0, "undo": None}
    assert await found("tag:red") == 2
    assert (await web.get("/selection/count?q=red")).text == "All 2 that match"
    undone = await web.post(answer.json()["undo"])
    assert undone.json() == {"changed": 2, "left_out": 0}
    assert await found("tag:red") == 0


async def test_after_very_many_changes_the_sheet_comes_anew(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.edit.selection.MAX_CARDS", 2)
    for _ in range(3):
        await completed()
    answer = await web.post("/selection", data={"action": "favorite:yes", "all": "1", "q": ""}, headers=HTMX)
    assert answer.headers["hx-trigger"] == "sheet-stale"
    assert "Added 3 prints to favorites." in answer.text
    assert "#job-" not in answer.text
    assert notices.MAX_CARDS == 60


async def test_what_still_waits_is_left_out_and_told(web: httpx.AsyncClient) -> None:
    await completed()
    await lifecycle.submit("a fox", "stability-ai/sdxl", {})
    answer = await web.post("/selection", data={"action": "trash", "all": "1"}, headers=HTMX)
    assert "Moved 1 print to the trash. 1 print is left out: they still wait or run." in answer.text


async def test_without_script_the_answer_is_a_page_with_what_was_done(web: httpx.AsyncClient) -> None:
    job = await completed()
    form = {"action": "typed", "tag": "", "collection": "For the wall", "job": str(job.id)}
    answer = await web.post("/selection", data=form, headers=BROWSER)
    assert answer.status_code == 303
    page = await web.get(answer.headers["location"], headers=BROWSER)
    assert "Added 1 print to “For the wall”." in page.text
    assert 'href="/?q=fox"' in page.text


async def test_failed_prints_are_tried_again_and_those_in_the_trash_deleted(web: httpx.AsyncClient) -> None:
    bad, good = await failed(), await completed()
    answer = await web.post("/selection", data={"action": "retry", "job": [str(bad.id), str(good.id)]})
    assert answer.json() == {"changed": 1, "left_out": 0}
    await edits.trash(edits.by_ids([good.id]))
    answer = await web.post("/selection", data={"action": "delete", "all": "1", "q": "in:trash"}, headers=BROWSER)
    assert (answer.status_code, answer.headers["location"]) == (303, "/?q=fox")
    assert (await web.get(f"/status/{good.id}")).status_code == 410
    assert (await web.get(f"/status/{bad.id}")).json()["status"] == "queued"


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"action": "trash"}, "nothing_selected"),
        ({"action": "trash", "job": "no-id"}, "invalid_selection"),
        ({"action": "explode", "all": "1"}, "invalid_selection"),
        ({"action": "rate:9", "all": "1"}, "invalid_selection"),
        ({"action": "tag", "tag": "a,b", "all": "1"}, "invalid_selection"),
        ({"action": "take out", "collection": "none", "all": "1"}, "invalid_selection"),
        ({"action": "trash", "all": "1", "q": "colour:red"}, "unclear_search"),
    ],
)
async def test_what_makes_no_sense_changes_nothing(web: httpx.AsyncClient, form: dict[str, str], code: str) -> None:
    await completed()
    answer = await web.post("/selection", data=form)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert await found("") == 1


async def test_what_was_never_done_is_not_undone(web: httpx.AsyncClient) -> None:
    answer = await web.post("/undo/019ab0c4-5d1e-7b36-9533-e50ac26d7632")
    assert (answer.status_code, answer.json()["code"]) == (404, "undo_gone")


@pytest.mark.parametrize(
    "back",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "/\t/evil.example",
        "/\r\n/evil.example",
        "\t//evil.example",
        "/\x00/evil.example",
        "/jobs\n/evil.example",
        " /",
        "",
    ],
)
async def test_undo_leads_back_to_no_other_site(web: httpx.AsyncClient, back: str) -> None:
    job = await completed()
    outcome = await edits.trash(edits.by_ids([job.id]))
    answer = await web.post(f"/undo/{outcome.undo}", data={"back": back}, headers=BROWSER)
    assert answer.headers["location"] == "/"


async def test_names_are_completed(web: httpx.AsyncClient) -> None:
    job = await completed()
    await edits.tag(edits.by_ids([job.id]), "night sky")
    await edits.collect(edits.by_ids([job.id]), "For the wall")
    assert '<option value="night sky">' in (await web.get("/selection/names?tag=SKY")).text
    assert '<option value="For the wall">' in (await web.get("/selection/names")).text


async def test_collections_are_made_renamed_and_given_up_without_their_prints(web: httpx.AsyncClient) -> None:
    job = await completed()
    assert (await web.post("/collections", data={"name": "wall"})).headers["location"] == "/collections"
    await edits.collect(edits.by_ids([job.id]), "wall")
    page = await web.get("/collections")
    assert "1 print<" in page.text
    assert "/?q=collection%3A%22wall%22" in page.text
    [path] = set(re.findall(r'action="(/collections/[0-9a-f-]{36})"', page.text))
    taken = await web.post("/collections", data={"name": "Wall"})
    assert taken.status_code == 422
    assert "A collection named" in taken.text
    await web.post(path, data={"name": "For the wall"})
    assert (await web.get(f"/status/{job.id}")).json()["collections"] == ["For the wall"]
    await web.post(f"{path}/delete")
    assert "collections" not in (await web.get(f"/status/{job.id}")).json()
    assert (await web.post(path, data={"name": "gone"})).status_code == 404

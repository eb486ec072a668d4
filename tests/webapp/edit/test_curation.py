"""Curation of one job: by plain forms, by htmx, and by programs."""

from typing import Any

import httpx
import pytest

from tasks.db.tables import Job, Undo
from tasks.jobs import lifecycle
from tests.factories import completed, failed, several

HTMX = {"HX-Request": "true", "HX-Current-URL": "http://darkroom.test/"}
BROWSER = {"Accept": "text/html"}


async def status(web: httpx.AsyncClient, job: Job) -> dict[str, Any]:
    return dict((await web.get(f"/status/{job.id}")).json())


async def test_a_plain_form_marks_a_favorite_and_leads_back(web: httpx.AsyncClient) -> None:
    job = await completed()
    headers = BROWSER | {"Referer": f"http://darkroom.test/jobs/{job.id}"}
    answer = await web.post(f"/selection?job={job.id}", data={"action": "favorite:yes"}, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{job.id}")
    assert (await status(web, job))["favorite"] is True
    await web.post(f"/selection?job={job.id}", data={"action": "favorite:no"}, headers=headers)
    assert "favorite" not in await status(web, job)


async def test_htmx_gets_the_card_anew_and_on_its_page_the_whole_job(web: httpx.AsyncClient) -> None:
    job = await completed()
    answer = await web.post(f"/selection?job={job.id}", data={"action": "rate:4"}, headers=HTMX)
    assert f'hx-target="#job-{job.id}" hx-swap="outerMorph"' in answer.text
    assert 'aria-label="Rating: 4 of 5"' in answer.text
    on_page = HTMX | {"HX-Current-URL": f"http://darkroom.test/jobs/{job.id}"}
    answer = await web.post(
        f"/selection?job={job.id}", data={"action": "tag", "tag": "Cat, night sky"}, headers=on_page
    )
    assert f'hx-target="#job-page-{job.id}"' in answer.text
    assert 'href="/?q=tag%3A%22night+sky%22"' in answer.text
    assert (await status(web, job))["tags"] == ["cat", "night sky"]


async def test_a_card_that_its_page_does_not_find_any_more_stays_where_it_is_but_gets_no_new_place(
    web: httpx.AsyncClient,
) -> None:
    job = await completed()
    await web.post(f"/selection?job={job.id}", data={"action": "favorite:yes"})
    favorites = HTMX | {"HX-Current-URL": "http://darkroom.test/?q=fav:yes"}
    answer = await web.post(f"/selection?job={job.id}", data={"action": "favorite:no"}, headers=favorites)
    assert f'hx-target="#job-{job.id}" hx-swap="outerMorph placed:false"' in answer.text


async def test_the_trash_takes_a_print_away_with_a_way_back(web: httpx.AsyncClient) -> None:
    job = await completed()
    answer = await web.post(f"/selection?job={job.id}", data={"action": "trash"}, headers=HTMX)
    assert f'hx-target="#job-{job.id}" hx-swap="delete"' in answer.text
    assert "Moved 1 print to the trash." in answer.text
    assert "trashed_at" in await status(web, job)
    [undo] = await Undo.select(Undo.id).output(as_list=True)
    assert f'action="/undo/{undo}"' in answer.text
    back = await web.post(f"/undo/{undo}", headers=HTMX)
    assert f'hx-target="#job-{job.id}" hx-swap="outerMorph"' in back.text
    assert "trashed_at" not in await status(web, job)


async def test_without_script_the_trash_leads_to_a_page_with_the_undo(web: httpx.AsyncClient) -> None:
    job = await completed()
    headers = BROWSER | {"Referer": "http://darkroom.test/?q=fox"}
    answer = await web.post(f"/selection?job={job.id}", data={"action": "trash"}, headers=headers)
    assert answer.status_code == 303
    page = await web.get(answer.headers["location"], headers=BROWSER)
    assert "Moved 1 print to the trash." in page.text
    assert 'name="back" value="/?q=fox"' in page.text
    undone = await web.post(answer.headers["location"].partition("?")[0], data={"back": "/?q=fox"}, headers=BROWSER)
    assert (undone.status_code, undone.headers["location"]) == (303, "/?q=fox")
    again = await web.get(answer.headers["location"], headers=BROWSER)
    assert again.status_code == 404


async def test_a_print_in_the_trash_says_so_on_its_page(web: httpx.AsyncClient) -> None:
    job = await failed()
    await web.post(f"/selection?job={job.id}", data={"action": "trash"})
    page = (await web.get(f"/jobs/{job.id}")).text
    assert "It is deleted permanently after 30 days." in page
    assert f'action="/selection?job={job.id}"' in page
    assert 'value="restore"' in page
    assert f'action="/jobs/{job.id}/delete"' in page
    assert f'action="/jobs/{job.id}/retry"' not in page
    answer = await web.post(f"/jobs/{job.id}/retry")
    assert (answer.status_code, answer.json()["code"]) == (409, "in_trash")


async def test_what_still_runs_is_not_thrown_away(web: httpx.AsyncClient) -> None:
    job = await lifecycle.submit("a fox", "stability-ai/sdxl", {})
    answer = await web.patch(f"/jobs/{job.id}", json={"trashed": True})
    assert (answer.status_code, answer.json()["code"]) == (409, "job_not_ended")
    answer = await web.post(f"/selection?job={job.id}", data={"action": "trash"})
    assert answer.json() == {"changed": 0, "left_out": 1}
    answer = await web.post(f"/selection?job={job.id}", data={"action": "trash"}, headers=HTMX)
    assert "1 print is left out: they still wait or run." in answer.text


async def test_a_mark_that_its_print_shows_gets_no_notice_but_the_trash_does(web: httpx.AsyncClient) -> None:
    job = await completed()
    for action in ("favorite:yes", "rate:4", "tag:sea", "collect:For the wall", "untag:sea", "take out:For the wall"):
        answer = await web.post(f"/selection?job={job.id}", data={"action": action}, headers=HTMX)
        assert 'hx-target="#done"' not in answer.text, action
    answer = await web.post(f"/selection?job={job.id}", data={"action": "trash"}, headers=HTMX)
    assert 'hx-target="#done"' in answer.text


@pytest.mark.parametrize(
    "form",
    [
        {"action": "rate:6"},
        {"action": "rate"},
        {"action": "tag", "tag": "x" * 65},
        {"action": "tag"},
        {"action": "collect", "collection": ""},
        {"action": "take out:unknown"},
        {"action": "notes", "notes": "x" * 10_001},
        {"action": "favour"},
        {},
    ],
)
async def test_what_makes_no_sense_is_refused(web: httpx.AsyncClient, form: dict[str, str]) -> None:
    job = await completed()
    answer = await web.post(f"/selection?job={job.id}", data=form)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_selection")


async def test_notes_belong_to_one_print(web: httpx.AsyncClient) -> None:
    job = await completed()
    answer = await web.post("/selection", data={"action": "notes", "notes": "all alike", "job": str(job.id)})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_selection")
    assert "notes" not in await status(web, job)


async def test_collections_and_notes_are_kept_by_forms(web: httpx.AsyncClient) -> None:
    job = await completed()
    await web.post(f"/selection?job={job.id}", data={"action": "collect", "collection": "For the wall"})
    await web.post(f"/selection?job={job.id}", data={"action": "notes", "notes": "one\r\ntwo"})
    shape = await status(web, job)
    assert (shape["collections"], shape["notes"]) == (["For the wall"], "one\ntwo")
    await web.post(f"/selection?job={job.id}", data={"action": "take out:for the wall"})
    assert "collections" not in await status(web, job)


async def test_a_program_changes_all_at_once(web: httpx.AsyncClient) -> None:
    job = await completed()
    body = {"favorite": True, "rating": 3, "tags": ["Cat", "dog"], "notes": "kept", "trashed": True}
    answer = await web.patch(f"/jobs/{job.id}", json=body)
    assert answer.status_code == 200
    shape = answer.json()
    assert (shape["favorite"], shape["rating"], shape["tags"], shape["notes"]) == (True, 3, ["cat", "dog"], "kept")
    assert "trashed_at" in shape
    shape = (await web.patch(f"/jobs/{job.id}", json={"tags": ["dog", "big"], "trashed": False})).json()
    assert (shape["tags"], shape["rating"], "trashed_at" in shape) == (["big", "dog"], 3, False)
    shape = (await web.patch(f"/jobs/{job.id}", json={"favorite": False, "rating": 0, "tags": [], "notes": ""})).json()
    assert not {"favorite", "rating", "tags", "notes"} & shape.keys()


async def test_a_program_is_told_every_fault_and_nothing_is_changed(web: httpx.AsyncClient) -> None:
    job = await completed()
    body = {"favorite": "yes", "rating": True, "tags": ["a,b"], "notes": 7, "trashed": 1, "colour": "red"}
    answer = await web.patch(f"/jobs/{job.id}", json=body | {"favorite": 1})
    assert answer.status_code == 422
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"#/favorite", "#/rating", "#/tags", "#/notes", "#/trashed", "#/colour"}
    broken = await web.patch(f"/jobs/{job.id}", content=b"{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 400
    assert (await web.patch(f"/jobs/{job.id}", content=b"a=1")).status_code == 415


async def test_a_deleted_job_takes_nothing_any_more(web: httpx.AsyncClient) -> None:
    job = await completed()
    await lifecycle.delete(job.id)
    for action in ("favorite:yes", "rate:1", "tag:sea", "collect:wall", "notes", "trash", "restore"):
        assert (await web.post(f"/selection?job={job.id}", data={"action": action})).status_code == 410
    assert (await web.patch(f"/jobs/{job.id}", json={})).status_code == 410


async def test_a_job_has_a_hundred_tags_at_most_however_they_come(web: httpx.AsyncClient) -> None:
    job = await lifecycle.submit("a fox", "m/m", {})
    many = ",".join(f"tag {number}" for number in range(150))
    answer = await web.post(f"/selection?job={job.id}", data={"action": "tag", "tag": many})
    assert (answer.status_code, answer.json()["left_out"]) == (200, 1)
    assert len((await status(web, job))["tags"]) == 100
    two_more = {"action": "tag", "tag": "one more, another"}
    answer = await web.post(f"/selection?job={job.id}", data=two_more, headers=HTMX)
    assert "1 print is left out: they have 100 tags." in answer.text
    one_more = {"action": "tag", "tag": "one more", "job": str(job.id)}
    assert (await web.post("/selection", data=one_more)).json()["left_out"] == 1
    others = [f"other {number}" for number in range(100)]
    assert sorted((await web.patch(f"/jobs/{job.id}", json={"tags": others})).json()["tags"]) == sorted(others)


async def test_programs_change_single_outputs_in_one_request(web: httpx.AsyncClient) -> None:
    job = await several()
    changes = [{"position": 0, "trashed": True}, {"position": 1, "favorite": True, "rating": 4}]
    answer = await web.patch(f"/jobs/{job.id}", json={"outputs": changes})
    shape = answer.json()
    assert (answer.status_code, shape["favorite"], shape["rating"]) == (200, True, 4)
    said = [
        {name: output.get(name) for name in ("position", "favorite", "rating", "trashed")}
        for output in shape["outputs"]
    ]
    assert said == [
        {"position": 0, "favorite": None, "rating": None, "trashed": True},
        {"position": 1, "favorite": True, "rating": 4, "trashed": None},
        {"position": 2, "favorite": None, "rating": None, "trashed": None},
    ]
    assert shape["result_url"] == f"/media/{job.id}-1.png"
    back = (await web.patch(f"/jobs/{job.id}", json={"outputs": [{"position": 0, "trashed": False}]})).json()
    assert back["result_url"] == f"/media/{job.id}.png"
    gone = (
        await web.patch(f"/jobs/{job.id}", json={"outputs": [{"position": at, "trashed": True} for at in range(3)]})
    ).json()
    assert "trashed_at" in gone
    assert [output.get("trashed") for output in gone["outputs"]] == [None, None, None]


@pytest.mark.parametrize(
    ("outputs", "pointer"),
    [
        ({"position": 0}, "#/outputs"),
        ([0], "#/outputs"),
        ([{"favorite": True}], "#/outputs/0/position"),
        ([{"position": 3}], "#/outputs/0/position"),
        ([{"position": True}], "#/outputs/0/position"),
        ([{"position": 0}, {"position": 0}], "#/outputs/1/position"),
        ([{"position": 0, "stars": 1}], "#/outputs/0"),
        ([{"position": 0, "rating": 6}], "#/outputs/0/rating"),
        ([{"position": 0, "trashed": 1}], "#/outputs/0/trashed"),
    ],
)
async def test_what_is_wrong_with_an_output_changes_nothing(
    web: httpx.AsyncClient, outputs: object, pointer: str
) -> None:
    job = await several(2)
    answer = await web.patch(f"/jobs/{job.id}", json={"favorite": True, "outputs": outputs})
    assert (answer.status_code, [fault["pointer"] for fault in answer.json()["errors"]]) == (422, [pointer])
    assert "favorite" not in await status(web, job)


async def test_buttons_at_an_output_mean_this_one(web: httpx.AsyncClient) -> None:
    job = await several()
    for action in ("favorite:yes", "rate:3"):
        await web.post(f"/selection?job={job.id}&output=1", data={"action": action}, headers=HTMX)
    outputs = (await status(web, job))["outputs"]
    assert [(output.get("favorite"), output.get("rating")) for output in outputs] == [
        (None, None),
        (True, 3),
        (None, None),
    ]
    moved = await web.post(f"/selection?job={job.id}&output=2", data={"action": "trash"}, headers=HTMX)
    assert "Moved the result to the trash." in moved.text
    kept = await web.post(f"/selection?job={job.id}", data={"action": "keep"}, headers=HTMX)
    assert "Moved the other results to the trash." in kept.text
    assert [output.get("trashed") for output in (await status(web, job))["outputs"]] == [True, None, True]
    back = await web.post(f"/selection?job={job.id}&output=2", data={"action": "restore"}, headers=HTMX)
    assert "Restored the result." in back.text
    last = await web.post(f"/selection?job={job.id}&output=1", data={"action": "trash"}, headers=HTMX)
    assert "Moved the result to the trash." in last.text
    last = await web.post(f"/selection?job={job.id}&output=2", data={"action": "trash"}, headers=HTMX)
    assert "Moved 1 print to the trash." in last.text
    nothing = await web.post(f"/selection?job={job.id}&output=3", data={"action": "trash"}, headers=HTMX)
    assert nothing.status_code == 422


async def test_the_page_of_a_job_has_buttons_at_each_output_and_keeps_only_the_favorites(
    web: httpx.AsyncClient,
) -> None:
    job = await several()
    page = (await web.get(f"/jobs/{job.id}")).text
    assert [page.count(f'id="job-{job.id}-output-{number}-favorite"') for number in (1, 2, 3)] == [1, 1, 1]
    assert (f'id="job-{job.id}-favorite"' in page, "Keep only the favorites" in page) == (False, False)
    headers = BROWSER | {"Referer": f"http://darkroom.test/jobs/{job.id}"}
    await web.post(f"/selection?job={job.id}&output=1", data={"action": "favorite:yes"}, headers=headers)
    assert "Keep only the favorites" in (await web.get(f"/jobs/{job.id}")).text
    await web.post(f"/selection?job={job.id}", data={"action": "keep"}, headers=headers)
    page = (await web.get(f"/jobs/{job.id}")).text
    assert "2 results are in the trash" in page
    assert (f'id="job-{job.id}-favorite"' in page, "Keep only the favorites" in page) == (True, False)
    await web.post(f"/selection?job={job.id}&output=2", data={"action": "restore"}, headers=headers)
    assert "One result is in the trash" in (await web.get(f"/jobs/{job.id}")).text


async def test_a_card_shows_up_to_four_outputs_with_their_marks_and_how_many_more_there_are(
    web: httpx.AsyncClient,
) -> None:
    job = await several(6)
    await web.patch(
        f"/jobs/{job.id}", json={"outputs": [{"position": 1, "favorite": True}, {"position": 0, "trashed": True}]}
    )
    card = (await web.get("/")).text
    assert card.count('class="card-face card-cell"') == 4
    assert f'<a id="job-{job.id}-link" class="card-face card-cell" data-slide="0" href="/jobs/{job.id}">' in card
    assert f'id="job-{job.id}-2-link"' in card
    assert '<span class="card-further">+1</span>' in card
    assert card.count('class="cell-marks"') == 1

"""Matrices from the composer and from programs, and the page of a batch."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from tasks.db.tables import Batch, Job
from tasks.errors import Failure
from tasks.jobs import lifecycle
from tests.factories import completed
from tests.webapp.gallery.test_gallery import FORM, HTMX, card_ids

SDXL, FLUX = "stability-ai/sdxl", "black-forest-labs/flux-schnell"
MATRIX = FORM | {"prompt": "{red|blue} fox"}


async def sent(web: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await web.post("/batches", json={"prompt": "{red|blue} fox in {snow|sand}"} | body)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def page(web: httpx.AsyncClient, batch_id: str) -> str:
    answer = await web.get(f"/batches/{batch_id}")
    assert answer.status_code == 200
    return answer.text


# Programs.


async def test_a_program_sends_a_matrix_and_is_told_its_jobs(web: httpx.AsyncClient) -> None:
    answer = await web.post(
        "/batches", json={"prompt": "{red|blue} fox", "models": [SDXL, FLUX], "seeds": [1, 2], "priority": "low"}
    )
    assert answer.status_code == 202
    batch_id = answer.json()["batch_id"]
    assert answer.headers["location"] == f"/batches/{batch_id}"
    assert [set(job) for job in answer.json()["jobs"]] == [{"job_id", "status"}] * 8
    batch = (await web.get(f"/batches/{batch_id}.json")).json()
    assert batch["counts"] == {"queued": 8, "running": 0, "completed": 0, "failed": 0, "canceled": 0, "deleted": 0}
    assert [job["job_id"] for job in batch["jobs"]] == [job["job_id"] for job in answer.json()["jobs"]]
    assert [job["prompt"] for job in batch["jobs"]] == ["red fox"] * 4 + ["blue fox"] * 4
    assert batch["axes"][0] == {"name": "prompt", "values": ["red", "blue"]}
    assert (await web.get(f"/status/{batch['jobs'][0]['job_id']}")).json()["batch"] == batch_id


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"prompt": "{a|b"}, "invalid_prompt", "#/prompt"),
        ({"prompt": "a", "models": [SDXL, "no name"]}, "invalid_models", "#/models/1"),
        ({"prompt": "a", "seeds": "three"}, "invalid_seeds", "#/seeds"),
        ({"prompt": "a", "parameters": "{"}, "invalid_parameters", "#/parameters"),
        ({"prompt": "a", "model": SDXL}, "invalid_request", "#/model"),
        ({"prompt": "{a|b|c}", "seeds": 100}, "too_many", "#"),
    ],
)
async def test_what_is_wrong_with_a_matrix_is_told_to_programs_and_nothing_is_sent(
    web: httpx.AsyncClient, body: dict[str, Any], code: str, pointer: str
) -> None:
    answer = await web.post("/batches", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["errors"][0]["pointer"]) == (code, pointer)
    assert (await Batch.count(), await Job.count()) == (0, 0)


async def test_a_batch_that_is_none_is_not_found(web: httpx.AsyncClient) -> None:
    for path in (f"/batches/{uuid4()}", f"/batches/{uuid4()}.json", "/batches/nonsense"):
        answer = await web.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "batch_not_found")


async def test_a_batch_is_called_off_by_a_program(web: httpx.AsyncClient) -> None:
    batch_id = (await sent(web))["batch_id"]
    running = await lifecycle.claim(30)
    assert running is not None
    answer = await web.post(f"/batches/{batch_id}/cancel")
    assert (answer.status_code, answer.headers["location"]) == (202, f"/batches/{batch_id}")
    assert answer.json()["counts"]["canceled"] == 3
    await lifecycle.end_canceled(running)
    answer = await web.post(f"/batches/{batch_id}/cancel")
    assert (answer.status_code, answer.json()["counts"]["canceled"]) == (200, 4)
    assert "retry-after" not in (await web.get(f"/batches/{batch_id}.json")).headers


# The composer.


async def test_alternatives_in_a_plain_form_make_a_batch_and_lead_to_its_page(web: httpx.AsyncClient) -> None:
    answer = await web.post("/jobs", data=MATRIX)
    [batch] = await Batch.objects()
    assert (answer.status_code, answer.headers["location"]) == (303, f"/batches/{batch.id}")
    rows = await Job.objects().order_by(Job.batch_place)
    assert [(job.prompt, job.parameters) for job in rows] == [
        ("red fox", '{"width": 512, "height": 768}'), ("blue fox", '{"width": 512, "height": 768}'),
    ]  # fmt: skip


async def test_by_htmx_the_composer_is_to_be_emptied_and_links_to_the_batch(web: httpx.AsyncClient) -> None:
    answer = await web.post("/jobs", data=MATRIX | {"seeds": "3 seeds"}, headers=HTMX)
    [batch] = await Batch.objects()
    assert answer.headers["hx-trigger"] == "matrix:sent"
    assert "Queued 6 prints." in answer.text
    assert f'href="/batches/{batch.id}"' in answer.text
    assert 'name="seeds" type="text" value=""' in answer.text
    assert 'name="p.width" value="512"' in answer.text


async def test_seeds_and_further_models_make_a_batch_of_a_plain_prompt(web: httpx.AsyncClient) -> None:
    form = {"prompt": "a fox", "model": SDXL, "models": [SDXL, FLUX], "seeds": "7, 8"}
    await web.post("/jobs", data=form)
    rows = await Job.objects().order_by(Job.batch_place)
    assert [(job.model, job.parameters) for job in rows] == [
        (SDXL, '{"seed": 7}'), (SDXL, '{"seed": 8}'), (FLUX, '{"seed": 7}'), (FLUX, '{"seed": 8}'),
    ]  # fmt: skip


async def test_files_and_what_it_is_made_from_go_into_every_print(web: httpx.AsyncClient) -> None:
    source = await completed()
    form = {"prompt": "a {red|blue} fox", "model": "google/nano-banana", "made_from": str(source.id)}
    await web.post("/jobs", data=form | {"p.image_input": f"/media/{source.id}.png"})
    rows = await Job.objects().where(Job.batch.is_not_null())
    assert [(job.made_from, job.parameters) for job in rows] == [
        (source.id, f'{{"image_input": ["/media/{source.id}.png"]}}')
    ] * 2
    answer = await web.post("/jobs", data=form | {"p.image_input": "/media/019ab0c4-5d1e-7b36-9533-e50ac26d7632.png"})
    assert answer.status_code == 422
    assert await Job.count() == 3


@pytest.mark.parametrize(
    ("written", "meant"), [(r"\{red\|blue\} fox", "{red|blue} fox"), ('{"a": [1, 2]}', '{"a": [1, 2]}')]
)
async def test_braces_that_are_text_make_one_job(web: httpx.AsyncClient, written: str, meant: str) -> None:
    await web.post("/jobs", data=FORM | {"prompt": written})
    [job] = await Job.objects()
    assert (job.prompt, job.batch) == (meant, None)
    again = re.search(r'href="(/\?prompt=[^"]+)"', (await web.get(f"/jobs/{job.id}")).text)
    assert again is not None
    assert parse_qs(urlsplit(again[1].replace("&amp;", "&")).query)["prompt"] == [written]


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
@pytest.mark.parametrize(
    ("change", "sentence", "control"),
    [
        ({"prompt": "{a|b fox"}, "A { with alternatives has no closing }.", "prompt"),
        ({"seeds": "three"}, "Seeds must be a list", "seeds"),
        ({"seeds": "200"}, "That makes 400 prints; the maximum is 256", None),
        ({"models": ["nobody/nothing"]}, "Replicate has no model nobody/nothing.", "models"),
        ({"models": [FLUX]}, "black-forest-labs/flux-schnell: The model has no parameter 'width'", "p-width"),
        ({"model": "", "other_model": "no name"}, "The model must be owner/name", "model"),
    ],
)
async def test_what_is_wrong_is_told_at_its_field_and_nothing_that_was_typed_is_lost(
    web: httpx.AsyncClient, standin: str, headers: dict[str, str], change: dict[str, Any], sentence: str, control: str
) -> None:
    answer = await web.post("/jobs", data=MATRIX | change, headers=headers)
    text = answer.text.replace("&#39;", "'")
    assert answer.status_code == 422
    assert sentence in text
    assert text.count(sentence) == 1
    assert control is None or f'id="{control}-fault"' in text
    assert "fox</textarea>" in text
    if "seeds" in change:
        assert f'value="{change["seeds"]}"' in text
    assert (await Batch.count(), await Job.count()) == (0, 0)


async def test_prints_are_counted_while_they_are_written(web: httpx.AsyncClient) -> None:
    async def counted(**form: Any) -> str:
        answer = await web.post("/batches/count", data={"model": SDXL} | form, headers=HTMX)
        assert answer.status_code == 200
        return re.sub("<[^>]*>", "", answer.text).strip()

    times = "\N{MULTIPLICATION SIGN}"
    matrix = {"prompt": "{a|b} {c|d}", "seeds": "3", "models": [FLUX]}
    assert await counted(**matrix) == f"4 prompts {times} 3 seeds {times} 2 models = 24 prints"
    assert await counted(prompt="{a|b} {c|d}") == "4 prompts = 4 prints"
    assert await counted(prompt="a fox") == ""
    assert "has no closing }" in await counted(prompt="{a|b")
    assert (await counted(prompt="{a|b}" * 9)).endswith("= 512 prints; the maximum is 256")
    assert "= far too many prints" in await counted(prompt="{a|b}" * 90)


async def test_without_a_script_the_count_comes_with_the_page(web: httpx.AsyncClient) -> None:
    answer = await web.get("/", params={"prompt": "{a|b}", "seeds": "2", "models": FLUX})
    assert "2 prompts \N{MULTIPLICATION SIGN} 2 seeds \N{MULTIPLICATION SIGN} 2 models = 8 prints" in answer.text
    assert 'id="matrix" class="more matrix" open' in answer.text


# The page.


async def test_the_page_has_two_axes_as_a_table_and_a_card_in_every_cell(web: httpx.AsyncClient) -> None:
    batch = await sent(web)
    text = await page(web, batch["batch_id"])
    assert re.findall(r'<th scope="col"[^>]*>([^<]*)', text) == ["snow", "sand"]
    assert re.findall(r'<th scope="row"[^>]*>([^<]*)', text) == ["red", "blue"]
    assert card_ids(text) == [job["job_id"] for job in batch["jobs"]]
    assert re.search(rf"/events\?since=[^\"]+&amp;q=batch%3A{batch['batch_id']}\"", text)
    assert f'href="/?q=batch:{batch["batch_id"]}"' in text


async def test_further_axes_are_sections_and_a_long_axis_runs_down(web: httpx.AsyncClient) -> None:
    batch = await sent(web, prompt="{a|b} {c|d}", seeds=list(range(8)))
    text = await page(web, batch["batch_id"])
    assert re.findall(r'<h2 class="grid-title"[^>]*>([^<]*)', text) == ["a", "b"]
    assert re.findall(r'<th scope="col"[^>]*>([^<]*)', text) == ["c", "d"] * 2
    assert re.findall(r'<th scope="row"[^>]*>([^<]*)', text) == [f"Seed {seed}" for seed in range(8)] * 2
    first_row = [batch["jobs"][place]["job_id"] for place in (0, 8)]
    assert card_ids(text)[:2] == first_row


async def test_a_single_axis_is_a_line(web: httpx.AsyncClient) -> None:
    text = await page(web, (await sent(web, prompt="a {|grey }fox"))["batch_id"])
    assert re.findall(r'<h2 class="grid-header"[^>]*>([^<]*)', text) == ["(empty)", "grey"]


async def test_the_page_tells_how_far_it_is_and_cancels_what_is_left(web: httpx.AsyncClient) -> None:
    batch_id = (await sent(web))["batch_id"]
    done, failed = await lifecycle.claim(30), await lifecycle.claim(30)
    assert done is not None
    assert failed is not None
    await lifecycle.complete(done, [])
    await lifecycle.fail(failed, Failure("moderated", "No."))
    assert "1 of 4 finished, 1 failed</p>" in await page(web, batch_id)
    progress = await web.get(f"/batches/{batch_id}/progress", headers=HTMX)
    assert '<progress class="batch-bar" max="4" value="2"' in progress.text
    assert "Cancel remaining" in progress.text
    answer = await web.post(f"/batches/{batch_id}/cancel", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/batches/{batch_id}")
    progress = await web.post(f"/batches/{batch_id}/cancel", headers=HTMX)
    assert "1 of 4 finished, 1 failed, 2 canceled</p>" in progress.text
    assert "Cancel remaining" not in progress.text


async def test_a_deleted_print_leaves_its_place_empty(web: httpx.AsyncClient) -> None:
    batch = await sent(web)
    done = await lifecycle.claim(30)
    assert done is not None
    await lifecycle.complete(done, [])
    await lifecycle.delete(done.id)
    text = await page(web, batch["batch_id"])
    assert card_ids(text) == [job["job_id"] for job in batch["jobs"][1:]]
    assert "Deleted</p>" in text
    grid = await web.get(f"/batches/{batch['batch_id']}/grid", headers=HTMX)
    assert card_ids(grid.text) == card_ids(text)


async def test_its_prints_are_selected_there_and_one_in_the_trash_leaves_a_cell_that_brings_it_back(
    web: httpx.AsyncClient,
) -> None:
    batch = await sent(web)
    done = await lifecycle.claim(30)
    assert done is not None
    await lifecycle.complete(done, [])
    text = await page(web, batch["batch_id"])
    assert f'<input type="hidden" name="q" value="batch:{batch["batch_id"]}">' in text
    assert text.count('class="card-select"') == 4
    back = {"Referer": f"http://darkroom.test/batches/{batch['batch_id']}", "Accept": "text/html"}
    answer = await web.post("/selection", data={"action": "trash", "job": str(done.id)}, headers=back)
    assert f"back=%2Fbatches%2F{batch['batch_id']}" in answer.headers["location"]
    text = await page(web, batch["batch_id"])
    assert card_ids(text) == [job["job_id"] for job in batch["jobs"][1:]]
    assert f'id="job-{done.id}">\n  <p>In the trash</p>' in text
    assert (await web.post(f"/selection?job={done.id}", data={"action": "restore"}, headers=back)).status_code == 303
    assert len(card_ids(await page(web, batch["batch_id"]))) == 4


async def test_a_batch_used_again_fills_the_composer_as_it_was_written(web: httpx.AsyncClient) -> None:
    form = {"prompt": r"{red|blue} \{fox\}", "model": SDXL, "models": [FLUX], "seeds": "2", "p.num_outputs": "2"}
    answer = await web.post("/jobs", data=form)
    text = (await web.get(answer.headers["location"])).text
    again = re.search(r'id="batch-again"[^>]* href="([^"]+)"', text)
    assert again is not None
    query = parse_qs(urlsplit(again[1].replace("&amp;", "&")).query)
    assert query == {name: value if isinstance(value, list) else [value] for name, value in form.items()}


async def test_a_jobs_page_links_to_its_batch(web: httpx.AsyncClient) -> None:
    batch = await sent(web)
    text = (await web.get(f"/jobs/{batch['jobs'][2]['job_id']}")).text
    assert f'href="/batches/{batch["batch_id"]}">Print 3<' in text

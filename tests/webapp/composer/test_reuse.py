"""Reusing a result: links that fill in the composer, and the source that the new job records."""

import re
from html import unescape
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tasks.curation import edits
from tasks.db import ids
from tasks.db.tables import Job
from tasks.jobs import attempts, lifecycle
from tasks.jobs.insert import Terms
from tests.factories import completed, several
from tests.newest import newest


async def made() -> Job:
    """Create a finished print whose seed is 7."""
    job = await completed()
    await Job.update({Job.seed: 7}).where(Job.id == job.id)
    return job


async def link(web: httpx.AsyncClient, job: Job, name: str) -> str:
    page = await web.get(f"/jobs/{job.id}")
    match = re.search(rf'id="job-{job.id}-{name}"[^>]* href="([^"]+)"', page.text)
    assert match, name
    return unescape(match[1])


def fields(address: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(address).query, keep_blank_values=True).items()}


async def test_each_use_fills_in_its_own(web: httpx.AsyncClient) -> None:
    job = await made()
    all_of_it = {
        "prompt": "a fox in the snow",
        "model": "stability-ai/sdxl",
        "p.width": "512",
        "made_from": str(job.id),
    }
    without_width = {name: value for name, value in all_of_it.items() if name != "p.width"}
    assert fields(await link(web, job, "again")) == all_of_it | {"p.seed": "7"}
    assert fields(await link(web, job, "variation")) == all_of_it
    assert fields(await link(web, job, "prompt")) == without_width
    assert fields(await link(web, job, "image")) == all_of_it | {"p.image": f"/media/{job.id}.png"}
    seed = {"prompt": "", "model": "stability-ai/sdxl", "p.seed": "7", "lock": "on"}
    assert fields(await link(web, job, "seed")) == seed


async def test_a_finished_card_offers_the_same_uses_and_leads_to_them_without_script(web: httpx.AsyncClient) -> None:
    job, waiting = await made(), await lifecycle.submit("a hare", "m/m", {})
    sheet = await web.get("/?sort=oldest")
    [way] = re.findall(r'<a class="card-uses" id="job-([^"]+)-uses" href="([^"]+)"', sheet.text)
    assert way == (str(job.id), f"/jobs/{job.id}?sort=oldest#uses")
    assert '<div class="actions" id="uses">' in (await web.get(way[1])).text
    menu = await web.get(f"/jobs/{job.id}/uses")
    assert "<html" not in menu.text
    for name in ("again", "variation", "image", "prompt", "seed"):
        [address] = re.findall(rf'id="use-{job.id}-{name}"[^>]* href="([^"]+)"', menu.text)
        assert unescape(address) == await link(web, job, name)
    assert f'id="job-{waiting.id}"' in sheet.text
    assert (await web.get(f"/jobs/{ids.new()}/uses")).status_code == 404


async def test_a_print_in_the_trash_is_not_used(web: httpx.AsyncClient) -> None:
    job = await made()
    await edits.trash(edits.by_ids([job.id]))
    assert "card-uses" not in (await web.get("/?q=in:trash")).text


async def test_a_picture_of_a_model_that_takes_none_goes_to_one_that_does(web: httpx.AsyncClient) -> None:
    job = await made()
    await Job.update({Job.model: "black-forest-labs/flux-schnell"}).where(Job.id == job.id)
    use = fields(await link(web, job, "image"))
    assert (use["model"], use["p.image_input"]) == ("google/nano-banana", f"/media/{job.id}.png")


async def test_what_a_link_fills_in_becomes_a_job_that_knows_where_it_comes_from(web: httpx.AsyncClient) -> None:
    parent = await made()
    composer = await web.get(await link(web, parent, "variation"))
    assert re.search(rf'name="made_from" value="{parent.id}" checked', composer.text)
    form = fields(await link(web, parent, "variation")) | {"prompt": "a fox at night"}
    assert (await web.post("/jobs", data=form)).status_code == 303
    [child, _] = await newest(5)
    assert child.job.made_from == parent.id
    below = await web.get(f"/jobs/{parent.id}")
    assert "Used in" in below.text
    assert f'href="/jobs/{child.job.id}"' in below.text
    assert f'href="/?q=from:{parent.id}"' in below.text
    above = await web.get(f"/jobs/{child.job.id}")
    assert "Made from" in above.text
    assert f'href="/jobs/{parent.id}"' in above.text
    assert f'<img src="/media/{parent.id}.png"' not in above.text, "previews only: pictures may be large"


async def test_up_to_twelve_of_those_it_was_used_in_are_shown_the_newest_first(web: httpx.AsyncClient) -> None:
    parent = await made()
    ids = [str((await lifecycle.submit(f"{n}", "m/m", {}, Terms(made_from=parent.id))).id) for n in range(14)]
    page = await web.get(f"/jobs/{parent.id}")
    assert re.findall(r'id="lineage-([0-9a-f-]{36})"', page.text) == ids[:1:-1]
    assert "See all" in page.text


async def test_when_its_parent_was_deleted_a_job_is_shown_without(web: httpx.AsyncClient) -> None:
    parent = await made()
    child = await lifecycle.submit("a fox", "m/m", {}, Terms(made_from=parent.id))
    await lifecycle.delete(parent.id)
    page = await web.get(f"/jobs/{child.id}")
    assert page.status_code == 200
    assert "Made from" not in page.text


async def test_a_parent_that_was_deleted_meanwhile_is_told_once_and_then_let_go(web: httpx.AsyncClient) -> None:
    parent = await made()
    await lifecycle.delete(parent.id)
    answer = await web.post(
        "/jobs", data={"prompt": "a fox", "model": "stability-ai/sdxl", "made_from": str(parent.id)}
    )
    assert answer.status_code == 422
    assert "made_from must be the id of an existing job" in answer.text
    assert 'name="made_from"' not in answer.text


@pytest.mark.parametrize(("lock", "left"), [({}, ""), ({"lock": "on"}, "7")], ids=["open", "locked"])
async def test_a_seed_is_used_once_unless_it_is_locked(web: httpx.AsyncClient, lock: dict[str, str], left: str) -> None:
    form = {"prompt": "a fox", "model": "stability-ai/sdxl", "p.seed": "7", **lock}
    answer = await web.post("/jobs", data=form, headers={"HX-Request": "true"})
    assert f'id="p-seed" name="p.seed" value="{left}"' in answer.text
    [card] = await newest(5)
    assert card.parameters == {"seed": 7}


async def test_a_model_newly_chosen_gets_only_what_suits_it(web: httpx.AsyncClient) -> None:
    query = {"model": "black-forest-labs/flux-schnell", "p.num_outputs": "3", "p.num_inference_steps": "50"}
    fragment = await web.get("/composer", params=query | {"p.width": "512"}, headers={"HX-Request": "true"})
    assert 'name="p.num_outputs" value="3"' in fragment.text
    assert 'name="p.num_inference_steps" value=""' in fragment.text


async def test_a_file_of_ours_stays_when_the_next_model_takes_it_too(web: httpx.AsyncClient) -> None:
    job = await made()
    query = {"model": "stability-ai/sdxl", "p.image": f"/media/{job.id}.png"}
    fragment = await web.get("/composer", params=query, headers={"HX-Request": "true"})
    assert f'name="p.image" value="/media/{job.id}.png"' in fragment.text


async def test_a_number_with_a_small_span_has_a_slider_and_may_be_left_unset(web: httpx.AsyncClient) -> None:
    page = await web.get("/", params={"model": "stability-ai/sdxl", "p.guidance_scale": "9.5"})
    [slider] = re.findall(r'<input type="range"[^>]* id="p-guidance_scale-slider"[^>]*>', page.text)
    assert 'min="1" max="50" step="0.5" value="9.5" data-default="7.5"' in slider
    assert "name=" not in slider, "the number beside it is what is sent"
    assert 'id="p-width-slider"' not in page.text


async def test_the_seed_of_an_attempt_is_the_one_to_use(web: httpx.AsyncClient) -> None:
    await lifecycle.submit("a fox", "stability-ai/sdxl", {})
    job = await lifecycle.claim(30)
    assert job is not None
    await attempts.begin(job, "v", {"prompt": "a fox", "seed": 99})
    assert fields(await link(web, job, "seed"))["p.seed"] == "99"


async def test_of_several_outputs_each_has_its_own_variation_and_picture(web: httpx.AsyncClient) -> None:
    job = await several(3)
    await Job.update({Job.parameters: '{"width": 512, "num_outputs": 3}'}).where(Job.id == job.id)
    assert fields(await link(web, job, "variation"))["p.num_outputs"] == "3"
    assert fields(await link(web, job, "output-2-variation"))["p.num_outputs"] == "1"
    assert fields(await link(web, job, "output-3-image"))["p.image"] == f"/media/{job.id}-2.png"
    assert f'id="job-{job.id}-image"' not in (await web.get(f"/jobs/{job.id}")).text  # it would not be clear which
    menu = unescape((await web.get(f"/jobs/{job.id}/uses?output=1")).text)
    assert f"p.image=%2Fmedia%2F{job.id}-1.png" in menu
    assert "p.num_outputs=1" in menu

"""A print in the lightbox: the data in its card, its panel, and the links to its neighbors."""

import html
import json
import re
from datetime import timedelta
from uuid import UUID, uuid4

import httpx

from tasks.db import ids
from tasks.db.tables import Job, Output
from tasks.jobs import lifecycle
from tasks.library import cards
from tasks.library.paging import Sort
from tasks.library.query import Search, parse
from tests.factories import completed, submitted


async def ids_of(*prompts: str) -> list[UUID]:
    return [(await submitted(prompt)).id for prompt in prompts]


def ways(page: str) -> dict[str, str]:
    """Return the addresses of the previous and the next job on a job's page."""
    return {rel: html.unescape(href) for rel, href in re.findall(r'rel="(prev|next)" href="([^"]+)"', page)}


async def test_the_neighbors_of_a_job_are_the_next_newer_and_the_next_older() -> None:
    old, middle, new = await ids_of("one", "two", "three")
    assert await cards.neighbors(middle, Search(), Sort.NEWEST) == (new, old)
    assert await cards.neighbors(new, Search(), Sort.NEWEST) == (None, middle)
    assert await cards.neighbors(old, Search(), Sort.NEWEST) == (middle, None)
    assert await cards.neighbors(middle, Search(), Sort.OLDEST) == (old, new)


async def test_the_neighbors_are_among_what_is_searched_for() -> None:
    old, _, _, new = await ids_of("a fox", "a hare", "an owl", "a red fox")
    assert await cards.neighbors(new, parse("fox"), Sort.NEWEST) == (None, old)
    assert await cards.neighbors(old, parse("fox"), Sort.NEWEST) == (new, None)


async def test_a_jobs_page_leads_on_within_the_search_it_was_opened_from(web: httpx.AsyncClient) -> None:
    old, hare, new = await ids_of("a fox", "a hare", "a red fox")
    page = (await web.get(f"/jobs/{new}?q=fox&sort=newest")).text
    assert ways(page) == {"next": f"/jobs/{old}?q=fox"}
    assert f'href="/compare?job={new}&amp;job={old}"' in page
    assert 'id="to-all" href="/?q=fox"' in page
    assert ways((await web.get(f"/jobs/{new}")).text) == {"next": f"/jobs/{hare}"}


async def test_a_card_leads_to_its_page_within_the_search_that_found_it(web: httpx.AsyncClient) -> None:
    old, _, new = await ids_of("a fox", "a hare", "a red fox")
    sheet = (await web.get("/?q=fox&sort=oldest")).text
    [address] = re.findall(rf'id="job-{old}-link"[^>]* href="([^"]+)"', sheet)
    assert address == f"/jobs/{old}?q=fox&amp;sort=oldest"
    assert ways((await web.get(html.unescape(address))).text) == {"next": f"/jobs/{new}?q=fox&sort=oldest"}
    assert f'href="/jobs/{new}"' in (await web.get("/")).text


async def test_a_search_that_is_unclear_does_not_hide_the_page(web: httpx.AsyncClient) -> None:
    old, new = await ids_of("one", "two")
    page = await web.get(f"/jobs/{old}?q=rating:nine")
    assert page.status_code == 200
    assert ways(page.text)["prev"] == f"/jobs/{new}"


async def test_a_finished_card_tells_the_lightbox_of_every_output(web: httpx.AsyncClient) -> None:
    await submitted("several")
    job = await lifecycle.claim(30)
    assert job is not None
    outputs = [
        Output(
            id=ids.new(), position=at, key=f"{job.id}-{at}.png", kind="image", media_type="image/png", bytes=1,
            sha256="", width=96, height=64, preview_key=f"{job.id}-{at}.preview.webp",
        )
        for at in range(2)
    ]  # fmt: skip
    await lifecycle.complete(job, outputs)
    [slides] = re.findall('data-slides="([^"]+)" data-cells="2"', (await web.get("/")).text)
    assert json.loads(html.unescape(slides)) == [
        {
            "position": at,
            "kind": "image",
            "src": f"/media/{job.id}-{at}.png",
            "width": 96,
            "height": 64,
            "msrc": f"/media/{job.id}-{at}.preview.webp",
        }
        for at in range(2)
    ]


async def test_the_panel_tells_prompt_model_and_settings(web: httpx.AsyncClient) -> None:
    job = await completed("a fox in the panel")
    panel = await web.get(f"/jobs/{job.id}/panel")
    assert panel.status_code == 200
    assert "<html" not in panel.text
    assert "a fox in the panel" in panel.text
    assert "stability-ai/sdxl" in panel.text
    assert "<dt>width</dt><dd dir=\"auto\">512</dd>" in panel.text  # fmt: skip
    assert (await web.get(f"/jobs/{uuid4()}/panel")).status_code == 404


async def test_the_panel_says_which_of_how_many_prints_of_the_search_it_is(web: httpx.AsyncClient) -> None:
    old, hare, new = await ids_of("a fox", "a hare", "a red fox")
    assert place(await web.get(f"/jobs/{old}/panel?q=fox")) == [("2", "2")]
    assert place(await web.get(f"/jobs/{old}/panel?q=fox&sort=oldest")) == [("1", "2")]
    assert place(await web.get(f"/jobs/{hare}/panel")) == [("2", "3")]
    assert place(await web.get(f"/jobs/{hare}/panel?q=fox")) == []
    assert place(await web.get(f"/jobs/{new}/panel?q=rating:nine")) == [("1", "3")]


def place(panel: httpx.Response) -> list[tuple[str, str]]:
    return re.findall(r'data-position="(.*?)" data-found="(.*?)"', panel.text)


async def test_a_change_in_the_lightbox_is_answered_with_the_card_and_the_panel(web: httpx.AsyncClient) -> None:
    job = await completed("a fox in the lightbox")
    headers = {"HX-Request": "true", "HX-Current-URL": f"http://test/jobs/{job.id}?q=fox"}
    for target, parts in {"aside#lightbox-panel": ["job", "panel"], "main#main": ["job-page"]}.items():
        answer = await web.post(
            f"/selection?job={job.id}", data={"action": "rate:3"}, headers=headers | {"HX-Target": target}
        )
        assert re.findall(rf'hx-target="#([a-z-]+)-{job.id}"', answer.text) == parts
    answer = await web.post(
        f"/selection?job={job.id}",
        data={"action": "trash"},
        headers=headers | {"HX-Target": "aside#lightbox-panel"},
    )
    assert f'hx-target="#job-{job.id}" hx-swap="delete"' in answer.text
    assert "Moved 1 print to the trash." in answer.text


async def test_a_jobs_page_has_one_primary_action_and_what_programs_need_folded_away(web: httpx.AsyncClient) -> None:
    job = await completed("a fox in order")
    started_at, finished_at = (job.created_at + timedelta(seconds=seconds) for seconds in (2, 5))
    await Job.update({Job.started_at: started_at, Job.finished_at: finished_at}).where(Job.id == job.id)
    page = (await web.get(f"/jobs/{job.id}")).text
    assert re.findall(r'id="job-[\w-]{36}-(\w+)" class="button button-primary"', page) == ["variation"]
    [folded] = re.findall(r'<details class="folded" id="job-[\w-]{36}-ids">(.*?)</details>', page, re.DOTALL)
    sha256 = (await web.get(f"/status/{job.id}")).json()["outputs"][0]["sha256"]
    assert sha256 in folded
    assert page.count(sha256) == 1
    assert 'href="https://replicate.com/stability-ai/sdxl"' in page
    assert '<rect class="times-ran" x="400.0" width="600.0"' in page
    assert '<div class="times-ran"><dt>Ran</dt><dd>3.0 s</dd></div>' in page


async def test_what_changes_with_a_release_is_asked_for_again_and_what_has_a_version_is_kept(
    web: httpx.AsyncClient,
) -> None:
    kept = "max-age=31536000, immutable"
    for path, caching in {
        "/static/js/lightbox/viewer.js": "no-cache",
        "/static/js/lightbox/viewer.js?v=abc": kept,
        "/static/vendor/photoswipe-5.4.4.esm.min.js": kept,
        "/static/vendor/icons.svg": "no-cache",
    }.items():
        assert (await web.get(path)).headers["cache-control"] == caching, path

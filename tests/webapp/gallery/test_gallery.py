"""The gallery's pages and forms, with htmx and without: no typed text is lost."""

import re
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tasks.db.tables import Job, ModelSchema, Output
from tasks.errors import Failure
from tasks.jobs import attempts, bulk, lifecycle
from tasks.models.registry import built_in
from tasks.replicate.client import Prediction
from tests.factories import completed, failed
from tests.newest import newest
from webapp.listing.query import PAGE

HTMX = {"HX-Request": "true"}
FORM = {"prompt": "a fox in the snow", "model": "stability-ai/sdxl", "p.width": "512", "p.height": "768"}


def card_ids(html: str) -> list[str]:
    return re.findall(r'<article id="job-([0-9a-f-]{36})"', html)


async def test_without_jobs_the_gallery_invites(web: httpx.AsyncClient) -> None:
    page = await web.get("/")
    assert page.status_code == 200
    assert 'href="/?prompt=' in page.text


async def test_a_prompt_sent_by_a_plain_form_becomes_a_job_and_leads_back(web: httpx.AsyncClient) -> None:
    answer = await web.post("/jobs", data=FORM)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    [card] = await newest(5)
    assert card.job.prompt == "a fox in the snow"
    assert card.parameters == {"width": 512, "height": 768}


async def test_a_prompt_sent_by_htmx_is_answered_with_its_card_and_the_composer(web: httpx.AsyncClient) -> None:
    answer = await web.post("/jobs", data=FORM, headers=HTMX)
    assert answer.status_code == 200
    [card] = await newest(5)
    assert card_ids(answer.text) == [str(card.job.id)]
    assert '<form id="composer"' in answer.text
    assert "a fox in the snow</textarea>" in answer.text


@pytest.mark.parametrize("address", ["/", "/composer"])
async def test_a_model_that_is_only_looked_at_is_in_nobodys_menu_until_a_job_uses_it(
    web: httpx.AsyncClient, standin: str, address: str
) -> None:
    pinned = built_in("stability-ai/sdxl")
    assert pinned is not None
    name = f"stability-ai/sdxl:{pinned.version}"
    page = await web.get(address, params={"model": name})
    assert 'name="p.width"' in page.text
    assert name not in (await web.get("/")).text
    refused = await web.post("/jobs", data=FORM | {"model": name, "p.width": "wide"})
    assert refused.status_code == 422
    assert name not in (await web.get("/")).text
    assert await ModelSchema.count() == 0
    assert (await web.post("/jobs", data=FORM | {"model": name})).status_code == 303
    assert name in (await web.get("/")).text


async def test_a_batch_puts_its_models_into_the_menu(web: httpx.AsyncClient, standin: str) -> None:
    pinned = built_in("stability-ai/sdxl")
    assert pinned is not None
    name = f"stability-ai/sdxl:{pinned.version}"
    refused = await web.post("/batches", json={"prompt": "{a|b}", "models": [name], "parameters": {"width": "wide"}})
    assert (refused.status_code, await ModelSchema.count()) == (422, 0)
    assert (await web.post("/batches", json={"prompt": "{a|b}", "models": [name]})).status_code == 202
    assert name in (await web.get("/")).text


async def test_line_breaks_in_a_form_are_those_that_were_typed(web: httpx.AsyncClient) -> None:
    await web.post("/jobs", data=FORM | {"prompt": "one\r\ntwo"})
    [card] = await newest(5)
    assert card.job.prompt == "one\ntwo"


async def test_values_of_a_form_become_what_the_model_takes(web: httpx.AsyncClient) -> None:
    form: dict[str, Any] = FORM | {
        "p.guidance_scale": "7.5",
        "p.scheduler": "DDIM",
        "p.negative_prompt": "007",
        "p.num_outputs": "",
    }
    form |= {"p.apply_watermark": ["false", "true"]}
    await web.post("/jobs", data=form)
    [card] = await newest(5)
    assert card.parameters == {
        "width": 512,
        "height": 768,
        "guidance_scale": 7.5,
        "scheduler": "DDIM",
        "negative_prompt": "007",
        "apply_watermark": True,
    }


async def test_integer_choices_and_lists_of_addresses_come_through(web: httpx.AsyncClient) -> None:
    await web.post("/jobs", data={"prompt": "the sea", "model": "minimax/hailuo-02", "p.duration": "10"})
    addresses = "https://example.org/a.png\nhttps://example.org/b.png"
    await web.post("/jobs", data={"prompt": "a fox", "model": "google/nano-banana", "p.image_input": addresses})
    fox, sea = await newest(5)
    assert sea.parameters == {"duration": 10}
    assert fox.parameters == {"image_input": addresses.split()}


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"prompt": "   "}, "The prompt is empty."),
        ({"p.num_outputs": "9"}, "num_outputs must be at most 4."),
        ({"p.width": "wide"}, "width must be an integer, not a string."),
        ({"model": "", "other_model": "not a name"}, "The model must be owner/name"),
        ({"model": "", "other_model": "nobody/nothing"}, "Replicate has no model nobody/nothing."),
    ],
)
async def test_what_is_wrong_is_told_and_nothing_that_was_typed_is_lost(
    web: httpx.AsyncClient, standin: str, headers: dict[str, str], change: dict[str, str], sentence: str
) -> None:
    answer = await web.post("/jobs", data=FORM | {"p.negative_prompt": "<b>blurry</b>"} | change, headers=headers)
    assert answer.status_code == 422
    assert sentence in answer.text.replace("&#39;", "'")
    assert ("<!doctype html>" in answer.text) == (not headers)
    assert change.get("other_model", "") in answer.text
    if "model" not in change:
        assert "&lt;b&gt;blurry&lt;/b&gt;" in answer.text
        assert (change | FORM)["p.height"] in answer.text
    assert await Job.count() == 0


async def test_the_composer_is_filled_in_by_its_address(web: httpx.AsyncClient) -> None:
    page = await web.get(
        "/", params={"prompt": 'a "fox" <b>', "model": "black-forest-labs/flux-schnell", "p.aspect_ratio": "3:2"}
    )
    assert "a &#34;fox&#34; &lt;b&gt;</textarea>" in page.text
    assert re.search(r'<option value="black-forest-labs/flux-schnell"[^>]* selected', page.text)
    assert re.search(r'<input type="radio"[^>]* name="p.aspect_ratio" value="3:2" checked>', page.text)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("stability-ai/sdxl", "Describe a picture"),
        ("minimax/hailuo-02", "Describe a video"),
        ("meta/musicgen", "Describe a sound"),
        ("nobody/nothing", "Write a prompt"),
    ],
)
async def test_the_empty_prompt_asks_for_what_the_model_makes(web: httpx.AsyncClient, model: str, words: str) -> None:
    page = await web.get("/", params={"model": model})
    assert f'placeholder="{words}"' in page.text
    fragment = await web.get("/composer", params={"model": model}, headers=HTMX)
    assert f'data-prompt-words="{words}"' in fragment.text


async def test_a_chosen_model_brings_its_own_controls(web: httpx.AsyncClient) -> None:
    fragment = await web.get("/composer", params={"model": "meta/musicgen"}, headers=HTMX)
    assert fragment.status_code == 200
    assert 'name="p.duration"' in fragment.text
    assert 'name="p.width"' not in fragment.text
    assert "<!doctype" not in fragment.text


async def test_pages_of_cards_follow_each_other_to_the_end(web: httpx.AsyncClient) -> None:
    ids = [str((await lifecycle.submit(f"fox {number}", "m/m", {})).id) for number in range(PAGE + 5)]
    await bulk.cancel_waiting(Job.id.is_not_null())  # those that wait are folded
    first = await web.get("/")
    assert card_ids(first.text) == ids[::-1][:PAGE]
    [older] = set(re.findall(r'id="older-link" href="(/\?cursor=[^"]+)"', first.text))
    rest = await web.get(older, headers=HTMX | {"HX-Target": "p#older"})
    assert card_ids(rest.text) == ids[::-1][PAGE:]
    assert "<!doctype" not in rest.text
    assert "cursor=" not in rest.text
    plain = await web.get(older)
    assert "<!doctype html>" in plain.text
    assert card_ids(plain.text) == card_ids(rest.text)


async def test_every_text_is_escaped(web: httpx.AsyncClient) -> None:
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    job = await lifecycle.submit(evil, "stability-ai/sdxl", {"negative_prompt": evil})
    for path in ("/", f"/jobs/{job.id}", f"/?prompt={evil}"):
        page = await web.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text


async def test_a_jobs_page_shows_each_attempt_with_its_error(web: httpx.AsyncClient) -> None:
    await lifecycle.submit("a fox", "stability-ai/sdxl", {})
    job = await lifecycle.claim(30)
    assert job is not None
    attempt = await attempts.begin(job, "stability-ai/sdxl", {"prompt": "a fox", "seed": 4711})
    assert attempt is not None
    await attempts.record_prediction(job, attempt, "qpt5jq1fssrmc0cmd5hvy31mdg")
    ended = Prediction("qpt5jq1fssrmc0cmd5hvy31mdg", "failed")
    assert await lifecycle.fail(job, Failure("model_error", "The model failed: no paper left."), ended)
    page = await web.get(f"/jobs/{job.id}")
    assert page.status_code == 200
    for word in ("no paper left", "qpt5jq1fssrmc0cmd5hvy31mdg", "4711"):
        assert word in page.text


async def test_a_jobs_page_shows_folded_what_the_model_said_and_its_json_does_not(web: httpx.AsyncClient) -> None:
    await lifecycle.submit("a fox", "stability-ai/sdxl", {})
    job = await lifecycle.claim(30)
    assert job is not None
    await attempts.begin(job, "stability-ai/sdxl", {})
    assert await lifecycle.fail(job, Failure("model_error", "The model failed.", details="<b>CUDA</b> error"))
    page = (await web.get(f"/jobs/{job.id}")).text
    _, said, rest = page.partition("Original error</summary>")
    assert said
    assert "&lt;b&gt;CUDA&lt;/b&gt; error" in rest.partition("</details>")[0]
    assert "CUDA" not in (await web.get(f"/status/{job.id}")).text


async def test_a_jobs_page_shows_it_whole_with_a_link_that_uses_it_again(web: httpx.AsyncClient) -> None:
    job = await completed()
    page = await web.get(f"/jobs/{job.id}")
    assert page.status_code == 200
    assert f"/media/{job.id}.png" in page.text
    [again] = re.findall(r'-again" class="action" href="(/\?prompt=[^"]+)"', page.text)
    filled = await web.get(again.replace("&amp;", "&"))
    assert "a fox in the snow</textarea>" in filled.text
    assert 'value="512"' in filled.text


async def test_a_failed_job_tells_why_and_offers_another_try(web: httpx.AsyncClient) -> None:
    job = await failed()
    for path in ("/", f"/jobs/{job.id}"):
        text = (await web.get(path)).text
        assert "safety filter" in text
        assert f'action="/jobs/{job.id}/retry"' in text


@pytest.mark.parametrize("action", ["", "/cancel", "/retry", "/delete"])
@pytest.mark.parametrize("job_id", [uuid4(), "no-uuid"])
async def test_unknown_jobs_are_not_found(web: httpx.AsyncClient, action: str, job_id: Any) -> None:
    method = "POST" if action else "GET"
    answer = await web.request(method, f"/jobs/{job_id}{action}", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "There is no such job." in answer.text


async def test_the_stand_in_is_named_on_every_page_with_the_way_out(web: httpx.AsyncClient) -> None:
    job = await completed()
    for path in ("/", f"/jobs/{job.id}", "/docs", "/nothing"):
        page = await web.get(path, headers={"Accept": "text/html"})
        assert 'popovertarget="demo-mode">Demo mode</button>' in page.text
        assert 'href="/settings/token"' in page.text


async def test_pages_carry_the_headers_that_keep_others_out(web: httpx.AsyncClient) -> None:
    page = await web.get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"


async def test_no_page_has_inline_script_or_style(web: httpx.AsyncClient) -> None:
    job = await completed()
    await failed()
    for path in ("/", f"/jobs/{job.id}", "/docs", "/nothing"):
        text = (await web.get(path, headers={"Accept": "text/html"})).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", text)


async def test_static_files_are_addressed_by_their_bytes_and_kept(web: httpx.AsyncClient) -> None:
    page = await web.get("/")
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    assert addresses
    for address in set(addresses):
        answer = await web.get(address)
        assert answer.status_code == 200, address
        if "?v=" in address:
            assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    ("size", "widths"),
    [((1024, 512), (256, 512)), ((512, 1024), (128, 256)), ((400, 300), (256, 400)), ((2000, 3), (256, 512))],
)
async def test_a_card_offers_both_sizes_of_its_picture_with_their_widths(
    web: httpx.AsyncClient, size: tuple[int, int], widths: tuple[int, int]
) -> None:
    job = await completed()
    await Output.update(
        {
            Output.preview_key: f"{job.id}.preview.webp",
            Output.stored_thumbnail_key: "stored.thumbnail.webp",
            Output.width: size[0],
            Output.height: size[1],
        },
        force=True,
    )
    page = await web.get("/")
    small, large = widths
    offered = f"/media/{job.id}.thumbnail.webp {small}w, /media/{job.id}.preview.webp {large}w"
    assert f'srcset="{offered}" sizes="auto, ' in page.text


async def test_a_card_with_one_size_of_its_picture_names_that(web: httpx.AsyncClient) -> None:
    job = await completed()
    await Output.update({Output.preview_key: f"{job.id}.preview.webp"}, force=True)
    page = await web.get("/")
    assert f'src="/media/{job.id}.preview.webp"' in page.text
    assert "srcset" not in page.text


async def test_the_buttons_of_cards_are_of_the_pages_one_form(web: httpx.AsyncClient) -> None:
    """A separate form in each card made every change of a long page slower: see templates/layouts/live_page.html."""
    jobs_made = [await completed(), await failed(), await lifecycle.submit("a fox in line", "stability-ai/sdxl", {})]
    page = (await web.get("/")).text
    cards = re.findall(r"<article .*?</article>", page, re.DOTALL)
    assert len(cards) == len(jobs_made)
    for card in cards:
        assert "<form" not in card
        buttons = re.findall(r"<button [^>]*>", card)
        assert buttons
        assert all(' form="marks" formaction="/' in button for button in buttons)
    assert page.count('<noscript><form id="marks" method="post" hidden></form></noscript>') == 1


async def test_the_examples_of_an_empty_library_lead_into_the_prompt(web: httpx.AsyncClient) -> None:
    page = await web.get("/")
    [first, *_] = re.findall(r'<a class="example" id="[a-z-]+" href="(/\?prompt=[^"]+)">', page.text)
    assert first.endswith("#prompt")
    assert page.text.count('class="example"') == 6
    assert "A lighthouse in fog" in (await web.get(first)).text.partition("<textarea")[2].partition("</textarea>")[0]

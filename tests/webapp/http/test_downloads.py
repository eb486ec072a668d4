"""Downloads: a file says how it was made, and such a file fills in the form again."""

import json
from hashlib import sha256
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from PIL import Image

from tasks.db.tables import Job
from tasks.files import exports
from tasks.files.storage import PIECE, Storage
from tasks.jobs import lifecycle
from tasks.settings import settings
from tests.factories import kept
from tests.tasks import samples

PICTURE = samples.picture()


async def made(
    prompt: str,
    content: bytes = PICTURE,
    extension: str = "png",
    key: str = "",
    positions: int = 1,
    seed: int | None = None,
) -> Job:
    """Create a completed job. Each of its outputs has a file with `content`."""
    await lifecycle.submit(prompt, "stability-ai/sdxl", {"width": 640, "refine": "no_refiner"})
    job = await lifecycle.claim(30)
    assert job is not None
    names = [key or f"{job.id}{f'-{position}' if position else ''}.{extension}" for position in range(positions)]
    storage = Storage.open(settings.storage_url)
    outputs = [await kept(storage, name, content, position) for position, name in enumerate(names)]
    await lifecycle.complete(job, outputs)
    await Job.update({Job.seed: seed}).where(Job.id == job.id)
    return job


async def download(web: httpx.AsyncClient, key: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await web.get(f"/media/{key}?download", headers=named)


async def test_a_download_fills_in_the_form_again(web: httpx.AsyncClient) -> None:
    job = await made("A red fox & an owl", seed=7)
    file = (await download(web, f"{job.id}.png")).content
    with Image.open(BytesIO(file)) as after, Image.open(BytesIO(PICTURE)) as before:
        assert after.tobytes() == before.tobytes()
    sendings: list[dict[str, Any]] = [{"content": file}, {"files": {"file": ("fox.png", file)}}]
    for sending in sendings:
        answer = await web.post("/imprint", **sending)
        assert answer.status_code == 200
        assert parse_qs(urlsplit(answer.json()["use"]).query) == {
            "prompt": ["A red fox & an owl"],
            "model": ["stability-ai/sdxl"],
            "p.width": ["640"],
            "p.refine": ["no_refiner"],
            "p.seed": ["7"],
        }
    page = await web.get(answer.json()["use"])
    assert "A red fox &amp; an owl" in page.text


async def test_a_browser_is_led_to_the_form_and_a_page_gets_the_address(web: httpx.AsyncClient) -> None:
    job = await made("A red fox")
    file = {"file": ("fox.png", (await download(web, f"{job.id}.png")).content)}
    answer = await web.post("/imprint", files=file, headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["location"][:19]) == (303, "/?prompt=A+red+fox&")
    answer = await web.post("/imprint", files=file, headers={"Accept": "text/html", "HX-Request": "true"})
    assert answer.json()["use"].startswith("/?prompt=A+red+fox&")


@pytest.mark.parametrize("content", [b"", PICTURE, samples.HTML, b"\xff\xd8\xff\xe1\x00\x02"])
async def test_what_says_nothing_is_refused(content: bytes, web: httpx.AsyncClient) -> None:
    for answer in (
        await web.post("/imprint", content=content),
        await web.post("/imprint", files={"file": ("a.png", content)}),
        await web.post("/imprint", files={"file": ("a.png", content)}, headers={"Accept": "text/html"}),
    ):
        assert answer.status_code == 422
        assert "does not say how it was made" in answer.text
    assert (await web.post("/imprint", data={"file": "text"})).status_code == 422


async def test_what_is_too_large_is_refused(web: httpx.AsyncClient) -> None:
    answer = await web.post("/imprint", content=bytes(20 * 2**20 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert "20 MiB" in answer.json()["detail"]


async def test_without_download_the_bytes_are_those_that_the_api_tells_of(web: httpx.AsyncClient) -> None:
    job = await made("A red fox")
    [output] = (await web.get(f"/status/{job.id}")).json()["outputs"]
    answer = await web.get(output["url"])
    assert sha256(answer.content).hexdigest() == output["sha256"]
    assert "immutable" in answer.headers["cache-control"]


async def test_a_download_is_true_in_size_etag_and_ranges(web: httpx.AsyncClient) -> None:
    job = await made("A red fox", content=samples.film(), extension="mp4")
    key = f"{job.id}.mp4"
    whole = await download(web, key)
    assert whole.headers["content-length"] == str(len(whole.content))
    assert whole.headers["cache-control"] == "private, no-cache"
    assert "last-modified" not in whole.headers
    etag = whole.headers["etag"]
    assert etag != (await web.get(f"/media/{key}")).headers["etag"]
    assert (await download(web, key, If_None_Match=etag)).status_code == 304
    start = len(samples.film()) - 20
    part = await download(web, key, Range=f"bytes={start}-{start + 99}", If_Range=etag)
    assert (part.status_code, part.content) == (206, whole.content[start : start + 100])
    assert part.headers["content-range"] == f"bytes {start}-{start + 99}/{len(whole.content)}"
    head = await web.head(f"/media/{key}?download")
    assert (head.headers["content-length"], head.headers["etag"]) == (str(len(whole.content)), etag)
    await Job.update({Job.parameters: json.dumps({"width": 8})}).where(Job.id == job.id)
    assert (await download(web, key)).headers["etag"] != etag


async def test_a_large_film_is_sent_a_piece_at_a_time(web: httpx.AsyncClient) -> None:
    film = samples.film() + (3 * PIECE).to_bytes(4, "big") + b"mdat" + bytes(3 * PIECE - 8)
    job = await made("A red fox", content=film, extension="mp4")
    assert (await download(web, f"{job.id}.mp4")).content.startswith(film)


async def test_nothing_is_written_in_where_that_is_not_wanted(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "settings", settings.model_copy(update={"embed_metadata": False}))
    job = await made("A red fox")
    answer = await download(web, f"{job.id}.png")
    assert answer.content == PICTURE
    assert answer.headers["cache-control"] == "private, no-cache", "another day it may be wanted"
    assert "a-red-fox-" in answer.headers["content-disposition"]


async def test_a_file_of_several_jobs_or_an_upload_says_nothing(web: httpx.AsyncClient) -> None:
    for _ in range(2):
        await made("A red fox", key="shared.png")
    answer = await download(web, "shared.png")
    assert answer.content == PICTURE
    assert answer.headers["content-disposition"] == 'attachment; filename="darkroom-shared.png"'
    upload = (await web.post("/uploads", files={"file": ("fox.png", PICTURE)})).json()["url"]
    assert (await web.get(upload, params={"download": ""})).content == PICTURE


@pytest.mark.parametrize(
    ("prompt", "plain", "full"),
    [
        ("A red fox, in the snow at dawn, 35mm", "a-red-fox-in-the-snow-TAIL.png", None),
        ('../"quoted"; \r\n100%', "quoted-100-TAIL.png", None),
        ("Café in Tromsø", "cafe-in-troms-TAIL.png", "caf%C3%A9-in-troms%C3%B8-TAIL.png"),
        ("雪の中の狐", "TAIL.png", "%E9%9B%AA%E3%81%AE%E4%B8%AD%E3%81%AE%E7%8B%90-TAIL.png"),
        ("🦊!", "darkroom-TAIL.png", None),
        ("wonderful" * 20, ("wonderful" * 20)[:48] + "-TAIL.png", None),
    ],
)
async def test_a_file_is_named_by_its_prompt(prompt: str, plain: str, full: str | None, web: httpx.AsyncClient) -> None:
    job = await made(prompt)
    tail = str(job.id)[-6:]
    named = f'attachment; filename="{plain}"' + (f"; filename*=UTF-8''{full}" if full else "")
    answer = await download(web, f"{job.id}.png")
    assert answer.headers["content-disposition"] == named.replace("TAIL", tail)


async def test_the_second_file_of_a_job_has_another_name(web: httpx.AsyncClient) -> None:
    job = await made("A red fox", positions=2)
    answer = await download(web, f"{job.id}-1.png")
    assert answer.headers["content-disposition"] == f'attachment; filename="a-red-fox-{str(job.id)[-6:]}-2.png"'

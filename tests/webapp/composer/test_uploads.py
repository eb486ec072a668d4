"""Uploaded files: by POST /uploads, and with the composer's form when there is no JavaScript."""

import re
from typing import Any

import httpx
import pytest

from tasks.db.database import now
from tasks.db.tables import Job, Upload
from tasks.files import uploads
from tasks.jobs import lifecycle
from tasks.settings import settings
from tests.newest import newest
from tests.tasks.samples import SVG, picture
from webapp.gallery import gallery
from webapp.http.errors import Problem
from webapp.schemas.codes import Code

PICTURE = picture(120, 80)
FORM = {"prompt": "a fox", "model": "stability-ai/sdxl"}


async def test_an_upload_is_answered_with_its_address_where_it_is_from_then_on(web: httpx.AsyncClient) -> None:
    answer = await web.post("/uploads", files={"file": ("fox.png", PICTURE, "image/png")})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert re.fullmatch(r"/media/upload-[0-9a-f-]{36}\.png", told["url"])
    assert answer.headers["location"] == told["url"]
    assert (told["kind"], told["width"], told["height"], told["bytes"]) == ("image", 120, 80, len(PICTURE))
    assert (await web.get(told["url"])).content == PICTURE
    again = await web.post("/uploads", files={"picture": ("other.jpg", PICTURE, "image/jpeg")})
    assert again.json() == told


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"files": {"file": ("a.svg", SVG, "image/svg+xml")}}, 415, "upload_type_refused"),
        ({"files": {"file": ("a.png", PICTURE[:90], "image/png")}}, 422, "upload_unreadable"),
        ({"files": {"file": ("a.png", b"", "image/png")}}, 422, "upload_empty"),
        ({"data": {"file": "no file"}, "files": {"other": (None, b"text")}}, 422, "upload_missing"),
        ({"content": PICTURE, "headers": {"Content-Type": "image/png"}}, 415, "unsupported_media_type"),
    ],
    ids=["svg", "damaged", "empty", "none", "bare"],
)
async def test_what_is_no_upload_is_told_as_a_problem(
    web: httpx.AsyncClient, request_: dict[str, Any], status: int, code: str
) -> None:
    answer = await web.post("/uploads", **request_)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert await Upload.count() == 0


async def test_a_file_may_be_as_large_as_the_setting_says(web: httpx.AsyncClient) -> None:
    large = b"\0" * (uploads.MAX_UPLOAD_BYTES + 2**20 + 1)
    answer = await web.post("/uploads", files={"file": ("a.bin", large)})
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
    assert str(settings.max_upload_mib) in answer.json()["detail"]


async def test_a_form_without_files_stays_small(web: httpx.AsyncClient) -> None:
    answer = await web.post("/jobs", data=FORM | {"p.negative_prompt": "x" * 2**20})
    assert answer.status_code == 413


async def test_a_file_that_comes_with_the_form_is_the_input_of_its_job(web: httpx.AsyncClient) -> None:
    answer = await web.post("/jobs", data=FORM, files={"file:p.image": ("fox.png", PICTURE)})
    assert answer.status_code == 303, answer.text
    [card] = await newest(5)
    assert re.fullmatch(r"/media/upload-[0-9a-f-]{36}\.png", card.parameters["image"])


async def test_files_are_added_to_the_addresses_that_were_typed(web: httpx.AsyncClient) -> None:
    form = {"prompt": "a fox", "model": "google/nano-banana", "p.image_input": "https://example.org/a.png"}
    files = [("files:p.image_input", ("1.png", picture(50, 50))), ("files:p.image_input", ("2.png", picture(51, 50)))]
    assert (await web.post("/jobs", data=form, files=files)).status_code == 303
    [card] = await newest(5)
    first, *ours = card.parameters["image_input"]
    assert first == "https://example.org/a.png"
    assert len({*ours}) == 2


async def test_a_form_whose_file_field_was_left_empty_sends_none(web: httpx.AsyncClient) -> None:
    answer = await web.post("/jobs", data=FORM, files={"file:p.image": ("", b"")})
    assert answer.status_code == 303
    [card] = await newest(5)
    assert card.parameters == {}


async def test_a_file_that_is_unfit_is_a_fault_at_its_control_and_the_text_is_not_lost(web: httpx.AsyncClient) -> None:
    files = {"file:p.image": ("fox.svg", SVG), "file:p.mask": ("mask.png", PICTURE)}
    answer = await web.post("/jobs", data=FORM, files=files)
    assert answer.status_code == 422
    assert re.search(r'id="p-image-fault">fox.svg: Files of type image/svg\+xml are not accepted.', answer.text)
    assert "a fox</textarea>" in answer.text
    assert await Job.count() == 0


@pytest.mark.parametrize(
    "wrong",
    [{"prompt": ""}, {"model": "nobody/nothing"}, {"p.width": "wide"}, {"prompt": "a {red|blue} fox", "seeds": "none"}],
    ids=["prompt", "model", "parameter", "matrix"],
)
async def test_files_that_came_with_a_form_which_is_refused_are_not_kept(
    web: httpx.AsyncClient, standin: str, wrong: dict[str, str]
) -> None:
    known = (await web.post("/uploads", files={"file": ("mask.png", picture(60, 60))})).json()["url"]
    files = {"file:p.image": ("fox.png", PICTURE), "file:p.mask": ("mask.png", picture(60, 60))}
    answer = await web.post("/jobs", data=FORM | wrong, files=files)
    assert answer.status_code == 422
    assert "/media/upload-" not in answer.text
    assert [f"/media/{row['key']}" for row in await Upload.select(Upload.key)] == [known]
    assert (await web.get(known)).status_code == 200


async def test_files_are_not_kept_either_where_the_form_meets_an_error(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Problem(Code.QUEUE_FULL, "There is no room in the queue.")

    monkeypatch.setattr(gallery, "admit", away)
    answer = await web.post("/jobs", data=FORM, files={"file:p.image": ("fox.png", PICTURE)})
    assert answer.status_code == 429
    assert await Upload.count() == 0


async def test_there_is_room_for_so_much(web: httpx.AsyncClient) -> None:
    await Upload.insert(
        Upload(key="upload-large.bin", media_type="a/b", bytes=uploads.QUOTA_BYTES, sha256="0" * 64, created_at=now())
    )
    answer = await web.post("/uploads", files={"file": ("fox.png", PICTURE)})
    assert (answer.status_code, answer.json()["code"]) == (507, "uploads_full")
    answer = await web.post("/jobs", data=FORM, files={"file:p.image": ("fox.png", PICTURE)})
    assert answer.status_code == 422
    assert re.search(r'id="p-image-fault">fox.png: There is no room for more files', answer.text)
    assert await Upload.count() == 1


async def test_a_file_of_ours_is_shown_in_the_composer(web: httpx.AsyncClient) -> None:
    url = (await web.post("/uploads", files={"file": ("fox.png", PICTURE)})).json()["url"]
    page = await web.get("/", params={"p.image": url})
    preview = url.replace(".png", ".preview.webp")
    assert f'<img src="{preview}"' in page.text
    assert (await web.get(preview)).headers["content-type"] == "image/webp"


async def test_programs_name_an_upload_as_input(web: httpx.AsyncClient) -> None:
    url = (await web.post("/uploads", files={"file": ("fox.png", PICTURE)})).json()["url"]
    answer = await web.post("/generate", json={"prompt": "a fox", "parameters": {"image": url}})
    assert answer.status_code == 202, answer.text
    refused = await web.post("/generate", json={"prompt": "a fox", "parameters": {"image": url[:-4] + ".jpg"}})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/parameters/image")


async def test_programs_say_what_a_job_is_made_from(web: httpx.AsyncClient) -> None:
    parent = await lifecycle.submit("a fox", "stability-ai/sdxl", {})
    answer = await web.post("/generate", json={"prompt": "a fox", "made_from": str(parent.id)})
    status = await web.get(f"/status/{answer.json()['job_id']}")
    assert status.json()["made_from"] == str(parent.id)
    refused = await web.post("/generate", json={"prompt": "a fox", "made_from": "nobody"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_made_from")

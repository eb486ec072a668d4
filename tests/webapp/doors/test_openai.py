"""OpenAI's images API, spoken by its official client over HTTP, and by others in their own way."""

import asyncio
import re
import socket
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import httpx
import openai
import pytest
import uvicorn
from openai import AsyncOpenAI
from openai.types import Image, ImagesResponse
from PIL import Image as Pictures

from tasks.accounts.audit import By
from tasks.db.database import DB
from tasks.db.tables import Batch, Job, Output, Status, Upload
from tasks.errors import DatabaseAway
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.settings import settings
from tasks.spend import limits
from tests import factories
from tests.conftest import Faults
from tests.tasks import samples
from tests.tasks.work import at_work
from tests.waiting import eventually
from tests.webapp.raw import app_of

SDXL, FLUX, BANANA = "stability-ai/sdxl", "black-forest-labs/flux-schnell", "google/nano-banana"
SMALL = "128x128"
NO_WAIT = {"Prefer": "wait=1"}


@pytest.fixture(scope="module")
async def address(web: httpx.AsyncClient) -> AsyncIterator[str]:
    """Serve the application of the tests over HTTP. Yields its address."""
    async with served(web) as (address, _):
        yield address


@asynccontextmanager
async def served(web: httpx.AsyncClient) -> AsyncIterator[tuple[str, uvicorn.Server]]:
    """Serve the application of the tests over HTTP while the block runs. Yields its address, and the server."""
    config = uvicorn.Config(
        app_of(web), lifespan="off", ws="none", log_level="critical", timeout_graceful_shutdown=1
    )  # fmt: skip
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server._serve([listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", server
        server.should_exit = True
        await serving


@pytest.fixture
async def client(address: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{address}/v1", api_key="sk-anything", max_retries=0) as client:
        yield client


@pytest.fixture
async def worker(standin: str) -> AsyncIterator[None]:
    async with at_work():
        yield


def only(response: ImagesResponse) -> Image:
    assert response.data is not None
    [image] = response.data
    return image


def opened(image: Image) -> Pictures.Image:
    assert image.b64_json is not None
    return Pictures.open(BytesIO(b64decode(image.b64_json)))


async def only_job() -> Job:
    [job] = await Job.objects()
    return job


# Images.


@pytest.mark.usefixtures("worker")
async def test_an_image_is_returned_whole_with_its_job(client: AsyncOpenAI) -> None:
    raw = await client.images.with_raw_response.generate(prompt="a fox", model=SDXL, size=SMALL)
    response, job = raw.parse(), await only_job()
    image = only(response)
    assert opened(image).size == (128, 128)
    assert (response.size, response.output_format) == ("128x128", "png")
    assert image.url is None
    assert image.model_extra == {"job_id": str(job.id)}
    assert raw.headers["x-darkroom-job"] == str(job.id)
    assert (job.status, job.prompt, job.model, job.origin) == (Status.COMPLETED, "a fox", SDXL, "openai")


@pytest.mark.usefixtures("worker")
async def test_an_image_is_returned_by_an_address_at_which_it_is(client: AsyncOpenAI) -> None:
    response = await client.images.generate(prompt="a fox", model=FLUX, size="1792x1024", response_format="url")
    image = only(response)
    assert image.b64_json is None
    assert image.url is not None
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(image.url)
    assert answer.headers["content-type"] == "image/webp"
    width, height = Pictures.open(BytesIO(answer.content)).size
    assert response.size == f"{width}x{height}"
    assert (await only_job()).parameters == '{"aspect_ratio": "16:9"}'


@pytest.mark.usefixtures("worker")
async def test_several_images_are_one_job_if_the_model_can(client: AsyncOpenAI) -> None:
    response = await client.images.generate(prompt="a fox", model=SDXL, size=SMALL, n=2, response_format="url")
    assert response.data is not None
    assert len({image.url for image in response.data}) == 2
    assert {(image.model_extra or {})["job_id"] for image in response.data} == {str((await only_job()).id)}


@pytest.mark.usefixtures("worker")
async def test_more_images_than_one_job_makes_are_a_batch(client: AsyncOpenAI) -> None:
    prompt = "a {red|blue} fox"  # no matrix here
    raw = await client.images.with_raw_response.generate(
        prompt=prompt, model=SDXL, size=SMALL, n=5, response_format="url"
    )
    images = raw.parse().data
    assert images is not None
    assert len({image.url for image in images}) == 5
    jobs = await Job.objects().order_by(Job.batch_place)
    assert [job.prompt for job in jobs] == [prompt] * 5
    assert {job.origin for job in jobs} == {"openai"}
    assert raw.headers["x-darkroom-job"] == ", ".join(str(job.id) for job in jobs)
    assert await Batch.count() == 1


@pytest.mark.usefixtures("worker")
async def test_the_images_of_a_batch_that_are_made_are_returned_although_others_fail(
    client: AsyncOpenAI, faults: Faults
) -> None:
    await faults.script({"on": "create", "match": "a fox", "do": "fail_prediction", "error": "NSFW", "times": 4})
    response = await client.images.generate(prompt="a fox", model=SDXL, size=SMALL, n=5)
    assert opened(only(response)).size == (128, 128)


async def test_a_model_that_makes_one_image_and_has_no_seed_makes_no_more(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="one image at a time") as refusal:
        await client.images.generate(prompt="a fox", model=BANANA, n=2)
    assert refusal.value.param == "n"
    assert not await Job.exists()


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("name", ["gpt-image-1.5", "dall-e-3", "chatgpt-image-latest", None])
async def test_openais_own_models_mean_the_default_one(client: AsyncOpenAI, name: str | None) -> None:
    await client.images.generate(prompt="a fox", model=name, size=SMALL)
    assert (await only_job()).model == SDXL


@pytest.mark.usefixtures("worker")
async def test_the_models_own_parameters_can_be_sent_too(client: AsyncOpenAI) -> None:
    await client.images.generate(prompt="a fox", size=SMALL, extra_body={"seed": 7, "refine": "no_refiner"})
    job = await only_job()
    assert (job.parameters, job.seed) == ('{"width": 128, "height": 128, "seed": 7, "refine": "no_refiner"}', 7)


@pytest.mark.usefixtures("worker")
async def test_a_request_that_is_repeated_with_its_key_gets_the_same_image(client: AsyncOpenAI) -> None:
    async def ask(count: int) -> Any:
        return await client.images.with_raw_response.generate(
            prompt="a fox", size=SMALL, n=count, response_format="url", extra_headers={"Idempotency-Key": f"k{count}"}
        )

    for count in (1, 5):
        first, again = await ask(count), await ask(count)
        assert first.parse().data == again.parse().data
        assert "idempotent-replayed" not in first.headers
        assert again.headers["idempotent-replayed"] == "true"
    assert await Job.count() == 6


# Events.


@pytest.mark.usefixtures("worker")
async def test_images_are_streamed_as_events(client: AsyncOpenAI) -> None:
    stream = await client.images.generate(
        prompt="a fox", size=SMALL, n=2, quality="high", partial_images=2, stream=True
    )
    events = [event async for event in stream]
    assert [event.type for event in events] == ["image_generation.completed"] * 2
    for event in events:
        assert Pictures.open(BytesIO(b64decode(event.b64_json))).size == (128, 128)
        assert event.type == "image_generation.completed"
        assert (event.size, event.output_format, event.quality, event.background) == (SMALL, "png", "high", "auto")
    assert stream.response.headers["x-darkroom-job"] == str((await only_job()).id)


@pytest.mark.usefixtures("worker")
async def test_a_stream_ends_with_the_error_of_a_job_that_failed(client: AsyncOpenAI, faults: Faults) -> None:
    await faults.script({"on": "create", "match": "a fox", "do": "fail_prediction", "error": "NSFW"})
    stream = await client.images.generate(prompt="a fox", stream=True)
    with pytest.raises(openai.APIError, match="safety filter") as refusal:
        [event async for event in stream]
    assert refusal.value.code == "moderation_blocked"


@pytest.mark.usefixtures("worker")
async def test_a_file_that_cannot_be_read_is_an_error_that_passes(client: AsyncOpenAI) -> None:
    key = {"Idempotency-Key": "k"}
    await client.images.generate(prompt="a fox", size=SMALL, extra_headers=key)
    output = await Output.objects().first()
    assert output is not None
    await Storage.open(settings.storage_url).delete([output.stored_key])
    with pytest.raises(openai.InternalServerError) as refusal:
        await client.images.generate(prompt="a fox", size=SMALL, extra_headers=key)
    assert (refusal.value.status_code, refusal.value.code) == (503, "storage_unavailable")
    assert refusal.value.response.headers["x-should-retry"] == "false"
    stream = await client.images.generate(prompt="a fox", size=SMALL, extra_headers=key, stream=True)
    with pytest.raises(openai.APIError) as error:
        [event async for event in stream]
    assert (error.value.code, error.value.type) == ("storage_unavailable", "server_error")


async def test_a_stream_is_told_that_its_job_was_deleted(client: AsyncOpenAI) -> None:
    stream = await client.images.generate(prompt="a fox", stream=True)
    job = await only_job()
    assert await lifecycle.cancel(job.id)
    await lifecycle.delete(job.id)
    with pytest.raises(openai.APIError, match=r"deleted|canceled"):
        [event async for event in stream]


async def test_a_stream_begins_before_the_job_has_ended(address: str) -> None:
    body = {"prompt": "a fox", "stream": True}
    async with (
        httpx.AsyncClient(base_url=address) as program,
        program.stream("POST", "/v1/images/generations", json=body) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert await anext(answer.aiter_text()) == ": waiting\n\n"


# Edits.


@pytest.mark.usefixtures("worker")
async def test_an_image_is_edited(client: AsyncOpenAI) -> None:
    picture = ("a.png", samples.picture(64, 64), "image/png")
    mask = ("mask.png", samples.picture(64, 64, mode="L"), "image/png")
    image = only(await client.images.edit(image=picture, mask=mask, prompt="a fox", n=1, size=SMALL, model=SDXL))
    assert opened(image).size == (128, 128)
    [first, second] = [upload.key for upload in await Upload.objects().order_by(Upload.key)]
    assert (await only_job()).parameters == (
        f'{{"width": 128, "height": 128, "image": "/media/{first}", "mask": "/media/{second}"}}'
    )


@pytest.mark.usefixtures("worker")
async def test_several_images_are_edited_and_streamed(client: AsyncOpenAI) -> None:
    pictures = [(f"{side}.png", samples.picture(side, side), "image/png") for side in (48, 64)]
    stream = await client.images.edit(
        image=pictures, prompt="both", model=BANANA, output_format="jpeg", size="1024x1024", stream=True
    )
    [event] = [event async for event in stream]
    assert event.type == "image_edit.completed"
    assert event.output_format == "jpeg"
    [first, second] = [upload.key for upload in await Upload.objects().order_by(Upload.key)]
    assert (await only_job()).parameters == (
        f'{{"aspect_ratio": "1:1", "output_format": "jpg", "image_input": ["/media/{first}", "/media/{second}"]}}'
    )


@pytest.mark.usefixtures("worker")
async def test_fields_of_a_form_have_the_types_of_the_models_parameters(client: AsyncOpenAI) -> None:
    picture = ("a.png", samples.picture(64, 64), "image/png")
    await client.images.edit(
        image=picture, prompt="a fox", model=SDXL, n=2, response_format="url", size=SMALL,
        extra_body={"seed": 7, "prompt_strength": 0.5, "apply_watermark": False},
    )  # fmt: skip
    said = (await only_job()).parameters
    assert '"seed": 7, "prompt_strength": 0.5, "apply_watermark": false' in said
    assert '"num_outputs": 2' in said


@pytest.mark.parametrize(
    ("model", "count", "said"),
    [(FLUX, 1, "does not accept images"), (SDXL, 2, "does not accept more than one image"), (BANANA, 17, "1 to 16")],
)
async def test_a_model_that_takes_no_such_images_is_refused_and_nothing_is_kept(
    client: AsyncOpenAI, model: str, count: int, said: str
) -> None:
    pictures = [("a.png", samples.picture(48, 48), "image/png")] * count
    with pytest.raises(openai.BadRequestError, match=said) as refusal:
        await client.images.edit(image=pictures, prompt="a fox", model=model)
    assert (refusal.value.param, refusal.value.type) == ("image", "invalid_request_error")
    assert not await Upload.exists()


async def test_a_mask_for_a_model_without_one_is_refused(client: AsyncOpenAI) -> None:
    picture = ("a.png", samples.picture(48, 48), "image/png")
    with pytest.raises(openai.BadRequestError, match="does not accept a mask"):
        await client.images.edit(image=picture, mask=picture, prompt="a fox", model=BANANA)


async def test_the_images_of_a_refused_edit_are_not_kept(client: AsyncOpenAI) -> None:
    picture = ("a.png", samples.picture(48, 48), "image/png")
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.images.edit(image=picture, prompt=" ", model=SDXL)
    assert refusal.value.param == "prompt"
    with pytest.raises(openai.BadRequestError, match="empty") as refusal:
        await client.images.edit(image=[picture, ("b.png", b"", "image/png")], prompt="a fox", model=BANANA)
    assert refusal.value.param == "image"
    assert not await Upload.exists()


async def test_files_that_are_no_images_to_edit_are_refused(address: str) -> None:
    async with httpx.AsyncClient(base_url=address) as program:
        answer = await program.post(
            "/v1/images/edits", data={"prompt": "a fox"}, files={"markup": samples.picture(48, 48)}
        )
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "markup")
        answer = await program.post("/v1/images/edits", json={"prompt": "a fox"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")


# Models.


async def test_the_models_are_listed(client: AsyncOpenAI) -> None:
    listed = [model async for model in client.models.list()]
    assert [model.id for model in listed][:2] == [SDXL, FLUX]
    assert (listed[0].object, listed[0].owned_by) == ("model", "stability-ai")


async def test_a_model_is_found_by_its_name(client: AsyncOpenAI, standin: str) -> None:
    found = await client.models.retrieve(FLUX)
    assert (found.id, found.owned_by) == (FLUX, "black-forest-labs")
    for name in ("nobody/nothing", "gpt-image-1"):
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve(name)


# Errors.


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"model": "a fox"}, "model"),
        ({"model": 5}, "model"),
        ({"n": 0}, "n"),
        ({"n": 11}, "n"),
        ({"n": True}, "n"),
        ({"size": "large"}, "size"),
        ({"width": "wide"}, "size"),
        ({"response_format": "png"}, "response_format"),
        ({"stream": "yes"}, "stream"),
        ({"seed": "x"}, "seed"),
        ({"legs": 4}, "legs"),
        ({"output_format": "webp"}, "output_format"),
        ({"background": "transparent"}, "background"),
        ({"output_compression": 50}, "output_compression"),
    ],
)
async def test_what_is_wrong_is_told_in_openais_words(client: AsyncOpenAI, members: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.images.generate(prompt="a fox", extra_body=members)
    assert (refusal.value.param, refusal.value.type) == (param, "invalid_request_error")
    assert refusal.value.code
    assert isinstance(refusal.value.body, dict)
    assert refusal.value.body["message"]
    assert not await Job.exists()


async def test_a_model_that_does_not_exist_is_told_by_openais_code(client: AsyncOpenAI, standin: str) -> None:
    with pytest.raises(openai.BadRequestError, match="no model") as refusal:
        await client.images.generate(prompt="a fox", model="nobody/nothing")
    assert (refusal.value.code, refusal.value.param) == ("model_not_found", "model")


async def test_a_body_that_is_no_json_and_an_address_with_nothing_are_told_in_openais_words(address: str) -> None:
    async with httpx.AsyncClient(base_url=address) as program:
        answer = await program.post(
            "/v1/images/generations", content=b"{", headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed_json")
        answer = await program.get("/v1/chat/completions")
        error = {
            "message": "There is nothing at this address.", "type": "invalid_request_error", "param": None,
            "code": "not_found",
        }  # fmt: skip
        assert (answer.status_code, answer.json()) == (404, {"error": error})


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("said", "status", "code"),
    [("NSFW content detected", 400, "moderation_blocked"), ("index out of range", 500, "model_error")],
)
async def test_a_failed_job_is_an_error_and_is_not_made_again(
    client: AsyncOpenAI, faults: Faults, said: str, status: int, code: str
) -> None:
    await faults.script({"on": "create", "match": "a fox", "do": "fail_prediction", "error": said, "times": 0})
    with pytest.raises(openai.APIStatusError) as refusal:
        await client.with_options(max_retries=2).images.generate(prompt="a fox")
    job, error = await only_job(), refusal.value
    assert (error.status_code, error.code) == (status, code)
    assert error.body == {
        "message": job.error, "type": "invalid_request_error" if status == 400 else "server_error", "param": None,
        "code": code, "job_id": str(job.id),
    }  # fmt: skip
    assert error.response.headers["x-darkroom-job"] == str(job.id)


async def test_a_canceled_job_is_an_error(client: AsyncOpenAI) -> None:
    asked = asyncio.create_task(client.images.generate(prompt="a fox"))
    await eventually(Job.exists().run)
    await lifecycle.cancel((await only_job()).id)
    with pytest.raises(openai.ConflictError) as refusal:
        await asked
    assert refusal.value.code == "job_canceled"


async def test_a_job_that_takes_too_long_is_told_by_its_id_and_goes_on(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="/status/") as refusal:
        await client.with_options(max_retries=2).images.generate(prompt="a fox", extra_headers=NO_WAIT)
    job = await only_job()
    assert (refusal.value.status_code, refusal.value.code) == (504, "job_not_ended")
    assert str(job.id) in refusal.value.message
    assert job.status == Status.QUEUED


async def test_a_batch_of_which_some_jobs_take_too_long_is_told_by_one_of_these(client: AsyncOpenAI) -> None:
    asked = asyncio.create_task(client.images.generate(prompt="a fox", n=5, extra_headers=NO_WAIT))
    await eventually(Job.exists().run)
    ended = await lifecycle.claim(30)
    assert ended is not None
    await lifecycle.complete(ended, [])
    with pytest.raises(openai.InternalServerError) as refusal:
        await asked
    assert refusal.value.code == "job_not_ended"
    assert isinstance(refusal.value.body, dict)
    assert refusal.value.body["job_id"] != str(ended.id)


async def test_a_job_that_may_be_there_is_not_asked_for_again(
    client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def away(*_: object) -> Any:
        nonlocal asked
        asked += 1
        raise DatabaseAway("The database is not responding: disk I/O error")

    monkeypatch.setattr(type(DB), "transaction", away)
    with pytest.raises(openai.InternalServerError, match="before you send") as refusal:
        await client.with_options(max_retries=2).images.generate(prompt="a fox", n=5)
    assert (refusal.value.status_code, refusal.value.code) == (503, "database_unavailable")
    assert asked == 1


async def test_a_server_that_stops_answers_those_that_wait(web: httpx.AsyncClient) -> None:
    async with served(web) as (address, server), AsyncOpenAI(base_url=f"{address}/v1", api_key="none") as client:
        asked = asyncio.create_task(client.images.generate(prompt="a fox"))
        await eventually(Job.exists().run)
        server.should_exit = True
        with pytest.raises(openai.InternalServerError) as refusal:
            await asked
    assert (refusal.value.status_code, refusal.value.code) == (504, "job_not_ended")
    assert str((await only_job()).id) in refusal.value.message


async def test_nobody_waits_for_a_program_that_went_away(web: httpx.AsyncClient, client: AsyncOpenAI) -> None:
    waiters = app_of(web).state.hub.waiters

    async def waits() -> bool:
        return bool(waiters)

    async def waits_no_more() -> bool:
        return not waiters

    asked = asyncio.create_task(client.images.generate(prompt="a fox"))
    await eventually(waits)
    asked.cancel()
    await eventually(waits_no_more, within=10)
    assert (await only_job()).status == Status.QUEUED


async def test_a_budget_without_room_refuses_all(client: AsyncOpenAI) -> None:
    await limits.put("all", "0.004/day", By())
    for count in (2, 5):
        with pytest.raises(openai.APIStatusError) as refusal:
            await client.images.generate(prompt="a fox", model=FLUX, n=count)
        assert (refusal.value.status_code, refusal.value.code) == (402, "budget_exceeded")
        assert refusal.value.type == "insufficient_quota"
    assert not await Job.exists()


async def test_from_the_first_person_on_a_key_is_needed(client: AsyncOpenAI) -> None:
    anna = await factories.person()
    with pytest.raises(openai.AuthenticationError) as refusal:
        await client.images.generate(prompt="a fox")
    assert (refusal.value.code, refusal.value.type) == ("invalid_api_key", "authentication_error")
    secret = (await factories.key_of(anna, "submit"))["Authorization"].partition(" ")[2]
    with pytest.raises(openai.PermissionDeniedError) as forbidden:
        await client.with_options(api_key=secret).models.list()
    assert (forbidden.value.code, forbidden.value.type) == ("missing_scope", "permission_error")


@pytest.mark.usefixtures("worker")
async def test_the_jobs_of_a_key_belong_to_its_person(client: AsyncOpenAI) -> None:
    anna = await factories.person()
    secret = (await factories.key_of(anna, "submit", "read"))["Authorization"].partition(" ")[2]
    await client.with_options(api_key=secret).images.generate(prompt="a fox", size=SMALL)
    assert (await only_job()).owner == anna.id


# Others.


@pytest.mark.usefixtures("worker")
async def test_open_webui_makes_and_edits_an_image(address: str) -> None:
    headers = {"Authorization": "Bearer sk-anything"}
    body = {"model": "dall-e-2", "prompt": "a fox", "n": 1, "size": "512x512", "response_format": "b64_json"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=60) as program:
        answer = await program.post("/v1/images/generations?api-version=2026", json=body)
        assert answer.status_code == 200
        assert "content-encoding" not in answer.headers  # pictures are compressed already
        [image] = answer.json()["data"]
        content = b64decode(image["b64_json"])
        assert Pictures.open(BytesIO(content)).size == (512, 512)
        fields = {"model": "dall-e-2", "prompt": "at night", "n": "1", "response_format": "b64_json"}
        for name, model in (("image", "dall-e-2"), ("image[]", BANANA)):
            files = {name: ("9b2e.png", content, "image/png")}
            answer = await program.post("/v1/images/edits", data=fields | {"model": model}, files=files)
            assert answer.status_code == 200
            assert answer.json()["data"][0]["b64_json"]


async def test_the_door_is_named_on_the_page_of_a_job(web: httpx.AsyncClient) -> None:
    await web.post("/v1/images/generations", json={"prompt": "a fox"}, headers=NO_WAIT)
    page = await web.get(f"/jobs/{(await only_job()).id}")
    assert re.search("OpenAI.{1,5}s API", page.text)

"""Replicate's official client in Python makes jobs here, unchanged. Its other ones are in test_programs.py."""

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image
from replicate.client import Client
from replicate.exceptions import ModelError, ReplicateError
from replicate.helpers import FileOutput
from replicate.prediction import Prediction
from replicate.webhook import InvalidSignatureError, Webhooks

from tasks.accounts.audit import By
from tasks.db.tables import Job, Upload
from tasks.spend import limits
from tests import factories
from tests.conftest import Faults
from tests.factories import FLUX, SDXL
from tests.receivers import receiving
from tests.tasks.samples import picture
from tests.tasks.standin.conftest import SDXL as VERSION
from tests.waiting import eventually

FOX = {"prompt": "a fox", "width": 64, "height": 64}


@pytest.fixture
async def official(address: str) -> AsyncIterator[Client]:
    """Yield version 1 of the client in Python. It has no close() method."""
    client = Client(api_token="any", base_url=f"{address}/replicate")
    client.poll_interval = 0.05
    yield client
    client._client.close()
    await client._async_client.aclose()


async def run(client: Client, model: str, given: dict[str, Any] = FOX, **more: Any) -> Any:
    """Run a model in a thread, as the client blocks."""
    return await asyncio.to_thread(partial(client.run, model, input=given, **more))


@pytest.mark.parametrize("model", [SDXL, f"{SDXL}:{VERSION}"])
async def test_run_returns_our_addresses(official: Client, working: Faults, address: str, model: str) -> None:
    [url] = await run(official, model)
    assert url.startswith(f"{address}/media/")  # it makes files of https: addresses only
    content = await asyncio.to_thread(FileOutput(url, official).read)
    assert Image.open(BytesIO(content)).size == (64, 64)
    [job] = await Job.objects()
    assert (job.origin, job.status) == ("replicate", "completed")


async def test_run_without_blocking_polls(official: Client, working: Faults) -> None:
    [url] = await run(official, FLUX, {"prompt": "a fox"}, wait=False)
    assert url.endswith(".webp")
    assert await official.async_run(FLUX, input={"prompt": "a fox"}, wait=False)


async def test_run_that_takes_longer_than_a_response_may_polls_on(official: Client, working: Faults) -> None:
    await working.script({"on": "create", "do": "run", "seconds": 1.2})
    [url] = await run(official, SDXL, wait=1)
    assert url.endswith(".png")


async def test_a_prediction_is_followed_to_its_end(official: Client, working: Faults) -> None:
    prediction = await official.predictions.async_create(version=VERSION, input=FOX)
    await prediction.async_wait()
    assert prediction.status == "succeeded"
    assert prediction.metrics is not None
    assert prediction.metrics["predict_time"] > 0
    assert (prediction.input, prediction.version) == (FOX, VERSION)
    assert await official.predictions.async_get(prediction.id) == prediction


async def test_an_iterator_yields_the_outputs(official: Client, working: Faults) -> None:
    prediction = await official.predictions.async_create(version=FLUX, input={"prompt": "a fox", "num_outputs": 2})
    found = [url async for url in prediction.async_output_iterator()]
    assert found == prediction.output
    assert len(found) == 2


async def test_a_running_prediction_is_canceled(official: Client, working: Faults) -> None:
    await working.script({"on": "create", "do": "run", "seconds": 60})
    prediction = await official.predictions.async_create(version=SDXL, input=FOX)
    while not prediction.started_at:
        await prediction.async_reload()
    await prediction.async_cancel()
    assert prediction.status == "canceled"


async def test_a_webhook_is_told_and_the_client_finds_it_signed(official: Client, working: Faults) -> None:
    async with receiving() as receiver:
        made = await official.predictions.async_create(
            version=SDXL, input=FOX, webhook=f"{receiver.url}?order=17", webhook_events_filter=["start", "completed"]
        )

        async def arrived() -> bool:
            return bool(receiver.arrivals)

        await eventually(arrived, 20)
    [arrival] = receiver.arrivals
    secret = await official.webhooks.default.async_secret()
    Webhooks.validate(headers=arrival.headers, body=arrival.body, secret=secret, tolerance=60)
    with pytest.raises(InvalidSignatureError):
        Webhooks.validate(headers=arrival.headers, body=arrival.body + " ", secret=secret)
    prediction = json.loads(arrival.body)
    assert (prediction["id"], prediction["status"]) == (made.id, "succeeded")
    assert Prediction(**prediction).output == [f"/media/{made.id}.png"]


@pytest.mark.parametrize("strategy", ["url", "base64"])
async def test_a_file_is_sent_as_input(official: Client, working: Faults, strategy: str) -> None:
    file, given = BytesIO(picture(64, 64)), {"prompt": "a fox", "width": 64, "height": 64}
    assert await run(official, SDXL, given | {"image": file}, file_encoding_strategy=strategy)
    [upload], [job] = await Upload.objects(), await Job.objects()
    assert json.loads(job.parameters)["image"] == f"/media/{upload.key}"


async def test_files_are_created_read_listed_and_deleted(official: Client) -> None:
    created = await official.files.async_create(BytesIO(picture(64, 64)), metadata={"a": 1})
    assert await official.files.async_get(created.id) == created
    assert await official.files.async_list() == [created]
    assert await official.files.async_delete(created.id)
    assert await official.files.async_list() == []


async def test_lists_models_and_the_account_are_read(official: Client, standin: str) -> None:
    jobs = [str((await factories.submitted(f"fox {number}")).id) for number in range(101)]
    first = await official.predictions.async_list()
    rest = await official.predictions.async_list(first.next)
    assert [prediction.id for page in (first, rest) for prediction in page] == jobs[::-1]
    model = await official.models.async_get(SDXL)
    assert model.latest_version is not None
    assert await model.versions.async_get(VERSION) == model.latest_version
    assert SDXL in {model.id for model in await official.models.async_list()}
    assert (await official.accounts.async_current()).type == "user"


async def test_a_failure_is_an_error_of_the_model(official: Client, working: Faults) -> None:
    await working.script({"on": "create", "do": "fail_prediction", "error": "NSFW content detected."})
    with pytest.raises(ModelError, match="safety filter"):
        await run(official, SDXL)


async def test_refusals_are_errors_of_the_api(official: Client, address: str, standin: str) -> None:
    with pytest.raises(ReplicateError) as told:
        await official.async_run(SDXL, input={"prompt": "a fox", "width": "wide"})
    assert (told.value.status, told.value.title) == (422, "Input validation failed")
    with pytest.raises(ReplicateError) as told:
        await official.predictions.async_get("nothing")
    assert told.value.status == 404
    await limits.put("all", "0.001/month", By())
    with pytest.raises(ReplicateError) as told:
        await official.async_run(FLUX, input={"prompt": "a fox"})
    assert (told.value.status, told.value.title) == (402, "Insufficient credit")
    await factories.person()
    with pytest.raises(ReplicateError) as told:
        await official.accounts.async_current()
    assert (told.value.status, told.value.title) == (401, "Unauthenticated")


async def test_with_people_a_key_is_the_token_and_outputs_need_none_for_a_while(address: str, working: Faults) -> None:
    headers = await factories.key_of(await factories.person(), "submit", "read")
    client = Client(api_token=headers["Authorization"].removeprefix("Bearer "), base_url=f"{address}/replicate")
    [url] = await run(client, SDXL)
    async with httpx.AsyncClient() as anybody:
        content = (await anybody.get(url)).raise_for_status().content
        assert (await anybody.get(url.partition("?")[0])).status_code == 401
    assert Image.open(BytesIO(content)).size == (64, 64)
    assert await asyncio.to_thread(FileOutput(url, client).read) == content  # which sends the key, too
    again = await client.predictions.async_create(version=SDXL, input=FOX | {"image": url})
    assert (again.input or {})["image"] == url.partition("?")[0]
    client._client.close()
    await client._async_client.aclose()

"""Replicate's official clients make jobs here, unchanged: two versions of the one in Python, and the one in JavaScript.

Only one version fits into the environment of the tests. The others are fetched, and their tests skipped where they
cannot be.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from io import BytesIO
from pathlib import Path
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
NEWER = (
    "replicate==2.0.0b4 --hash=sha256:b065dd58a1f13278ebec575fedf4038960d3f6d569a92f912b5411720190268e\n"
    "distro==1.9.0 --hash=sha256:7bffd925d65168f85027d8da9af6bddab658135b840670a223589bc0c8ef02b2\n"
)
"""Version 2 and the one package that it needs besides those that version 1 needs, too."""
JAVASCRIPT = "replicate@1.4.0"
HERE = Path(__file__).parent


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


@pytest.mark.once
async def test_version_2_in_python(address: str, working: Faults, picture_file: Path, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(NEWER)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    fetched = [*pip, "--require-hashes", "--target", f"{tmp_path}/site", "-r", f"{tmp_path}/requirements.txt"]
    await _fetch(fetched, "version 2 of the client in Python")
    told = await _run(
        working,
        [sys.executable, f"{HERE}/replicate_client.py"],
        REPLICATE_BASE_URL=f"{address}/replicate",
        REPLICATE_POLL_INTERVAL="0.05",
        PYTHONPATH=f"{tmp_path}/site",
        PICTURE=str(picture_file),
    )
    _check(told, address)
    assert told["used"][0].startswith(f"{address}/media/")


@pytest.mark.once
async def test_the_client_in_javascript(address: str, working: Faults, picture_file: Path, tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed")
    install = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", f"{tmp_path}"]
    await _fetch([*install, JAVASCRIPT], "the client in JavaScript")
    shutil.copy(HERE / "replicate_client.mjs", tmp_path)
    script = ["node", f"{tmp_path}/replicate_client.mjs"]
    told = await _run(working, script, BASE_URL=f"{address}/replicate/v1", PICTURE=str(picture_file))
    _check(told, address)


@pytest.fixture
def picture_file(tmp_path: Path) -> Path:
    file = tmp_path / "picture.png"
    file.write_bytes(picture(64, 64))
    return file


def _check(told: dict[str, Any], address: str) -> None:
    """Check what a client's program tells of its calls."""
    for name in ("run", "polled", "with_file"):
        [url] = told[name]
        assert url.startswith(f"{address}/media/"), name
    assert told["input"]["image"].startswith(f"{address}/media/upload-")
    assert told["canceled"] == "canceled"
    assert "safety filter" in told["failed"]
    assert told["refused"] == [422, 404]
    assert told["file"] == [6, True]
    assert len(told["listed"]) == len(set(told["listed"])) >= 5
    assert (told["models"], told["version"], told["account"]) == (["sdxl"], VERSION, "user")


async def _fetch(command: list[str], what: str) -> None:
    """Install a client, or skip the test where it cannot be had."""
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output, _ = await process.communicate()
    if process.returncode:
        pytest.skip(f"{what} cannot be fetched: {output.decode(errors='replace')[-300:]}")


async def _run(faults: Faults, command: list[str], **environment: str) -> dict[str, Any]:
    """Run a client's program. Returns what it tells. Its predictions of "bad" fail, and those of "long" take long."""
    await faults.script(
        {"on": "create", "match": "bad", "do": "fail_prediction", "error": "NSFW content detected."},
        {"on": "create", "match": "long", "do": "run", "seconds": 60},
    )
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "REPLICATE_API_TOKEN": "any", **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return dict(json.loads(output))

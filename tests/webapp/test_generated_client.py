"""A client that openapi-python-client makes from the API's document: complete, clean to mypy, and of use."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib import import_module, invalidate_caches
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.tasks import samples
from webapp.app import api_document

pytestmark = pytest.mark.once

PACKAGE = "darkroom_client"
CONFIG = "post_hooks: []\ncontent_type_overrides:\n  application/zip: application/octet-stream\n"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generate the client, and return its folder."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "config.yaml").write_text(CONFIG)
    command = [f"{Path(sys.executable).with_name('openapi-python-client')}", "generate", "--meta", "none"]
    (folder / "openapi.json").write_text(json.dumps(api_document()))
    command += ["--path", f"{folder}/openapi.json", "--output-path", f"{folder}/{PACKAGE}"]
    command += ["--config", f"{folder}/config.yaml"]
    made = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert made.returncode == 0, made.stdout + made.stderr
    assert "WARNING" not in made.stdout, made.stdout
    return folder


class Caller:
    """The generated client, connected to the application of the tests."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def call(self, operation: str, *path: Any, **more: Any) -> Any:
        """Call an operation (jobs.status, say), and return its parsed answer."""
        module = import_module(f"{PACKAGE}.api.{operation}")
        return await module.asyncio(*path, client=self._client, **more)

    def model(self, name: str) -> Any:
        """Return one of the models."""
        return getattr(import_module(f"{PACKAGE}.models"), name)


@pytest.fixture
async def caller(
    generated: Path, web: httpx.AsyncClient, standin: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Caller]:
    monkeypatch.syspath_prepend(generated)
    invalidate_caches()
    client = import_module(PACKAGE).Client(base_url="http://darkroom.test", raise_on_unexpected_status=True)
    client.set_async_httpx_client(web)
    yield Caller(client)
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_it_is_clean_to_mypy(generated: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--config-file", "", "--ignore-missing-imports", PACKAGE]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=generated)
    assert checked.returncode == 0, checked.stdout + checked.stderr


async def test_a_job_is_submitted_read_listed_and_canceled_with_it(caller: Caller) -> None:
    parameters = caller.model("Parameters").from_dict({"width": 64, "height": 64})
    request = caller.model("Generate")(
        prompt="a typed fox", parameters=parameters, priority=caller.model("Priority").HIGH
    )
    submitted = await caller.call("jobs.generate", body=request)
    assert submitted.status == "queued"
    job = await caller.call("jobs.status", submitted.job_id)
    assert (job.job_id, job.prompt, job.priority) == (submitted.job_id, "a typed fox", "high")
    assert job.parameters.to_dict() == {"width": 64, "height": 64}
    listed = await caller.call("jobs.jobs", q="typed")
    assert [found.job_id for found in listed.jobs] == [submitted.job_id]
    canceled = await caller.call("jobs.cancel", submitted.job_id)
    assert (canceled.status, canceled.cancel) == ("canceled", "dequeued")
    change = caller.model("Change")(favorite=True, rating=3)
    changed = await caller.call("jobs.update_job", submitted.job_id, body=change)
    assert (changed.favorite, changed.rating) == (True, 3)


async def test_what_there_is_is_listed_with_it(caller: Caller) -> None:
    listed = await caller.call("models.models")
    assert "stability-ai/sdxl" in [model.name for model in listed.models]
    model = await caller.call("models.model", "stability-ai", "sdxl")
    assert model.defaults.to_dict()["width"] == 1024
    assert (await caller.call("jobs.collections")).collections == []
    assert (await caller.call("jobs.searches")).searches == []


async def test_what_was_spent_is_read_with_it_also_as_a_table(caller: Caller) -> None:
    spend = await caller.call("spend.spend", month="2026-11")
    assert (spend.month, spend.total.runs) == ("2026-11", 0)
    table = await caller.call("spend.spend_csv", month="2026-11")
    assert table.splitlines() == ["day,model,person,key,runs,usd"]


async def test_a_batch_is_submitted_and_read_with_it(caller: Caller) -> None:
    request = caller.model("GenerateBatch")(prompt="a {red|blue} fox")
    submitted = await caller.call("batches.submit_batch", body=request)
    batch = await caller.call("batches.batch", submitted.batch_id)
    assert (batch.counts.queued, [axis.name for axis in batch.axes]) == (2, ["prompt"])
    assert [job.job_id for job in batch.jobs] == [job.job_id for job in submitted.jobs]


async def test_a_file_is_uploaded_with_it(caller: Caller) -> None:
    file = import_module(f"{PACKAGE}.types").File(
        payload=BytesIO(samples.picture(64, 64)), file_name="a.png", mime_type="image/png"
    )
    uploaded = await caller.call("jobs.upload", body=caller.model("UploadForm")(file=file))
    assert (uploaded.kind, uploaded.media_type) == ("image", "image/png")


async def test_an_error_is_parsed_with_it(caller: Caller) -> None:
    problem = await caller.call("jobs.generate", body=caller.model("Generate")(prompt=" "))
    assert (problem.status, problem.code) == (422, "invalid_prompt")
    assert [error.pointer for error in problem.errors] == ["#/prompt"]

"""The official Python client works against the stand-in."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import pytest
from PIL import Image
from replicate.client import Client as Official
from replicate.exceptions import ModelError, ReplicateError
from replicate.helpers import FileOutput

from tests.tasks.standin.conftest import FLUX, SDXL, Client


@pytest.fixture
def official(client: Client) -> Iterator[Official]:
    """Yield Replicate's own client, connected to a fast stand-in."""
    with of(client) as official:
        yield official


@contextmanager
def of(client: Client) -> Iterator[Official]:
    """Hold Replicate's own client, connected to the same stand-in, while the block runs. It has no close() method."""
    official = Official(api_token="r8_test", base_url=str(client.base_url))
    official.poll_interval = 0.02
    yield official
    official._client.close()


def test_create_wait_and_get(official: Official) -> None:
    prediction = official.predictions.create(version=SDXL, input={"prompt": "a sea", "width": 64, "height": 64})
    prediction.wait()
    assert prediction.status == "succeeded"
    assert prediction.progress is not None
    assert (prediction.progress.percentage, prediction.progress.total) == (1.0, 50)
    assert official.predictions.get(prediction.id) == prediction


def test_create_by_model(official: Official) -> None:
    prediction = official.models.predictions.create(model=FLUX, input={"prompt": "a sea"})
    prediction.wait()
    assert prediction.output is not None
    assert prediction.output[0].endswith("/out-0.webp")


def test_cancel(stand_in: Callable[..., Client]) -> None:
    with of(stand_in(pace=60)) as official:
        prediction = official.predictions.create(version=SDXL, input={"prompt": "a sea"})
        prediction.cancel()
        prediction.reload()
    assert prediction.status == "canceled"


def test_list(official: Official) -> None:
    made = [official.predictions.create(model=FLUX, input={"prompt": str(number)}).id for number in range(101)]
    first = official.predictions.list()
    assert first.next is not None
    rest = official.predictions.list(first.next)
    assert [prediction.id for page in (first, rest) for prediction in page] == made[::-1]


def test_models_and_versions(official: Official) -> None:
    model = official.models.get("stability-ai/sdxl")
    assert model.latest_version is not None
    assert model.latest_version.id == SDXL
    assert [version.id for version in model.versions.list()] == [SDXL]
    assert model.versions.get(SDXL).openapi_schema == model.latest_version.openapi_schema
    assert FLUX in {f"{model.owner}/{model.name}" for model in official.models.list()}


def test_run_gives_files(official: Official) -> None:
    files = official.run(f"stability-ai/sdxl:{SDXL}", input={"prompt": "a sea", "width": 64, "height": 64})
    assert isinstance(files, list)
    assert isinstance(files[0], FileOutput)
    assert Image.open(BytesIO(files[0].read())).size == (64, 64)


def test_run_raises_what_the_model_said(client: Client, official: Official) -> None:
    client.script({"on": "create", "do": "fail_prediction", "error": "NSFW content detected"})
    with pytest.raises(ModelError, match="NSFW content detected"):
        official.run(FLUX, input={"prompt": "a sea"})


def test_errors_are_understood(official: Official) -> None:
    with pytest.raises(ReplicateError) as caught:
        official.predictions.create(version=SDXL, input={"width": "wide"})
    assert (caught.value.status, caught.value.title) == (422, "Input validation failed")


def test_files(official: Official) -> None:
    kept = official.files.create(BytesIO(b"hello"), filename="a.txt", content_type="text/plain")
    assert kept.checksums["sha256"] == hashlib.sha256(b"hello").hexdigest()
    assert official.files.get(kept.id) == kept
    assert [file.id for file in official.files.list()] == [kept.id]
    assert official.files.delete(kept.id)


def test_account_hardware_and_webhook_secret(official: Official) -> None:
    assert official.accounts.current().username == "darkroom"
    assert [hardware.sku for hardware in official.hardware.list()] == ["cpu"]
    assert official.webhooks.default.secret().key.startswith("whsec_")

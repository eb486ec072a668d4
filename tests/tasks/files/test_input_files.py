"""Our own files as input: checked when a job comes in, sent in the form that Replicate needs, never paid for twice."""

import json
import os
from base64 import b64decode
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from tasks.admission import admission
from tasks.admission.options import DEFAULTS, Options
from tasks.db.tables import Job, Status, Upload
from tasks.errors import Rejected
from tasks.files import input_files, uploads
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.library import cards
from tasks.models import registry
from tasks.replicate.client import Replicate
from tasks.settings import settings
from tests.conftest import Faults
from tests.tasks.samples import picture
from tests.tasks.work import DECODERS, SDXL, ended, stored, until

pytestmark = pytest.mark.once

NANO = "google/nano-banana"
SMALL = picture(64, 48)


@pytest.fixture
async def replicate(standin: str) -> AsyncIterator[Replicate]:
    client = Replicate()
    yield client
    await client.aclose()


async def admitted(prompt: str, model: str, parameters: Any, replicate: Replicate, terms: Options = DEFAULTS) -> Job:
    job, _ = await admission.admit(prompt, model, parameters, replicate, terms)
    return job


def noise(side: int) -> bytes:
    """Return a picture that no format compresses well."""
    file = BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(side * side * 3)).save(file, "PNG")
    return file.getvalue()


async def given(content: bytes) -> str:
    """Store an upload. Returns its address."""

    async def whole() -> AsyncIterator[bytes]:
        yield content

    return f"/media/{(await uploads.keep(whole(), Storage.open(settings.storage_url), DECODERS))[0].key}"


async def attempted(job_id: Any) -> dict[str, Any]:
    [attempt] = await cards.attempts(job_id)
    return dict(json.loads(attempt.input))


async def test_a_small_file_goes_as_a_data_url_and_the_model_works_from_it(
    working: Faults, replicate: Replicate
) -> None:
    address = await given(SMALL)
    job = await admitted("a fox from a small file", SDXL, {"image": address, "width": 64, "height": 64}, replicate)
    card = await ended(job)
    assert card.job.status == Status.COMPLETED, card.job.error
    [prediction] = await working.created("a fox from a small file")
    head, _, data = prediction["input"]["image"].partition(",")
    assert (head, b64decode(data)) == ("data:image/png;base64", SMALL)
    assert (await attempted(job.id))["image"] == address
    plain = await ended(
        await lifecycle.submit("a fox from a small file", SDXL, {"width": 64, "height": 64, "seed": card.job.seed})
    )
    assert await stored(plain.outputs[0].stored_key) != await stored(card.outputs[0].stored_key)


async def test_a_large_file_goes_by_the_files_api(working: Faults, replicate: Replicate, standin: str) -> None:
    content = noise(400)
    assert len(content) > input_files.MAX_INLINE_BYTES
    address = await given(content)
    job = await admitted("a fox from a large file", NANO, {"image_input": [address, await given(SMALL)]}, replicate)
    card = await ended(job)
    assert card.job.status == Status.COMPLETED, card.job.error
    [prediction] = await working.created("a fox from a large file")
    large, small = prediction["input"]["image_input"]
    assert large.startswith(f"{standin}/v1/files/")
    assert small.startswith("data:image/png;base64,")
    async with httpx.AsyncClient(headers={"Authorization": "Bearer any"}) as client:
        file = (await client.get(large)).json()
    assert (file["size"], file["content_type"]) == (len(content), "image/png")
    assert card.outputs[0].width == card.outputs[0].height, "the proportions of what was given"


async def test_the_result_of_a_job_is_input_for_another(working: Faults, replicate: Replicate) -> None:
    first = await ended(await lifecycle.submit("a fox to go on from", SDXL, {"width": 96, "height": 64}))
    address = f"/media/{first.outputs[0].key}"
    second = await admitted(
        "the same, at night", NANO, {"image_input": [address]}, replicate, Options(made_from=str(first.job.id))
    )
    card = await ended(second)
    assert card.job.status == Status.COMPLETED, card.job.error
    assert card.job.made_from == first.job.id


@pytest.mark.parametrize("size", ["small", "large"])
async def test_a_prediction_with_a_file_whose_answer_was_lost_is_found_and_not_made_again(
    working: Faults, replicate: Replicate, size: str
) -> None:
    prompt = f"a lost fox from a {size} file"
    await working.script({"on": "create", "match": prompt, "do": "drop_answer"})
    address = await given(SMALL if size == "small" else noise(400))
    card = await ended(await admitted(prompt, NANO, {"image_input": [address]}, replicate))
    assert card.job.status == Status.COMPLETED, card.job.error
    assert len(await working.created(prompt)) == 1


async def test_when_the_files_api_fails_the_file_is_sent_again_and_nothing_was_paid_for(
    working: Faults, replicate: Replicate
) -> None:
    await working.script({"on": "upload", "do": "status", "status": 503})
    address = await given(noise(401))
    card = await ended(await admitted("a fox of a second try", NANO, {"image_input": [address]}, replicate))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 0)
    assert len(await working.created("a fox of a second try")) == 1


async def test_a_file_that_is_gone_by_then_fails_the_job_with_a_reason(working: Faults) -> None:
    address = await given(picture(65, 48))
    await Upload.delete().where(Upload.key == address.removeprefix("/media/"))
    card = await ended(await lifecycle.submit("a fox from nothing", NANO, {"image_input": [address]}))
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "input_gone")
    assert await working.created("a fox from nothing") == []


async def test_a_file_that_storage_does_not_have_at_the_moment_is_waited_for(
    working: Faults, replicate: Replicate
) -> None:
    content = picture(66, 48)
    address = await given(content)
    storage, key = Storage.open(settings.storage_url), address.removeprefix("/media/")
    await storage.delete([key])
    job = await admitted("a fox from a folder that is not mounted", NANO, {"image_input": [address]}, replicate)
    await until(job.id, lambda card: card.job.error_code == "storage_unavailable")
    await storage.put(key, content)
    card = await ended(job)
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 0)
    assert len(await working.created("a fox from a folder that is not mounted")) == 1


@pytest.mark.parametrize(
    ("model", "parameters", "pointers"),
    [
        (SDXL, {"image": "/media/upload-019ab0c4-5d1e-7b36-9533-e50ac26d7632.png"}, ["/parameters/image"]),
        (SDXL, {"image": "/media/019ab0c4-5d1e-7b36-9533-e50ac26d7632.png"}, ["/parameters/image"]),
        (SDXL, {"image": "/media/../secret"}, ["/parameters/image"]),
        (SDXL, {"image": "/jobs/1", "mask": "nonsense"}, ["/parameters/image", "/parameters/mask"]),
        (
            NANO,
            {"image_input": ["https://example.org/a.png", "/media/019ab0c4-5d1e-7b36-9533-e50ac26d7632.png"]},
            ["/parameters/image_input/1"],
        ),
    ],
)
async def test_a_file_that_is_not_here_is_a_fault_at_its_place(
    replicate: Replicate, model: str, parameters: dict[str, Any], pointers: list[str]
) -> None:
    with pytest.raises(Rejected) as rejected:
        await admitted("a fox", model, parameters, replicate)
    assert [fault.pointer for fault in rejected.value.faults] == pointers
    assert await Job.count() == 0


async def test_only_parameters_that_are_files_name_files(replicate: Replicate) -> None:
    text = "/media/019ab0c4-5d1e-7b36-9533-e50ac26d7632.png"
    job = await admitted(text, SDXL, {"negative_prompt": text}, replicate)
    assert json.loads(job.parameters) == {"negative_prompt": text}
    model = registry.built_in(SDXL)
    assert model is not None
    arguments = model.arguments(text, {"negative_prompt": text})
    assert await input_files.sent(model, arguments, Storage.open(settings.storage_url), replicate) == arguments


@pytest.mark.parametrize("parent", ["nobody", "", 7, "019ab0c4-5d1e-7b36-9533-e50ac26d7632"])
async def test_what_a_job_was_made_from_must_be_a_job(replicate: Replicate, parent: object) -> None:
    with pytest.raises(Rejected) as rejected:
        await admitted("a fox", SDXL, None, replicate, Options(made_from=parent))
    assert rejected.value.code == "invalid_made_from"


async def test_nothing_is_made_from_a_deleted_job(replicate: Replicate) -> None:
    job = await lifecycle.submit("a fox", SDXL, {})
    await lifecycle.cancel(job.id)
    await lifecycle.delete(job.id)
    with pytest.raises(Rejected):
        await admitted("a fox", SDXL, None, replicate, Options(made_from=str(job.id)))

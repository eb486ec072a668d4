"""A key that is limited to some models makes nothing with others: no job, no batch, no estimate, and no retry."""

from typing import Any

import httpx
import pytest

from tasks.accounts import keys, people
from tasks.accounts.actors import Role
from tasks.accounts.audit import By
from tasks.db.tables import Job
from tasks.jobs import lifecycle
from tasks.jobs.insert import Owner
from tests import factories
from tests.factories import FLUX, SDXL


def body(path: str, model: str) -> dict[str, Any]:
    return {"prompt": "a {red|blue} fox", "models": [model]} if path == "/batches" else {"prompt": "a", "model": model}


@pytest.mark.parametrize("path", ["/generate", "/batches", "/estimate"])
async def test_a_key_for_some_models_makes_nothing_with_others(web: httpx.AsyncClient, standin: str, path: str) -> None:
    headers = await limited(FLUX)
    versioned = f"{SDXL}:{'0' * 64}"
    for model in (SDXL, versioned, FLUX.upper(), f"{FLUX}-x", "nobody/nothing"):
        answer = await web.post(path, json=body(path, model), headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "model_not_allowed"), model
        assert model in answer.json()["detail"]
    assert not await Job.exists()
    assert (await web.post(path, json=body(path, FLUX), headers=headers)).status_code in (200, 202)


async def test_it_makes_nothing_with_the_default_model_either(web: httpx.AsyncClient) -> None:
    headers = await limited(FLUX)
    for path, sent in [
        ("/generate", {"prompt": "a"}),
        ("/batches", {"prompt": "{a|b}"}),
        ("/estimate", {"prompt": "a"}),
    ]:
        answer = await web.post(path, json=sent, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "model_not_allowed")


async def test_one_model_among_several_that_is_not_allowed_is_enough(web: httpx.AsyncClient) -> None:
    headers = await limited(FLUX)
    for path in ("/batches", "/estimate"):
        answer = await web.post(path, json={"prompt": "a", "models": [FLUX, SDXL]}, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "model_not_allowed")


async def test_it_retries_no_job_of_another_model(web: httpx.AsyncClient) -> None:
    headers = await limited(FLUX)
    anna = await people.named("anna")
    assert anna is not None
    for model, status, code in ((SDXL, 403, "model_not_allowed"), (FLUX, 202, None)):
        job = await factories.submitted(model=model, owner=Owner(anna.id))
        await lifecycle.cancel(job.id)
        answer = await web.post(f"/jobs/{job.id}/retry", headers=headers)
        assert (answer.status_code, answer.json().get("code")) == (status, code)


async def test_it_retries_no_selection(web: httpx.AsyncClient) -> None:
    headers = await limited(FLUX, "submit", "read:all", "tidy")
    job = await factories.submitted(model=SDXL)
    await lifecycle.cancel(job.id)
    answer = await web.post("/selection", data={"action": "retry", "job": str(job.id)}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "model_not_allowed")
    [row] = await Job.objects()
    assert row.status == "canceled"


async def test_who_may_tidy_and_not_submit_retries_no_selection(web: httpx.AsyncClient) -> None:
    headers = await factories.key_of(await factories.person(), "read:all", "tidy")
    job = await factories.submitted()
    await lifecycle.cancel(job.id)
    answer = await web.post("/selection", data={"action": "retry", "job": str(job.id)}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")
    assert 'scope="submit"' in answer.headers["www-authenticate"]


async def limited(model: str, *scopes: str) -> dict[str, str]:
    """Return the headers of a key of anna's that may use one model."""
    anna = await factories.person(role=Role.MEMBER)
    made = await keys.add(anna, "ci", scopes or ("submit", "read"), By(), [model])
    return {"Authorization": f"Bearer {made.secret}"}

"""Idempotency-Key: each call that makes something is repeated without harm."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tasks.db.database import now
from tasks.db.request_tables import IdempotencyKey
from tasks.db.tables import Batch, Job, Upload
from tasks.files import uploads
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.settings import settings
from tests import factories
from tests.tasks.samples import picture

EXAMPLE = {"prompt": "a fox", "parameters": {"width": 512}}


def keyed(key: str, **more: str) -> dict[str, str]:
    return {"Idempotency-Key": key, **more}


async def posted(web: httpx.AsyncClient, key: str, path: str = "/generate", **body: Any) -> httpx.Response:
    return await web.post(path, json=EXAMPLE | body, headers=keyed(key))


async def test_a_repeated_request_gets_the_job_that_the_first_one_made(web: httpx.AsyncClient) -> None:
    first, second = await posted(web, "one"), await posted(web, "one")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["location"] == first.headers["location"]
    assert await Job.count() == 1


async def test_it_gets_the_job_as_it_is_now(web: httpx.AsyncClient) -> None:
    job_id = (await posted(web, "one")).json()["job_id"]
    await lifecycle.cancel(job_id)
    again = await posted(web, "one")
    assert again.status_code == 200
    assert (again.json()["job_id"], again.json()["status"]) == (job_id, "canceled")
    assert again.json() == (await web.get(f"/status/{job_id}")).json()


async def test_a_deleted_job_is_not_made_again(web: httpx.AsyncClient) -> None:
    job_id = (await posted(web, "one")).json()["job_id"]
    await lifecycle.cancel(job_id)
    await lifecycle.delete(job_id)
    assert (await posted(web, "one")).status_code == 410
    assert await Job.count() == 1


@pytest.mark.parametrize("other", [{"prompt": "a hare"}, {"parameters": {"width": 256}}, {"priority": "high"}])
async def test_a_key_of_another_request_is_refused(web: httpx.AsyncClient, other: dict[str, Any]) -> None:
    await posted(web, "one")
    refused = await posted(web, "one", **other)
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_mismatch")
    assert await Job.count() == 1


async def test_parameters_are_the_same_as_an_object_and_as_a_string(web: httpx.AsyncClient) -> None:
    await posted(web, "one")
    assert (await posted(web, "one", parameters='{ "width":512 }')).headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(("sent", "again"), [('"one"', "one"), ("one", '"one"'), (r'"a\"b\\c"', r'a"b\c')])
async def test_quotes_do_not_matter(web: httpx.AsyncClient, sent: str, again: str) -> None:
    await posted(web, sent)
    assert (await posted(web, again)).headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("key", ["", " ", '""', '"one', "one two", "x" * 256, f'"{"x" * 256}"', '"a"b"', "sch\u00f6n"])
async def test_a_key_that_is_not_valid_is_refused(web: httpx.AsyncClient, key: str) -> None:
    refused = await web.post("/generate", json=EXAMPLE, headers={b"Idempotency-Key": key.encode()})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_idempotency_key")
    assert await Job.count() == 0


async def test_the_longest_keys_are_accepted(web: httpx.AsyncClient) -> None:
    for key in ("x" * 255, f'"{"y" * 255}"'):
        assert (await posted(web, key)).status_code == 202


async def test_a_request_with_two_keys_is_refused(web: httpx.AsyncClient) -> None:
    headers = [("Idempotency-Key", "one"), ("Idempotency-Key", "two")]
    assert (await web.post("/generate", json=EXAMPLE, headers=headers)).status_code == 400


async def test_a_refused_request_keeps_no_key(web: httpx.AsyncClient) -> None:
    assert (await posted(web, "one", prompt="")).status_code == 422
    assert (await posted(web, "one")).status_code == 202


async def test_many_at_once_make_one_job(web: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(posted(web, "one") for _ in range(16)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 15
    assert await Job.count() == 1


async def test_a_batch_is_made_once(web: httpx.AsyncClient) -> None:
    first, again = [await posted(web, "one", "/batches", prompt="a {red|blue} fox") for _ in range(2)]
    assert first.json() == again.json()
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.headers["idempotent-replayed"] == "true"
    assert (await Batch.count(), await Job.count()) == (1, 2)
    for job in first.json()["jobs"]:
        await lifecycle.cancel(job["job_id"])
    ended = await posted(web, "one", "/batches", prompt="a {red|blue} fox")
    assert ended.status_code == 200
    assert [job["status"] for job in ended.json()["jobs"]] == ["canceled", "canceled"]
    other = await posted(web, "one", "/batches", prompt="a {red|green} fox")
    assert other.status_code == 422


async def test_a_retry_is_done_once(web: httpx.AsyncClient) -> None:
    job = await factories.failed()
    first = await web.post(f"/jobs/{job.id}/retry", headers=keyed("one"))
    assert first.status_code == 202
    await lifecycle.cancel(job.id)
    again = await web.post(f"/jobs/{job.id}/retry", headers=keyed("one"))
    assert (again.status_code, again.json()["status"]) == (200, "canceled")
    assert again.headers["idempotent-replayed"] == "true"
    assert (await web.post(f"/jobs/{job.id}/retry", headers=keyed("two"))).status_code == 202


async def test_a_key_of_a_retry_is_none_for_another_job(web: httpx.AsyncClient) -> None:
    one, two = await factories.failed(), await factories.failed()
    await web.post(f"/jobs/{one.id}/retry", headers=keyed("one"))
    assert (await web.post(f"/jobs/{two.id}/retry", headers=keyed("one"))).status_code == 422


async def uploaded(web: httpx.AsyncClient, content: bytes, key: str) -> httpx.Response:
    return await web.post("/uploads", files={"file": ("a.png", content)}, headers=keyed(key))


async def test_an_upload_is_repeated_and_its_key_fits_no_other_file(web: httpx.AsyncClient) -> None:
    first, again = [await uploaded(web, picture(64, 48), "one") for _ in range(2)]
    assert first.json() == again.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    other = await uploaded(web, picture(48, 64), "one")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert await Upload.count() == 1


async def test_the_key_of_an_upload_ends_with_it(web: httpx.AsyncClient) -> None:
    await uploaded(web, picture(64, 48), "one")
    await Upload.update({Upload.created_at: now() - timedelta(days=2)}, force=True)
    assert await uploads.sweep(Storage.open(settings.storage_url)) == 1
    assert await IdempotencyKey.count() == 0


async def test_two_keys_of_programs_do_not_meet(web: httpx.AsyncClient) -> None:
    anna, ben = await factories.person("anna"), await factories.person("ben")
    for person in (anna, ben):
        headers = await factories.key_of(person, "submit", "read")
        answer = await web.post("/generate", json=EXAMPLE, headers=headers | keyed("one"))
        assert "idempotent-replayed" not in answer.headers
    assert await Job.count() == 2


async def test_a_key_that_may_not_read_gets_no_more_of_the_job_than_at_first(web: httpx.AsyncClient) -> None:
    headers = await factories.key_of(await factories.person("anna"), "submit") | keyed("one")
    first = await web.post("/generate", json=EXAMPLE, headers=headers)
    await lifecycle.cancel(first.json()["job_id"])
    again = await web.post("/generate", json=EXAMPLE, headers=headers)
    assert (again.status_code, again.json().keys()) == (200, {"job_id", "status"})

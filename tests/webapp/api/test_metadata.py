"""Metadata: kept with a job, answered with it, and found by it."""

from typing import Any

import httpx
import pytest

from tasks.curation import trash
from tasks.db.request_tables import JobMetadata
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.settings import settings


async def made(web: httpx.AsyncClient, path: str = "/generate", **body: Any) -> Any:
    answer = await web.post(path, json={"prompt": "a fox"} | body)
    assert answer.status_code == 202, answer.text
    return answer.json()


async def found(web: httpx.AsyncClient, search: str) -> list[str]:
    answer = await web.get("/jobs.json", params={"q": search})
    assert answer.status_code == 200, answer.text
    return [job["job_id"] for job in answer.json()["jobs"]]


async def test_it_is_answered_and_found(web: httpx.AsyncClient) -> None:
    job = (await made(web, metadata={"order": "17", "shop.name": "Fox & Söhne, Berlin"}))["job_id"]
    other = (await made(web, metadata={"order": "18"}))["job_id"]
    plain = (await made(web))["job_id"]
    answer = (await web.get(f"/status/{job}")).json()
    assert answer["metadata"] == {"order": "17", "shop.name": "Fox & Söhne, Berlin"}
    assert "metadata" not in (await web.get(f"/status/{plain}")).json()
    assert await found(web, "meta.order:17") == [job]
    assert await found(web, 'meta.shop.name:"Fox & Söhne, Berlin"') == [job]
    assert await found(web, "-meta.order:17") == [plain, other]
    assert await found(web, "meta.order:17 meta.order:18") == []
    assert await found(web, "meta.nothing:17") == []


async def test_names_are_told_apart_by_case(web: httpx.AsyncClient) -> None:
    job = (await made(web, metadata={"Order": "17"}))["job_id"]
    assert await found(web, "meta.Order:17") == [job]
    assert await found(web, "meta.order:17") == []


async def test_each_job_of_a_batch_has_it(web: httpx.AsyncClient) -> None:
    batch = await made(web, "/batches", prompt="a {red|blue} fox", metadata={"order": "17"})
    assert set(await found(web, "meta.order:17")) == {job["job_id"] for job in batch["jobs"]}


async def test_a_deleted_job_leaves_none_behind(web: httpx.AsyncClient) -> None:
    job = (await made(web, metadata={"order": "17"}))["job_id"]
    await lifecycle.cancel(job)
    await lifecycle.delete(job)
    await trash.clear_all(Storage.open(settings.storage_url))
    assert await JobMetadata.count() == 0


@pytest.mark.parametrize(
    "metadata",
    [
        "order=17",
        ["order"],
        {"order": 17},
        {"order": None},
        {"order": "a\0b"},
        {"order": "x" * 501},
        {"": "17"},
        {"an order": "17"},
        {"n" * 65: "17"},
        {str(number): "" for number in range(21)},
        {str(number): "x" * 300 for number in range(7)},
    ],
)
async def test_what_is_not_metadata_is_refused(web: httpx.AsyncClient, metadata: object) -> None:
    answer = await web.post("/generate", json={"prompt": "a fox", "metadata": metadata})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_metadata")
    assert answer.json()["errors"][0]["pointer"].startswith("#/metadata")


@pytest.mark.parametrize("metadata", [{}, None])
async def test_no_metadata_is_none(web: httpx.AsyncClient, metadata: object) -> None:
    job = (await made(web, metadata=metadata))["job_id"]
    assert "metadata" not in (await web.get(f"/status/{job}")).json()


async def test_the_most_is_accepted(web: httpx.AsyncClient) -> None:
    metadata = {"n" * 63 + chr(ord("a") + number): "x" for number in range(20)}
    job = (await made(web, metadata=metadata))["job_id"]
    assert (await web.get(f"/status/{job}")).json()["metadata"] == metadata


async def test_a_field_without_a_value_is_told(web: httpx.AsyncClient) -> None:
    answer = await web.get("/jobs.json", params={"q": "meta.order:"})
    assert answer.status_code == 422
    assert "needs a value" in answer.text


async def test_the_page_of_a_job_shows_it_with_a_search_for_the_others(web: httpx.AsyncClient) -> None:
    job = (await made(web, metadata={"order": '17 "b" <i>', "shop": "Söhne"}))["job_id"]
    page = (await web.get(f"/jobs/{job}", headers={"Accept": "text/html"})).text
    assert "17 &#34;b&#34; &lt;i&gt;" in page
    assert 'href="/?q=meta.shop%3A%22S%C3%B6hne%22"' in page

"""Prefer: wait=N: the response comes when the job has ended, and without polling."""

import asyncio
from collections.abc import Awaitable
from time import monotonic
from typing import Any

import httpx
import pytest

from tasks.accounts.actors import OPEN_HOUSE, Actor
from tasks.db.tables import Job
from tasks.jobs import lifecycle
from tests import factories
from tests.webapp.raw import app_of
from webapp.http.waiters import Waiters

EXAMPLE = {"prompt": "a fox"}
LONG = {"Prefer": "wait=30"}


async def while_waiting(web: httpx.AsyncClient, request: Awaitable[httpx.Response]) -> tuple[httpx.Response, Job]:
    """Complete a job when a request waits for it. Returns the response, and the job."""
    waits = asyncio.ensure_future(request)
    waiters: Waiters = app_of(web).state.hub.waiters
    async with asyncio.timeout(10):
        while not waiters:  # noqa: ASYNC110  # no event says when
            await asyncio.sleep(0.01)
    [job_id] = waiters.jobs
    claimed = await lifecycle.claim(30)
    assert claimed is not None
    assert claimed.id == job_id
    await lifecycle.complete(claimed, [])
    return await waits, claimed


async def test_a_submission_waits_for_the_end_of_its_job(web: httpx.AsyncClient) -> None:
    answer, job = await while_waiting(web, web.post("/generate", json=EXAMPLE, headers=LONG))
    assert answer.status_code == 200
    assert (answer.json()["job_id"], answer.json()["status"]) == (str(job.id), "completed")
    assert answer.headers["preference-applied"] == "wait=30"
    assert "Prefer" in answer.headers["vary"]
    assert not app_of(web).state.hub.waiters


async def test_a_poll_waits_for_the_end(web: httpx.AsyncClient) -> None:
    job = await factories.submitted()
    answer, _ = await while_waiting(web, web.get(f"/status/{job.id}", headers=LONG))
    assert (answer.status_code, answer.json()["status"]) == (200, "completed")
    assert answer.headers["preference-applied"] == "wait=30"
    assert answer.headers["etag"]


async def test_what_takes_longer_is_answered_as_it_is(web: httpx.AsyncClient) -> None:
    begun = monotonic()
    answer = await web.post("/generate", json=EXAMPLE, headers={"Prefer": "wait=1"})
    assert monotonic() - begun >= 1
    assert answer.status_code == 202
    assert answer.json().keys() == {"job_id", "status"}
    assert answer.headers["preference-applied"] == "wait=1"
    again = await web.get(answer.headers["location"], headers={"Prefer": "respond-async, wait=1"})
    assert (again.status_code, again.json()["status"]) == (202, "queued")
    assert again.headers["retry-after"]


async def test_what_has_ended_is_answered_at_once(web: httpx.AsyncClient) -> None:
    job = await factories.failed()
    begun = monotonic()
    answer = await web.get(f"/status/{job.id}", headers=LONG)
    assert (answer.status_code, answer.json()["status"]) == (200, "failed")
    assert monotonic() - begun < 10


@pytest.mark.parametrize(
    "prefer", ["", "wait=0", "wait=-1", "wait=soon", "return=minimal", "waiting=5", "respond-async"]
)
async def test_what_is_no_wait_is_ignored(web: httpx.AsyncClient, prefer: str) -> None:
    answer = await web.post("/generate", json=EXAMPLE, headers={"Prefer": prefer})
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


@pytest.mark.parametrize(
    ("prefer", "applied"),
    [("wait", 60), ("wait=300", 60), ("WAIT = 5", 5), ('wait="5"', 5), ("return=minimal, wait=5; x=1", 5)],
)
async def test_the_forms_of_a_wait(web: httpx.AsyncClient, prefer: str, applied: int) -> None:
    job = await factories.failed()
    answer = await web.get(f"/status/{job.id}", headers={"Prefer": prefer})
    assert answer.headers["preference-applied"] == f"wait={applied}"


async def test_a_repeated_submission_waits_too(web: httpx.AsyncClient) -> None:
    keyed = LONG | {"Idempotency-Key": "one"}
    first = await web.post("/generate", json=EXAMPLE, headers={"Idempotency-Key": "one"})
    again, _ = await while_waiting(web, web.post("/generate", json=EXAMPLE, headers=keyed))
    assert (again.status_code, again.json()["job_id"]) == (200, first.json()["job_id"])
    assert again.headers["idempotent-replayed"] == "true"


async def test_a_key_that_may_not_read_does_not_wait(web: httpx.AsyncClient) -> None:
    headers = LONG | await factories.key_of(await factories.person(), "submit")
    answer = await web.post("/generate", json=EXAMPLE, headers=headers)
    assert answer.status_code == 202
    assert "preference-applied" not in answer.headers


async def test_others_jobs_are_not_waited_for(web: httpx.AsyncClient) -> None:
    job = await factories.submitted()
    headers = LONG | await factories.key_of(await factories.person(), "read")
    assert (await web.get(f"/status/{job.id}", headers=headers)).status_code == 404
    assert (await web.get("/status/nonsense", headers=headers)).status_code == 404


def an_actor(**more: Any) -> Actor:
    return Actor("anna", OPEN_HOUSE.permissions, **more)


async def test_waiters_are_few_in_all_and_of_one_person() -> None:
    job, waiters = await factories.submitted(), Waiters(most=3, most_of_one=1)
    anna = an_actor(person=job.id)
    with waiters.registered(job.id, anna) as first:
        assert first is not None
        with waiters.registered(job.id, anna) as second:
            assert second is None
        with waiters.registered(job.id, OPEN_HOUSE) as third, waiters.registered(job.id, OPEN_HOUSE) as fourth:
            assert third is not None
            assert fourth is not None
            with waiters.registered(job.id, OPEN_HOUSE) as fifth:
                assert fifth is None
    with waiters.registered(job.id, anna) as again:
        assert again is not None
    assert not waiters

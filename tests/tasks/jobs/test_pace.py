"""How many jobs a key may submit within a minute, and what it is told of its limits."""

import asyncio
from uuid import UUID

import httpx
import pytest

from tasks.admission import batches
from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Job
from tasks.jobs import backlog, lifecycle, pace
from tasks.jobs.backlog import QueueFull
from tasks.jobs.insert import Owner, Terms
from tasks.settings import settings
from tests import factories
from tests.factories import SDXL

KEY, OTHER = ids.new(), ids.new()


@pytest.fixture(autouse=True)
def bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a key submit four jobs within a minute."""
    changed = settings.model_copy(update={"submissions_per_minute": 4, "max_waiting_per_client": 9})
    for module in (pace, backlog, batches):
        monkeypatch.setattr(module, "settings", changed)


async def submitted(key: UUID, seconds_ago: float = 0) -> None:
    job = await lifecycle.submit("a fox", SDXL, {}, Terms(owner=Owner(None, key)))
    if seconds_ago:
        earlier = ids.first_at(now() - pace.WINDOW * (seconds_ago / 60))
        await Job.update({Job.id: earlier}).where(Job.id == job.id)


async def test_a_key_may_submit_only_so_many_within_a_minute() -> None:
    for _ in range(4):
        await pace.keep_to(KEY, 1)
    with pytest.raises(QueueFull) as full:
        await pace.keep_to(KEY, 1)
    assert full.value.message == "This key has submitted 4 jobs within a minute; the limit is 4."
    assert 1 <= full.value.retry_after <= 60
    await pace.keep_to(OTHER, 4)
    await pace.keep_to(None, 1000)


async def test_what_another_process_accepted_counts_and_what_is_older_than_a_minute_does_not() -> None:
    for seconds in (0, 30, 61, 3600):
        await submitted(KEY, seconds)
    await submitted(OTHER)
    await pace.keep_to(KEY, 2)
    with pytest.raises(QueueFull):
        await pace.keep_to(KEY, 1)


async def test_many_at_once_are_counted_together() -> None:
    with pytest.raises(QueueFull):
        await pace.keep_to(KEY, 5)
    await pace.keep_to(KEY, 4)


async def test_a_crowd_is_counted_one_by_one() -> None:
    done = await asyncio.gather(*(pace.keep_to(KEY, 1) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(each, QueueFull) for each in done) == 6


async def test_a_program_is_told_what_is_left_and_refused_beyond(web: httpx.AsyncClient) -> None:
    headers = await factories.key_of(await factories.person(), "submit")
    for left in (3, 2, 1, 0):
        answer = await web.post("/generate", json={"prompt": "a fox"}, headers=headers)
        assert answer.status_code == 202
        assert answer.headers["ratelimit-policy"] == '"submissions";q=4;w=60, "waiting";q=9'
        assert answer.headers["ratelimit"] == f'"submissions";r={left};t=60, "waiting";r={left + 5}'
    refused = await web.post("/generate", json={"prompt": "a fox"}, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    batch = await web.post("/batches", json={"prompt": "a {red|blue} fox"}, headers=headers)
    assert batch.status_code == 429
    assert await Job.count() == 4


async def test_doors_and_retries_tell_it_too(web: httpx.AsyncClient, standin: str) -> None:
    headers = await factories.key_of(await factories.person(), "submit", "read", "read:all")
    retried, fox = await factories.failed(), {"prompt": "a fox"}
    answers = [
        await web.post("/replicate/v1/predictions", json={"version": SDXL, "input": fox}, headers=headers),
        await web.post("/v1/images/generations", json=fox, headers=headers | {"Prefer": "wait=1"}),
        await web.post(f"/jobs/{retried.id}/retry", headers=headers),
    ]
    assert [(answer.status_code, answer.headers["ratelimit"]) for answer in answers] == [
        (201, '"submissions";r=3;t=60, "waiting";r=8'),
        (504, '"submissions";r=2;t=60, "waiting";r=7'),
        (202, '"submissions";r=2;t=60, "waiting";r=7'),  # the other one is retried for who submitted it
    ]


async def test_who_asks_without_a_key_has_no_such_limit(web: httpx.AsyncClient) -> None:
    for _ in range(5):
        answer = await web.post("/generate", json={"prompt": "a fox"})
        assert answer.status_code == 202
        assert "ratelimit" not in answer.headers

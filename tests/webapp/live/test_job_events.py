"""Server-sent events for programs: whole jobs, each change once more, and an end."""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tasks.accounts.actors import OPEN_HOUSE, Actor, Permission
from tasks.background import alongside
from tasks.db.database import now
from tasks.db.tables import Job
from tasks.jobs import lifecycle
from tasks.jobs.insert import Owner
from tasks.library import cards
from tasks.library.query import parse
from tests import factories
from tests.webapp.live.test_stream import Page, opened, until
from webapp.listing.query import Sheet, read
from webapp.live import hub as module
from webapp.live import sse
from webapp.live.hub import Hub


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.1)
    hub = Hub()
    async with alongside(hub.pass_on()):
        yield hub


async def of_job(hub: Hub, job: Job) -> AbstractAsyncContextManager[Page]:
    card = await cards.by_id(job.id)
    assert card is not None
    return opened(hub.feeds.of_job(card, OPEN_HOUSE))


def of_search(hub: Hub, search: str, since: Any = None) -> AbstractAsyncContextManager[Page]:
    return opened(hub.feeds.of_search(Sheet(parse(search)), since, OPEN_HOUSE))


def jobs_in(text: str) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines]


async def test_a_job_is_sent_as_it_is_then_after_each_change_until_it_has_ended(hub: Hub) -> None:
    job = await factories.submitted()
    async with await of_job(hub, job) as stream:
        await stream.hears("retry: 3000", "event: job", '"status":"queued"')
        claimed = await lifecycle.claim(30)
        assert claimed is not None
        await stream.hears('"status":"running"')
        await lifecycle.complete(claimed, [])
        await until(lambda: stream.ended)
        [last] = jobs_in(stream.got[-1])
        assert (last["job_id"], last["status"]) == (str(job.id), "completed")
    assert not hub.feeds


async def test_others_jobs_are_not_in_the_stream_of_a_job(hub: Hub) -> None:
    job = await factories.submitted()
    async with await of_job(hub, job) as stream:
        other = await factories.submitted("a hare")
        await lifecycle.cancel(other.id)
        await lifecycle.cancel(job.id)
        await until(lambda: stream.ended)
        assert str(other.id) not in "".join(stream.got)


async def test_an_end_is_heard_after_a_bulk_change_too(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CARD_EVENTS", 1)
    job, others = await factories.submitted(), [await factories.submitted("a hare") for _ in range(3)]
    async with await of_job(hub, job) as stream, of_search(hub, "fox") as search:
        for each in (job, *others):
            await lifecycle.cancel(each.id)
        await until(lambda: stream.ended)
        await until(lambda: search.ended)  # its client connects again


async def test_the_web_answers_with_the_job_and_ends_when_it_has_ended(web: httpx.AsyncClient) -> None:
    job = await factories.failed()
    answer = await web.get(f"/jobs/{job.id}/events", headers={"Accept-Encoding": "br, gzip"})
    assert "content-encoding" not in answer.headers, "that would keep events back"
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    [sent] = jobs_in(answer.text)
    assert sent == (await web.get(f"/status/{job.id}")).json()


@pytest.mark.parametrize("how", ["header", "query"])
async def test_who_has_heard_the_end_gets_204(web: httpx.AsyncClient, how: str) -> None:
    job = await factories.failed()
    [heard] = [
        line.removeprefix("id: ")
        for line in (await web.get(f"/jobs/{job.id}/events")).text.splitlines()
        if line.startswith("id: ")
    ]
    assert heard.endswith("Z"), "so that it is the same in an address"
    told = {"headers": {"Last-Event-ID": heard}} if how == "header" else {"params": {"after": heard}}
    assert (await web.get(f"/jobs/{job.id}/events", **told)).status_code == 204  # type: ignore[arg-type]
    before = (now() - timedelta(hours=1)).isoformat()
    assert (await web.get(f"/jobs/{job.id}/events", params={"after": before})).status_code == 200


async def test_an_id_that_is_none_is_refused(web: httpx.AsyncClient) -> None:
    job = await factories.failed()
    for path in (f"/jobs/{job.id}/events", "/events.json"):
        answer = await web.get(path, params={"after": "yesterday"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")


async def test_a_job_that_there_is_not_or_not_for_the_asker_is_not_found(web: httpx.AsyncClient) -> None:
    job = await factories.failed()
    headers = await factories.key_of(await factories.person(), "read")
    for job_id in (job.id, "nonsense"):
        assert (await web.get(f"/jobs/{job_id}/events", headers=headers)).status_code == 404


async def test_a_search_begins_with_what_it_finds_and_goes_on_with_what_changes(hub: Hub) -> None:
    first, other = await factories.submitted("a red fox"), await factories.submitted("a hare")
    async with of_search(hub, "fox") as stream:
        await stream.hears(first.id, '"status":"queued"')
        second = await factories.submitted("a blue fox")
        await stream.hears(second.id)
        await lifecycle.cancel(first.id)
        await stream.hears(first.id, '"status":"canceled"')
        await lifecycle.cancel(other.id)
        await lifecycle.cancel(second.id)
        await stream.hears(second.id, '"status":"canceled"')
        assert str(other.id) not in "".join(stream.got)


async def test_who_comes_back_to_a_search_gets_what_changed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "OVERLAP", timedelta())
    old = await factories.completed("an old fox")  # it does not wait: a job that does is sent again with its place
    since = now()
    new = await factories.submitted("a new fox")
    async with of_search(hub, "fox", since) as stream:
        await stream.hears(new.id)
        assert str(old.id) not in "".join(stream.got)


async def test_jobs_in_the_trash_are_in_the_stream_of_no_other_search(hub: Hub) -> None:
    job = await factories.failed()
    async with of_search(hub, "") as stream:
        await stream.hears(job.id)
        heard = len(stream.got)
        await Job.update({Job.trashed_at: now(), Job.changed_at: now()}).where(Job.id == job.id)
        after = await factories.submitted("a later fox")
        await stream.hears(after.id)
        assert str(job.id) not in "".join(stream.got[heard:])


async def test_a_key_that_reads_its_own_jobs_hears_of_no_others(hub: Hub) -> None:
    anna = await factories.person()
    actor = Actor("anna/ci", frozenset({Permission.READ}), anna.id, anna.id)
    async with opened(hub.feeds.of_search(read({}, actor), None, actor)) as stream:
        await factories.submitted("a hare")
        own = await factories.submitted("a fox", owner=Owner(anna.id))
        await stream.hears(own.id)
        assert "hare" not in "".join(stream.got)

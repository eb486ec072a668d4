"""The endpoint for Replicate's webhooks: what it passes on, and what does no harm."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from redis.asyncio import Redis

from tasks.background import alongside
from tasks.db.tables import Attempt, Job
from tasks.errors import DatabaseAway
from tasks.jobs import attempts, lifecycle
from tasks.messaging import events
from tasks.messaging.events import News
from tasks.predictions import webhooks
from tasks.standin.app import WEBHOOK_SECRET
from tasks.standin.webhooks import signed
from tests.conftest import Faults
from tests.waiting import eventually
from webapp.app import create_app

PATH = "/webhooks/replicate"
HALFWAY = " 50%|█████     | 2/4 [00:01<00:01, 1.9it/s]\n"


@pytest.fixture(autouse=True)
def replicate(standin: str) -> str:
    """Return the address that the key of the signatures is requested from."""
    return standin


@pytest.fixture
async def under_way() -> Attempt:
    """Begin an attempt whose prediction is not known yet."""
    await lifecycle.submit("a fox", "stability-ai/sdxl", {})
    job = await lifecycle.claim(30)
    assert job is not None
    attempt = await attempts.begin(job, "stability-ai/sdxl:1", {"prompt": "a fox"})
    assert attempt is not None
    return attempt


class Heard(list[News]):
    """The news that the worker with the job receives."""

    async def until(self, status: str, progress: float | None = None) -> None:
        """Wait for news with `status` and `progress`."""

        async def came() -> bool:
            return any((news.status, news.progress) == (status, progress) for news in self)

        await eventually(came)


@pytest.fixture
async def heard() -> AsyncIterator[Heard]:
    """Yield the news that arrives while the test runs."""
    heard = Heard()

    async def listen() -> None:
        async for news in events.listen_for_news():
            heard.append(news)

    async def heeded() -> bool:
        return dict(await events.redis().pubsub_numsub(events.NEWS))[events.NEWS.encode()] > 0

    async with alongside(listen()):
        await eventually(heeded)
        yield heard


def told(attempt: Attempt | None = None, **members: Any) -> bytes:
    """Return the body of a delivery, as compact as Replicate's."""
    body = {"id": "p1", "status": "processing", "logs": "", "output": None, "input": {"prompt": "a fox"}}
    if attempt is not None:
        body["webhook"] = f"https://darkroom.test{PATH}?attempt={attempt.id}"
    return json.dumps(body | members, separators=(",", ":")).encode()


def headers(
    body: bytes, message: str | None = None, moment: float | None = None, key: str = WEBHOOK_SECRET
) -> dict[str, str]:
    """Return the headers that Replicate sends with the body."""
    return signed(key, message or f"msg_{uuid4().hex}", int(time.time() if moment is None else moment), body)


async def post(
    web: httpx.AsyncClient, body: bytes, attempt: object = None, sent: dict[str, str] | None = None
) -> httpx.Response:
    asked_for = {} if attempt is None else {"attempt": str(attempt)}
    return await web.post(PATH, params=asked_for, content=body, headers=headers(body) if sent is None else sent)


async def prediction_of(attempt: Attempt) -> str | None:
    row = await Attempt.objects().get(Attempt.id == attempt.id)
    assert row is not None
    known: str | None = row.prediction_id
    return known


async def rows() -> list[dict[str, Any]]:
    return [*await Job.select(), *await Attempt.select()]


async def test_it_saves_the_id_of_a_prediction_whose_answer_was_lost(
    web: httpx.AsyncClient, under_way: Attempt
) -> None:
    answer = await post(web, told(under_way), under_way.id)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await prediction_of(under_way) == "p1"


@pytest.mark.parametrize(
    ("members", "status", "progress"),
    [
        ({"logs": None}, "processing", None),
        ({"logs": HALFWAY}, "processing", 0.5),
        ({"status": "starting"}, "starting", None),
        ({"status": "succeeded", "logs": HALFWAY, "output": ["https://replicate.delivery/x.png"]}, "succeeded", None),
        ({"status": "aborted"}, "aborted", None),
    ],
    ids=["started", "logs", "boots", "succeeded", "aborted"],
)
async def test_the_worker_hears_what_it_tells(
    web: httpx.AsyncClient,
    under_way: Attempt,
    heard: Heard,
    members: dict[str, Any],
    status: str,
    progress: float | None,
) -> None:
    assert (await post(web, told(under_way, **members), under_way.id)).status_code == 204
    await heard.until(status, progress)
    assert heard == [News(under_way.job, status, progress)]


async def test_without_a_webhook_in_the_body_the_address_names_the_attempt(
    web: httpx.AsyncClient, under_way: Attempt
) -> None:
    assert (await post(web, told(), under_way.id)).status_code == 204
    assert await prediction_of(under_way) == "p1"


async def test_a_delivery_that_comes_twice_is_passed_on_once(
    web: httpx.AsyncClient, under_way: Attempt, heard: Heard
) -> None:
    body = told(under_way)
    message = uuid4().hex
    assert (await post(web, body, under_way.id, headers(body, message))).status_code == 204

    async def remembered() -> bool:
        return bool(await events.redis().exists(f"darkroom:webhook:{message}"))

    await eventually(remembered)
    assert (await post(web, body, under_way.id, headers(body, message))).status_code == 204
    last = told(under_way, status="succeeded")
    assert (await post(web, last, under_way.id)).status_code == 204
    await heard.until("succeeded")
    assert [news.status for news in heard] == ["processing", "succeeded"]


async def test_a_delivery_that_met_no_database_does_not_count_as_seen(
    web: httpx.AsyncClient, under_way: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> UUID | None:
        raise DatabaseAway("The database is not responding")

    body = told(under_way)
    sent = headers(body)
    with monkeypatch.context() as patch:
        patch.setattr(attempts, "claim_prediction", away)
        assert (await post(web, body, under_way.id, sent)).status_code == 503, "so that Replicate sends it again"
    assert (await post(web, body, under_way.id, sent)).status_code == 204
    assert await prediction_of(under_way) == "p1"


async def test_it_works_without_redis(
    web: httpx.AsyncClient, under_way: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Redis.from_url("unix:///nowhere/valkey.sock") as away:
        monkeypatch.setattr(events, "redis", lambda: away)
        monkeypatch.setattr(events, "_outboxes", {})
        assert (await post(web, told(under_way), under_way.id)).status_code == 204
        assert await prediction_of(under_way) == "p1"
        await events._outboxes[asyncio.get_running_loop()].emptied()


async def test_what_was_signed_for_one_attempt_is_not_taken_for_another(
    web: httpx.AsyncClient, under_way: Attempt
) -> None:
    before = await rows()
    for attempt in (uuid4(), None):
        answer = await post(web, told(under_way), attempt)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    for address in ("https://darkroom.test/elsewhere", "http://["):
        assert (await post(web, told(webhook=address), under_way.id)).status_code == 400
    assert await rows() == before


async def test_of_another_prediction_nothing_is_taken(web: httpx.AsyncClient, under_way: Attempt, heard: Heard) -> None:
    await post(web, told(under_way), under_way.id)
    before = await rows()
    assert (await post(web, told(under_way, id="p2", status="failed"), under_way.id)).status_code == 204
    assert (await post(web, told(under_way, logs=HALFWAY), under_way.id)).status_code == 204
    await heard.until("processing", 0.5)
    assert [news.status for news in heard] == ["processing", "processing"]
    assert await rows() == before


async def test_the_prediction_of_one_attempt_does_not_become_another_ones(
    web: httpx.AsyncClient, under_way: Attempt
) -> None:
    await Attempt(job=under_way.job, number=7, version="v", created_at=under_way.created_at, prediction_id="p1").save()
    assert (await post(web, told(), under_way.id)).status_code == 204
    assert await prediction_of(under_way) is None


async def test_to_a_job_that_has_ended_nothing_happens(
    web: httpx.AsyncClient, under_way: Attempt, heard: Heard
) -> None:
    job = await Job.objects().get(Job.id == under_way.job)
    assert job is not None
    await lifecycle.end_canceled(job)
    before = await rows()
    assert (await post(web, told(under_way, status="succeeded"), under_way.id)).status_code == 204
    assert await rows() == before
    assert heard == []


@pytest.mark.parametrize("attempt", [None, "", "seven", uuid4(), "0192d4a6-7a3e-7c21-9b55-0d6a3f1e2c84%00"])
async def test_of_an_unknown_attempt_nothing_is_taken_and_nothing_more_sent(
    web: httpx.AsyncClient, under_way: Attempt, attempt: object
) -> None:
    before = await rows()
    assert (await post(web, told(), attempt)).status_code == 204
    assert await rows() == before


def _without(name: str) -> Callable[[bytes], dict[str, str]]:
    return lambda body: {key: value for key, value in headers(body).items() if key != name}


def _signed_with(signature: bytes) -> Callable[[bytes], Any]:
    return lambda body: headers(body) | {"webhook-signature": signature}


@pytest.mark.parametrize(
    "sent",
    [
        lambda body: headers(body, key="whsec_c29tZWJvZHkgZWxzZSdzIGtleQ=="),
        lambda body: headers(body + b" "),
        lambda body: headers(body, moment=time.time() - 310),
        lambda body: headers(body, moment=time.time() + 310),
        lambda body: headers(body) | {"webhook-timestamp": str(int(time.time()) - 7)},
        lambda body: headers(body) | {"webhook-timestamp": "nan"},
        lambda body: headers(body) | {"webhook-id": "msg_another"},
        _without("webhook-id"),
        _without("webhook-timestamp"),
        _without("webhook-signature"),
        lambda body: {},
        _signed_with(b""),
        _signed_with(b"v1"),
        _signed_with(b"v1,"),
        _signed_with(b"v1,a"),
        _signed_with(b"v1,%%%"),
        _signed_with(b"v1,\xff\xfe"),
        _signed_with(b"v2,AAAA v1a,AAAA"),
    ],
)
async def test_what_replicate_did_not_sign_is_refused_and_changes_nothing(
    web: httpx.AsyncClient, under_way: Attempt, sent: Callable[[bytes], dict[str, str]]
) -> None:
    before = await rows()
    body = told(under_way, status="succeeded")
    answer = await post(web, body, under_way.id, sent(body))
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert (answer.json()["code"], answer.json()["detail"]) == ("not_signed", "This does not come from Replicate.")
    assert await rows() == before


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"{" * 100_000])
async def test_bodies_that_are_none_are_refused(web: httpx.AsyncClient, body: bytes) -> None:
    answer = await post(web, body, sent=headers(b"something else"))
    assert (answer.status_code, answer.json()["code"]) == (400, "not_signed")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"not JSON",
        b"[" * 100_000,
        b'{"id":7,"status":"succeeded"}',
        b'{"id":"p1"}',
        json.dumps({"id": "p" * 65, "status": "succeeded"}).encode(),
    ],
)
async def test_what_is_signed_and_no_prediction_is_refused(web: httpx.AsyncClient, body: bytes) -> None:
    answer = await post(web, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


async def test_outputs_may_come_as_data_and_what_is_huge_is_refused(web: httpx.AsyncClient, under_way: Attempt) -> None:
    large = told(under_way, status="succeeded", output=["data:image/png;base64," + "A" * 8 * 1024 * 1024])
    assert (await post(web, large, under_way.id)).status_code == 204
    huge = told(under_way, status="succeeded", output=["data:image/png;base64," + "A" * 17 * 1024 * 1024])
    answer = await post(web, huge, under_way.id)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert "16 MiB" in answer.json()["detail"]


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"webhook-timestamp": ""},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "1e9"},
        {"webhook-timestamp": str(int(time.time()) - 400)},
        {"webhook-timestamp": str(int(time.time()) + 4000)},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v2," + "A" * 43 + "="},
        {"webhook-signature": "v1," + "A" * 43 + "= " * 1000},
        {"webhook-id": ""},
    ],
)
async def test_what_cannot_be_signed_is_refused_before_its_body_is_read(
    web: httpx.AsyncClient, sent: dict[str, str]
) -> None:
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(16):
            read += 1
            yield b" " * 2**20

    answer = await web.post(PATH, content=body(), headers=headers(b"") | sent if sent else {})
    assert (answer.status_code, answer.json()["code"], read) == (400, "not_signed", 0)


async def test_one_good_signature_among_several_is_enough(web: httpx.AsyncClient, under_way: Attempt) -> None:
    body = told(under_way)
    sent = headers(body)
    sent["webhook-signature"] = f"v1a,abc= v1,{'A' * 43}= {sent['webhook-signature']}"
    assert (await post(web, body, under_way.id, sent)).status_code == 204
    assert await prediction_of(under_way) == "p1"


async def test_the_page_of_another_site_cannot_send_one(web: httpx.AsyncClient, under_way: Attempt) -> None:
    body = told(under_way)
    answer = await post(web, body, under_way.id, headers(body) | {"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert await prediction_of(under_way) is None


async def test_while_the_key_cannot_be_had_replicate_is_told_to_come_again(
    under_way: Attempt, faults: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    await faults.script({"on": "secret", "do": "status", "status": 500})
    app = create_app()
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # Litestar's names for the same types
    async with httpx.AsyncClient(transport=transport, base_url="http://darkroom.test") as started_now:
        monkeypatch.setattr(webhooks, "KEY_RETRY_SECONDS", 0.0)
        body = told(under_way)
        sent = headers(body)
        answer = await post(started_now, body, under_way.id, sent)
        assert (answer.status_code, answer.json()["code"]) == (503, "webhook_key_unknown")
        assert int(answer.headers["retry-after"]) > 0
        assert (await post(started_now, body, under_way.id, sent)).status_code == 204
    await app.state.replicate.aclose()
    assert await prediction_of(under_way) == "p1"

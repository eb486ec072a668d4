"""Webhooks from the stand-in, through a web process, to a worker that waits; and the key that signs them."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import standardwebhooks.webhooks
from pydantic import SecretStr

from tasks.db.tables import Status
from tasks.errors import Failure
from tasks.library import cards
from tasks.predictions import follow, webhooks
from tasks.predictions.webhooks import Forged, Signatures
from tasks.replicate.client import Replicate
from tasks.settings import ROOT, settings
from tasks.standin.app import WEBHOOK_SECRET
from tasks.standin.webhooks import signed
from tests.conftest import Faults
from tests.servers import free_port
from tests.tasks.states import claimed
from tests.tasks.work import QUICK, Counted, at_work, ended, submitted, until
from tests.waiting import eventually
from webapp.cli.parent_watch import Tether

pytestmark = pytest.mark.once

LONG_BEFORE_THE_SAFETY_POLL = 20.0  # seconds


@pytest.fixture(scope="module")
def elsewhere(database: None, standin: str) -> Iterator[str]:
    """Run the web application in its own process. Yields its address."""
    port = free_port()
    with Tether() as tether, subprocess.Popen(
        [sys.executable, "-m", "webapp", "--tether", str(tether.descriptor), "web"],
        cwd=ROOT, env={**os.environ, "PORT": str(port)}, pass_fds=[tether.descriptor], start_new_session=True,
    ) as process:  # fmt: skip
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture
async def alive(elsewhere: str) -> str:
    """Wait until the web application answers. Returns its address."""
    async with httpx.AsyncClient(base_url=elsewhere) as client:

        async def answers() -> bool:
            try:
                return (await client.get("/healthz")).is_success
            except httpx.TransportError:
                return False

        await eventually(answers)
    return elsewhere


@pytest.fixture
def public(alive: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have predictions reported to the web application."""
    public = settings.model_copy(update={"public_url": alive})
    for module in (follow, webhooks):
        monkeypatch.setattr(module, "settings", public)


@pytest.fixture
async def replicate(database: None) -> Counted:
    return Counted()


@pytest.fixture
async def reached(public: None, faults: Faults, replicate: Counted) -> AsyncIterator[Faults]:
    """Run a worker whose predictions are reported to the web application. Yields the stand-in's faults."""
    async with at_work(replicate=replicate):
        yield faults


async def test_a_webhook_in_another_process_wakes_the_worker_that_waits(reached: Faults, replicate: Counted) -> None:
    await reached.script({"on": "create", "match": "awaited", "do": "run", "seconds": 2})
    async with asyncio.timeout(LONG_BEFORE_THE_SAFETY_POLL):
        card = await ended(await submitted("an awaited fox"))
    assert card.job.status == Status.COMPLETED, card.job.error
    [prediction] = await reached.created("an awaited fox")
    assert replicate.looks == {prediction["id"]: 1}


async def test_progress_is_seen_without_looking(reached: Faults, replicate: Counted) -> None:
    await reached.script({"on": "create", "match": "developing", "do": "run", "seconds": 4})
    job = await submitted("a developing fox")
    card = await until(job.id, lambda card: 0 < (card.job.progress or 0) < 1)
    assert card.job.stage == "processing"
    assert not replicate.looks
    assert (await ended(job)).job.status == Status.COMPLETED


async def test_of_many_predictions_only_start_and_end_are_reported(public: None, faults: Faults) -> None:
    others = [await claimed() for _ in range(webhooks.MAX_WITH_LOGS)]
    async with at_work() as worker, AsyncExitStack() as holding:
        await ended(await submitted("a fox of few"))
        for other in others:
            await holding.enter_async_context(worker.leases.hold(other))
        await ended(await submitted("a fox of many"))
    [few], [many] = await faults.created("a fox of few"), await faults.created("a fox of many")
    assert few["webhook_events_filter"] == ["start", "logs", "completed"]
    assert many["webhook_events_filter"] == ["start", "completed"]


async def test_a_prediction_whose_answer_was_lost_is_known_from_its_webhook_alone(public: None, faults: Faults) -> None:
    await faults.script(
        {"on": "create", "match": "adopted", "do": "drop_answer"},
        {"on": "list", "do": "status", "status": 503, "times": 0},
    )
    patient = replace(QUICK, search_delays=(0.5, 2.0, 5.0))
    async with asyncio.timeout(LONG_BEFORE_THE_SAFETY_POLL), at_work(timings=patient):
        card = await ended(await submitted("an adopted fox"))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 0), card.job.error
    [prediction] = await faults.created("an adopted fox")
    [attempt] = await cards.attempts(card.job.id)
    assert attempt.prediction_id == prediction["id"]


async def test_when_webhooks_are_lost_the_safety_poll_finds_the_end(public: None, faults: Faults) -> None:
    await faults.script({"on": "webhook", "match": "unheard", "do": "missing", "times": 0})
    async with at_work(timings=replace(QUICK, webhook_poll=1.0)):
        card = await ended(await submitted("a fox unheard of"))
    assert card.job.status == Status.COMPLETED, card.job.error


@pytest.mark.parametrize("fault", [{"do": "double"}, {"do": "late", "seconds": 0.5}], ids=["double", "late"])
async def test_webhooks_that_come_twice_or_late_do_no_harm(reached: Faults, fault: dict[str, Any]) -> None:
    await reached.script({"on": "webhook", "match": "odd", "times": 0, **fault})
    async with asyncio.timeout(LONG_BEFORE_THE_SAFETY_POLL):
        card = await ended(await submitted(f"an odd fox, {fault['do']}"))
    assert (card.job.status, card.job.retry_count, len(card.outputs)) == (Status.COMPLETED, 0, 1), card.job.error
    assert len(await reached.created(f"an odd fox, {fault['do']}")) == 1


async def test_an_end_that_replicate_does_not_confirm_is_no_end(reached: Faults, alive: str) -> None:
    """The webhook is signed but wrong, as when parts of Replicate disagree for a moment."""
    await reached.script(
        {"on": "create", "match": "premature", "do": "run", "seconds": 3},
        {"on": "webhook", "match": "premature", "do": "missing", "times": 0},
    )
    job = await submitted("a premature fox")
    await until(job.id, lambda card: card.job.stage == "starting")
    [attempt] = await cards.attempts(job.id)
    body = f'{{"id":"{attempt.prediction_id}","status":"failed","error":"not so"}}'.encode()
    async with httpx.AsyncClient() as client:
        address, headers = f"{alive}/webhooks/replicate", signed(WEBHOOK_SECRET, "msg_1", int(time.time()), body)
        answer = await client.post(address, params={"attempt": str(attempt.id)}, content=body, headers=headers)
    assert answer.status_code == 204
    async with asyncio.timeout(LONG_BEFORE_THE_SAFETY_POLL):
        card = await ended(job)
    assert card.job.status == Status.COMPLETED, card.job.error


async def test_without_a_public_address_none_are_asked_for_and_polling_does(faults: Faults, replicate: Counted) -> None:
    assert settings.webhooks is None
    await faults.script({"on": "create", "match": "secluded", "do": "run", "seconds": 2})
    async with at_work(replicate=replicate):
        card = await ended(await submitted("a secluded fox"))
    assert card.job.status == Status.COMPLETED, card.job.error
    [prediction] = await faults.created("a secluded fox")
    assert "webhook" not in prediction
    assert replicate.looks[prediction["id"]] > 1


class Account:
    """A Replicate that returns its key and counts how often it is requested."""

    def __init__(self) -> None:
        self.key: str | None = WEBHOOK_SECRET
        self.asked = 0
        self.time = 1000.0
        self.signatures = Signatures(Replicate(httpx.MockTransport(self._answer)), clock=lambda: self.time)

    async def signs(self, key: str) -> bool:
        """Return whether a signature with this key is accepted as Replicate's."""
        try:
            await self.signatures.verify(b"{}", signed(key, "msg_1", int(time.time()), b"{}"))
        except Forged:
            return False
        return True

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        assert request.url.path == "/v1/webhooks/default/secret"
        return httpx.Response(200, json={"key": self.key}) if self.key is not None else httpx.Response(500)


OTHER = "whsec_YW5vdGhlciBrZXksIGFsc28gMjQgYnl0ZXM="


async def test_the_key_is_asked_for_once() -> None:
    account = Account()
    assert all(await asyncio.gather(*(account.signs(WEBHOOK_SECRET) for _ in range(10))))
    assert account.asked == 1


async def test_a_new_key_is_known_within_a_minute() -> None:
    account = Account()
    assert await account.signs(WEBHOOK_SECRET)
    account.key = OTHER
    assert not await account.signs(OTHER)
    account.time += 61
    assert all(await asyncio.gather(*(account.signs(OTHER) for _ in range(10))))
    assert not await account.signs(WEBHOOK_SECRET)
    assert account.asked == 2


async def test_forgers_cannot_have_the_key_asked_for_all_the_time() -> None:
    account = Account()
    for _ in range(60):
        assert not await account.signs(OTHER)
        account.time += 2
    assert account.asked <= 3


@pytest.mark.parametrize("key", [None, "", "whsec_", "whsec_a"])
async def test_a_key_that_cannot_be_had_is_asked_for_again_soon(key: str | None) -> None:
    account = Account()
    account.key = key
    for _ in range(10):
        with pytest.raises(Failure):
            await account.signs(WEBHOOK_SECRET)
    assert account.asked == 1
    account.key = WEBHOOK_SECRET
    account.time += 6
    assert await account.signs(WEBHOOK_SECRET)


async def test_while_nobody_knows_whether_the_key_is_new_nothing_is_called_forged() -> None:
    account = Account()
    assert await account.signs(WEBHOOK_SECRET)
    account.key = None
    account.time += 61
    for _ in range(2):
        with pytest.raises(Failure):
            await account.signs(OTHER)
    assert await account.signs(WEBHOOK_SECRET), "what fits the known key needs no other"
    account.key = OTHER
    account.time += 6
    assert await account.signs(OTHER)


async def test_a_key_from_the_settings_is_the_only_one(monkeypatch: pytest.MonkeyPatch) -> None:
    set_by_the_operator = settings.model_copy(update={"replicate_webhook_secret": SecretStr(OTHER)})
    monkeypatch.setattr(webhooks, "settings", set_by_the_operator)
    account = Account()
    assert await account.signs(OTHER)
    assert not await account.signs(WEBHOOK_SECRET)
    assert account.asked == 0


async def test_replicates_own_test_vector_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    class Then(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]  # one moment only
            return datetime.fromtimestamp(1614265330, UTC)

    monkeypatch.setattr(standardwebhooks.webhooks, "datetime", Then)
    account = Account()
    account.key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = {
        "Webhook-ID": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "Webhook-Timestamp": "1614265330",
        "Webhook-Signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    await account.signatures.verify(b'{"test": 2432232314}', headers)
    with pytest.raises(Forged):
        await account.signatures.verify(b'{"test": 2432232315}', headers)

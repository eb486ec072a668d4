"""/healthz and /readyz: what an orchestrator and an operator read."""

import httpx
import pytest

from tasks import events, halts
from tasks.failures import Failure
from tasks.storage import Storage


async def test_a_live_process_is_alive(web: httpx.AsyncClient) -> None:
    answer = await web.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_with_everything_there_it_is_ready(web: httpx.AsyncClient) -> None:
    await events.worker_seen("a-worker", 100)
    answer = await web.get("/readyz")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "status": "ready",
        "checks": {"database": "ok", "redis": "ok", "storage": "ok", "worker": "ok", "queue": "ok"},
    }


async def test_a_halted_queue_is_told_but_the_web_stays_ready(web: httpx.AsyncClient) -> None:
    await events.worker_seen("a-worker", 100)
    await halts.halt(Failure("provider_billing", "The Replicate account has no credit."))
    answer = await web.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert answer.json()["checks"]["queue"].startswith("halted: The Replicate account has no credit. (since 20")


async def test_without_a_worker_it_is_not_ready_and_says_so(web: httpx.AsyncClient) -> None:
    await events.redis().delete(events.WORKERS)
    answer = await web.get("/readyz")
    assert answer.status_code == 503
    assert "no worker was seen in the last 30 s" in answer.json()["checks"]["worker"]


async def test_storage_that_refuses_is_told(web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(self: Storage, within: float) -> str:
        return "No space left on device"

    monkeypatch.setattr(Storage, "check", refuse)
    await events.worker_seen("a-worker", 100)
    answer = await web.get("/readyz")
    assert answer.status_code == 503
    assert "No space left on device" in answer.json()["checks"]["storage"]
    assert answer.json()["checks"]["database"] == "ok"

"""/healthz and /readyz, which orchestrators and operators read."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest

from tasks.db.database import DB
from tasks.db.postgres import ShieldedPostgresEngine
from tasks.db.tables import Library
from tasks.errors import Failure
from tasks.files.storage import Storage
from tasks.jobs.workers import Presence
from tasks.replicate import circuit
from tasks.settings import settings


async def test_a_live_process_is_alive(web: httpx.AsyncClient) -> None:
    answer = await web.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_with_everything_there_it_is_ready(web: httpx.AsyncClient) -> None:
    await Presence(100).show(0)
    answer = await web.get("/readyz")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "status": "ready",
        "checks": {"database": "ok", "redis": "ok", "storage": "ok", "worker": "ok", "queue": "ok"},
    }


async def test_a_halted_queue_is_told_but_the_web_stays_ready(web: httpx.AsyncClient) -> None:
    await Presence(100).show(0)
    await circuit.trip(Failure("provider_billing", "The Replicate account has no credit."))
    answer = await web.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert answer.json()["checks"]["queue"].startswith("halted: The Replicate account has no credit. (since 20")


async def test_without_a_worker_it_is_not_ready_and_says_so(web: httpx.AsyncClient) -> None:
    answer = await web.get("/readyz")
    assert answer.status_code == 503
    assert "no worker seen in the last 30 s" in answer.json()["checks"]["worker"]


async def test_storage_that_refuses_is_told(web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(self: Storage, within: float) -> str:
        return "No space left on device"

    monkeypatch.setattr(Storage, "check", refuse)
    await Presence(100).show(0)
    answer = await web.get("/readyz")
    assert answer.status_code == 503
    assert "No space left on device" in answer.json()["checks"]["storage"]
    assert answer.json()["checks"]["database"] == "ok"


@asynccontextmanager
async def read_only() -> AsyncIterator[None]:
    """Hold the database read-only while the block runs.

    So is a replica, and a database on a disk that is full or was remounted read-only.
    """
    if isinstance(DB, ShieldedPostgresEngine):
        await _take_nothing(DB, "on")
    else:
        await Library.raw("PRAGMA query_only = on")
    try:
        yield
    finally:
        if isinstance(DB, ShieldedPostgresEngine):
            await _take_nothing(DB, "off")
        else:
            await Library.raw("PRAGMA query_only = off")


async def _take_nothing(engine: ShieldedPostgresEngine, switch: str) -> None:
    connection = await asyncpg.connect(settings.database_url, server_settings={"default_transaction_read_only": "off"})
    [name] = await connection.fetchrow("SELECT current_database()")
    await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {switch}")
    await connection.close()
    assert engine.pool is not None
    await engine.pool.expire_connections()


async def test_a_database_that_takes_nothing_is_told(web: httpx.AsyncClient) -> None:
    await Presence(100).show(0)
    async with read_only():
        answer = await web.get("/readyz")
        assert answer.status_code == 503
        assert "The database" in answer.json()["checks"]["database"]
        assert "read" in answer.json()["checks"]["database"]
        problem = await web.post("/generate", json={"prompt": "a fox in the snow"})
        assert (problem.status_code, problem.json()["code"]) == (503, "database_unavailable")
        assert (await web.get("/")).status_code == 200
    assert (await web.get("/readyz")).status_code == 200


async def test_storage_that_is_not_mounted_is_told_and_not_made(web: httpx.AsyncClient) -> None:
    await Presence(100).show(0)
    folder = Path(settings.storage_url)
    _rename(folder, "elsewhere")
    try:
        answer = await web.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["checks"]["storage"].endswith("in its file .darkroom: is it mounted?")
        assert not _is_there(folder)
        problem = await web.post("/uploads", files={"file": ("a.txt", b"words")})
        assert (problem.status_code, problem.json()["code"]) == (503, "storage_unavailable"), problem.text
    finally:
        _rename(folder.with_name("elsewhere"), folder.name)
    assert (await web.get("/readyz")).status_code == 200
    assert (await web.get("/media/.darkroom")).status_code == 404


def _rename(folder: Path, name: str) -> None:
    folder.rename(folder.with_name(name))


def _is_there(folder: Path) -> bool:
    return folder.exists()

"""The answers to people and programs while the database is unavailable."""

import sqlite3
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from tasks.db.database import DB
from tasks.db.tables import Job
from tasks.errors import DatabaseAway
from tasks.library import cards

JOB = UUID("0192d4a6-7a3e-7c21-9b55-0d6a3f1e2c84")


@pytest.fixture
def away(web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the database unavailable."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise DatabaseAway("The database is not responding: disk I/O error")

    monkeypatch.setattr(type(DB), "run_querystring", refuse)
    monkeypatch.setattr(type(DB), "transaction", refuse)


REQUESTS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/", {}),
    ("GET", "/composer", {}),
    ("POST", "/jobs", {"data": {"prompt": "a fox"}}),
    ("GET", f"/jobs/{JOB}", {}),
    ("POST", f"/jobs/{JOB}/cancel", {}),
    ("POST", f"/jobs/{JOB}/retry", {}),
    ("POST", f"/jobs/{JOB}/delete", {}),
    ("POST", "/generate", {"json": {"prompt": "a fox", "model": "some/model"}}),
    ("GET", f"/status/{JOB}", {}),
    ("GET", "/events", {}),
    ("GET", f"/events?job={JOB}", {}),
]


@pytest.mark.parametrize(("method", "path", "request_"), REQUESTS, ids=lambda value: str(value)[:12])
async def test_programs_are_told_to_come_back_when_the_database_is_away(
    web: httpx.AsyncClient, away: None, method: str, path: str, request_: dict[str, Any]
) -> None:
    answer = await web.request(method, path, **request_)
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "database_unavailable"
    assert answer.headers["retry-after"] == "2"
    assert "disk I/O" not in answer.text, "what the driver says is for the operator"


@pytest.mark.parametrize(("method", "path", "request_"), REQUESTS[:7], ids=lambda value: str(value)[:12])
async def test_people_are_told_in_a_page(
    web: httpx.AsyncClient, away: None, method: str, path: str, request_: dict[str, Any]
) -> None:
    answer = await web.request(method, path, headers={"Accept": "text/html,*/*"}, **request_)
    assert answer.status_code == 503
    assert "<!doctype html>" in answer.text
    assert "The database is not responding." in answer.text
    assert answer.headers["retry-after"] == "2"


async def test_the_process_lives_but_is_not_ready_while_the_database_is_away(
    web: httpx.AsyncClient, away: None
) -> None:
    assert (await web.get("/healthz")).status_code == 200
    answer = await web.get("/readyz")
    assert answer.status_code == 503
    assert "The database is not responding" in answer.json()["checks"]["database"]


async def test_an_error_of_ours_is_no_database_that_is_away() -> None:
    with pytest.raises((sqlite3.OperationalError, asyncpg.UndefinedTableError)):
        await Job.raw("SELECT nonsense FROM nowhere")
    with pytest.raises((OverflowError, asyncpg.DataError)):
        await Job.raw("SELECT id FROM job WHERE seed = {}", 2**80)


async def test_a_server_error_is_logged_once_with_its_traceback(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("it is broken")

    monkeypatch.setattr(cards, "by_id", broken)
    assert (await web.get(f"/status/{JOB}")).status_code == 500
    [record] = caplog.records
    assert record.getMessage() == f"GET /status/{JOB} failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "it is broken"

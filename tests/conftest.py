"""Fixtures for all tests: real servers, an empty database, and settings independent of the developer's own."""

import asyncio
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import certifi
import httpx
import pytest
import uvicorn

from tests import servers

POSTGRES = os.environ.get("TEST_DATABASE") == "postgres"

_stack = ExitStack()
_folder = Path(mkdtemp(prefix="darkroom-tests-", dir="/tmp"))
_stack.callback(shutil.rmtree, _folder, ignore_errors=True)
_standin_socket = _stack.enter_context(socket.create_server(("127.0.0.1", 0)))
_postgres_url = ""


def pytest_configure(config: pytest.Config) -> None:
    """Set the settings before the tests are collected, because they are read once, when they are imported.

    Of several processes, the first one only distributes the tests. It runs the PostgreSQL server that all of them
    share.
    """
    global _postgres_url
    assert "tasks.settings" not in sys.modules, "a conftest.py below imports it too early: use it in fixtures only"
    given = getattr(config, "workerinput", None)
    if POSTGRES:
        server = _stack.enter_context(servers.postgres()) if given is None else given["postgres"]
        _postgres_url = asyncio.run(servers.new_database(server)) if given is not None else server
    if given is None and config.getoption("dist", "no") != "no":
        return
    for name in ("REPLICATE_API_TOKEN", "PUBLIC_URL", "DEFAULT_MODEL", "MAX_ATTEMPTS"):
        os.environ.pop(name, None)
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        del os.environ[name]
    port = _standin_socket.getsockname()[1]
    os.environ |= {
        "DARKROOM_ENV_FILE": os.devnull,
        "DATA_DIR": str(_folder / "data"),
        "STORAGE_URL": str(_folder / "media"),
        "DATABASE_URL": _postgres_url or f"sqlite:///{_folder}/data/tests.sqlite",
        "REDIS_URL": _stack.enter_context(servers.valkey()),
        "REPLICATE_API_URL": f"http://127.0.0.1:{port}/v1",
        "ALLOWED_HOSTS": "darkroom.test",
        "PICCOLO_CONF": "piccolo_conf",
        "LOG_LEVEL": "warning",
        "WEBHOOK_ALLOWED_HOSTS": "127.0.0.1",
        "CREATES_PER_MINUTE": "60000",
        "SSL_CERT_FILE": str(_one_authority()),
    }
    (_folder / "data").mkdir()


def _one_authority() -> Path:
    """Write a file with one certificate authority, to replace the complete list, and return its path.

    No test leaves this machine, and each httpx client, one for each httpx.get(), reads the whole list, which takes
    30 ms.
    """
    end, file = "-----END CERTIFICATE-----\n", _folder / "authority.pem"
    file.write_text(Path(certifi.where()).read_text().partition(end)[0] + end)
    return file


@pytest.hookimpl(optionalhook=True)  # defined by xdist
def pytest_configure_node(node: Any) -> None:
    node.workerinput["postgres"] = _postgres_url


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that are marked `once` on PostgreSQL, because they say nothing about the database."""
    if POSTGRES:
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("once")])
        items[:] = [item for item in items if not item.get_closest_marker("once")]


def pytest_unconfigure() -> None:
    _stack.close()


@pytest.fixture(scope="session")
async def database() -> AsyncIterator[None]:
    """Open the migrated database and its storage for all tests."""
    from tasks.db import database
    from tasks.files import library_mark
    from tasks.files.storage import Storage
    from tasks.messaging import events
    from tasks.settings import settings

    async with database.connected():
        assert await library_mark.check(Storage.open(settings.storage_url)) is None
        yield
        await events.close()


@pytest.fixture(autouse=True)
async def empty(database: None) -> None:
    """Start each test with empty tables, no limit that another test met, and no hints on the way to Redis."""
    from tasks.accounts import people
    from tasks.db.tables import TABLES, Library
    from tasks.jobs import backlog, budgets, estimates, pace, quotes, tally
    from tasks.library import facets, months, showcase
    from tasks.messaging import events
    from tasks.models import prices, registry
    from tasks.outbox import outbox
    from tasks.replicate import rate_limit

    for cached in (
        registry.stored, registry.fetch, backlog.count_waiting, pace.recent, estimates.occupancy,
        estimates.number_running, estimates.typical_duration, tally.last_model, months.of_library, facets.of_library,
        people.exist, budgets.recent, quotes.last_runs, prices.latest, outbox.has_endpoints, showcase.made,
    ):  # fmt: skip
        cached.cache_clear()
    events.redis_health = events.RedisHealth()
    events.post("DEL", rate_limit.BUCKET_KEY)
    await events._outbox().emptied()
    tables = [table for table in reversed(TABLES) if table is not Library]  # its mark is in storage
    full = ", ".join(f'EXISTS (SELECT 1 FROM "{name}") AS "{name}"' for name in (t._meta.tablename for t in tables))
    [found] = await Library.raw(f"SELECT {full}")
    for table in tables:
        if found[table._meta.tablename]:
            await table.delete(force=True)


@pytest.fixture(scope="session")
def new_database(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Awaitable[str]]:
    """Return a function that creates an empty database of the tested kind and returns its DATABASE_URL."""

    async def make() -> str:
        if POSTGRES:
            return await servers.new_database(_postgres_url)
        return f"sqlite:///{tmp_path_factory.mktemp('database')}/new.sqlite"

    return make


@pytest.fixture(scope="session")
async def web(database: None) -> AsyncIterator[httpx.AsyncClient]:
    """Run the web application in this process, and yield a client for it.

    The application checks the library only once, because tests take the library away temporarily.
    """
    from tasks.files import library_mark
    from tasks.health import checks
    from webapp.app import create_app

    app, ready, stop = create_app(), asyncio.Event(), asyncio.Event()

    async def live() -> None:  # one task for both: a fixture's setup and teardown run in two tasks
        async with app.lifespan():
            ready.set()
            await stop.wait()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(library_mark, "CHECK_SECONDS", 86400.0)
        patch.setattr(checks, "CHECK_TIMEOUT", 30.0)  # this machine is busy
        living = asyncio.create_task(live())
        await ready.wait()
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # Litestar's names for the same types
        async with httpx.AsyncClient(transport=transport, base_url="http://darkroom.test") as client:
            yield client
        stop.set()
        await living


@pytest.fixture(scope="session")
def standin() -> Iterator[str]:
    """Run a fast stand-in for Replicate. Yields its address, without /v1."""
    from tasks.standin.app import create_app

    app = create_app(_folder / "standin", pace=0.05, control=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [_standin_socket]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{_standin_socket.getsockname()[1]}"
    server.should_exit = True
    thread.join()


NO_KEEPALIVE = httpx.Limits(max_keepalive_connections=0)
"""Gives each request its own connection: one that the server closes for being idle would fail the next request."""


class Faults:
    """The stand-in's scripted faults, and its ledger of predictions."""

    def __init__(self, address: str) -> None:
        self._client = httpx.AsyncClient(base_url=address, limits=NO_KEEPALIVE, timeout=30)

    async def script(self, *rules: dict[str, Any]) -> None:
        """Script faults. tasks/standin/faults.py lists them."""
        (await self._client.post("/_standin/faults", json=list(rules))).raise_for_status()

    async def clear(self) -> None:
        """Remove all scripted faults."""
        (await self._client.delete("/_standin/faults")).raise_for_status()

    async def left(self) -> list[dict[str, Any]]:
        """Return the rules that are not used up."""
        return list((await self._client.get("/_standin/faults")).json())

    async def created(self, prompt: str) -> list[dict[str, Any]]:
        """Return the predictions that were created for a prompt. Each one is paid for."""
        ledger = (await self._client.get("/_standin/ledger")).json()
        return [row for row in ledger if row["input"].get("prompt") == prompt]

    async def aclose(self) -> None:
        await self._client.aclose()


@pytest.fixture
async def faults(standin: str) -> AsyncIterator[Faults]:
    """Yield the stand-in's faults, and clear them before and after the test."""
    faults = Faults(standin)
    await faults.clear()
    yield faults
    await faults.clear()
    await faults.aclose()

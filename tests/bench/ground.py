"""The servers that all measured systems share: one Valkey, one PostgreSQL that writes durably, one stand-in."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import mkdtemp

import httpx

from tests import servers
from tests.chaos.patience import until
from tests.chaos.world import World
from tests.processes import Process, answers, environment
from webapp.cli.parent_watch import Tether

READY = 60.0  # seconds within which a process must start
UNLIMITED = 600_000
"""Requests per minute that the stand-in and Darkroom allow, so that Replicate's limits affect no measurement."""

SQLITE, POSTGRES = "SQLite", "PostgreSQL"


@dataclass(frozen=True)
class Ground:
    """The shared servers of a measurement.

    folder: for all files that are stored. redis, provider: addresses; the stand-in's is without /v1.
    """

    folder: Path
    database: str
    redis: str
    provider: str
    world: World
    """The stand-in's controls."""
    tether: Tether
    stack: AsyncExitStack
    _postgres: str

    async def new_database(self, name: str) -> str:
        """Return the DATABASE_URL of a new, empty database."""
        if self.database == SQLITE:
            return f"sqlite:///{self.folder}/{name}.sqlite"
        return await servers.new_database(self._postgres)

    def program(self, name: str, module: str, *words: str, **environment: str) -> Process:
        """Start a Python module in its own process, which is stopped at the end."""
        command = (sys.executable, "-m", module, *words)
        return self.start(Process(name, os.environ | environment, self.tether, self._log(name), command))

    def darkroom(self, name: str, settings: dict[str, str]) -> Process:
        """Start a part of Darkroom, which is stopped at the end."""
        return self.start(Process(name, settings, self.tether, self._log(name)))

    def start(self, process: Process) -> Process:
        """Start a process. It is stopped at the end, and killed if it does not stop."""
        self.stack.callback(process.kill)
        self.stack.push_async_callback(process.stop)
        process.start()
        return process

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"


@asynccontextmanager
async def prepared(database: str) -> AsyncIterator[Ground]:
    """Hold the shared servers while the block runs, in a new folder that is deleted afterwards.

    database: SQLITE or POSTGRES. Predictions have ended when they are created: see tests/bench/predictions.py.
    """
    async with AsyncExitStack() as stack:
        folder = Path(mkdtemp(prefix="darkroom-bench-", dir="/tmp"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        redis = stack.enter_context(servers.valkey())
        postgres = stack.enter_context(servers.kept("durable-postgres")).url if database == POSTGRES else ""
        port = servers.free_port()
        provider = f"http://127.0.0.1:{port}"
        world = World(provider, folder / "standin.log")
        stack.push_async_callback(world.aclose)
        tether = stack.enter_context(Tether())
        ground = Ground(folder, database, redis, provider, world, tether, stack, postgres)
        outside = environment(folder / "standin", "sqlite:///unused", redis, provider, LOG_LEVEL="warning")
        (folder / "standin").mkdir()
        ground.darkroom("standin", {**outside, "STANDIN_PORT": str(port)})
        await ready(f"{provider}/v1/account")
        await world.prepare(0, UNLIMITED, UNLIMITED)
        yield ground


async def ready(address: str) -> None:
    """Wait until a GET of the address is answered with 200. Raises TimeoutError."""
    async with httpx.AsyncClient() as client, asyncio.timeout(READY):
        await until(partial(answers, client, address), every=0.05)

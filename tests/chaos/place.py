"""A running Darkroom and the world around it, all on this machine and in one folder."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx
import psutil

from tests import servers
from tests.chaos.patience import until
from tests.chaos.world import CREATES_PER_MINUTE
from tests.processes import Process, answers, environment
from tests.servers import Server
from webapp.cli.parent_watch import Tether

READY = 60.0  # seconds within which everything must start
INFANCY = 20.0  # seconds after a process's start in which it may end because it found no database


@dataclass
class Site:
    """A running Darkroom and its world. folder: contains logs/ and the data of the processes."""

    folder: Path
    webs: list[Process]
    workers: list[Process]
    standin: Process
    valkey: Server
    postgres: Server | None
    database_url: str
    addresses: list[str]
    """The addresses of the web processes."""
    world: str
    """The stand-in's address, without /v1."""
    servers_busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by everything that is done to Valkey and PostgreSQL."""
    database_back: float = 0.0
    """When PostgreSQL was available again (time.monotonic()); infinity while it is away."""

    @property
    def processes(self) -> list[Process]:
        """The processes that may be killed: all but the stand-in."""
        return [*self.webs, *self.workers]

    async def ready(self) -> None:
        """Wait until every web process answers and sees a worker. Raises TimeoutError."""
        async with httpx.AsyncClient() as client, asyncio.timeout(READY):
            for address in (f"{self.world}/v1/account", *(f"{address}/readyz" for address in self.addresses)):
                await until(partial(answers, client, address))

    async def keep(self, deaths: list[str]) -> None:
        """Restart processes that end by themselves, forever, as Darkroom's supervisor does: `up`, systemd or Compose.

        deaths: gets a line for each, except for processes that could not start without their database.
        """
        while True:
            await asyncio.sleep(0.5)
            for process in self.processes:
                if process.code is not None and not process.busy.locked():
                    old_enough = time.monotonic() > process.started + INFANCY
                    if old_enough or self.database_back < process.started:
                        deaths.append(f"{process.name} ended by itself with exit code {process.code}")
                    process.start()

    async def stop(self) -> list[str]:
        """Stop Darkroom by SIGTERM, but not the stand-in. Returns the names of processes that did not end in time."""
        ended = await asyncio.gather(*(process.stop() for process in self.processes))
        return [process.name for process, in_time in zip(self.processes, ended, strict=True) if not in_time]

    def zombies(self) -> list[str]:
        """Return the children of a running Darkroom that have ended and were not waited for."""
        found = []
        for process in self.processes:
            with suppress(psutil.NoSuchProcess):  # it may end normally while it is examined
                zombies = [child for child in process.children() if child.status() == psutil.STATUS_ZOMBIE]
                found += [f"{process.name} has a zombie ({zombie.pid})" for zombie in zombies]
        return found

    def left(self) -> list[str]:
        """Return the processes that still have Darkroom's settings although it has ended."""
        mark, found = self.webs[0].environment["DATA_DIR"], []
        for number in psutil.pids():
            with suppress(psutil.Error):
                process = psutil.Process(number)
                if process.environ().get("DATA_DIR") == mark:
                    found.append(f"{process.name()} ({number}) is left")
        return found


@asynccontextmanager
async def running(
    folder: Path, database: str, webs: int, workers: int, lease: int, webhooks: bool
) -> AsyncIterator[Site]:
    """Start everything in a folder, and hold it while the block runs. Raises TimeoutError.

    database: sqlite or postgres. lease: in seconds. webhooks: whether the first web process gets them; otherwise
    everything works by polling.
    """
    async with AsyncExitStack() as stack:
        for name in ("logs", "data", "world"):
            (folder / name).mkdir(parents=True)
        valkey = stack.enter_context(servers.kept("valkey"))
        postgres = stack.enter_context(servers.kept("durable-postgres")) if database == "postgres" else None
        database_url = postgres.url if postgres else f"sqlite:///{folder}/data/darkroom.sqlite"
        ports, world = [servers.free_port() for _ in range(webs)], servers.free_port()
        common = environment(
            folder, database_url, valkey.url, f"http://127.0.0.1:{world}",
            PUBLIC_URL=f"http://127.0.0.1:{ports[0]}" if webhooks else "",
            LEASE_SECONDS=str(lease),
            CREATES_PER_MINUTE=str(CREATES_PER_MINUTE),
            MAX_ATTEMPTS="10",  # so that no job fails from bad luck alone
            LOG_LEVEL="info",
            WEBHOOK_ALLOWED_HOSTS="127.0.0.1",
        )  # fmt: skip
        tether = stack.enter_context(Tether())

        def process(name: str, **settings: str) -> Process:
            started = Process(name, {**common, **settings}, tether, folder / "logs" / f"{name}.log")
            stack.callback(started.kill)
            started.start()
            return started

        outside = {"DATA_DIR": str(folder / "world"), "STANDIN_PORT": str(world), "LOG_LEVEL": "debug"}
        site = Site(
            folder=folder,
            standin=process("standin", **outside),  # at debug it logs every request, so that 429s are counted
            webs=[process(f"web-{number}", PORT=str(port)) for number, port in enumerate(ports, 1)],
            workers=[process(f"worker-{number + 1}") for number in range(workers)],
            valkey=valkey,
            postgres=postgres,
            database_url=database_url,
            addresses=[f"http://127.0.0.1:{port}" for port in ports],
            world=f"http://127.0.0.1:{world}",
        )
        await site.ready()
        yield site

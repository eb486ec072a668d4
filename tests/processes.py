"""A process that a harness runs: started, killed, paused, asked to end, and started again under the same name.

It ends with the harness, however that ends: it is tied to it as `darkroom up` ties its children.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from webapp.tether import Tether

ROOT = Path(__file__).parent.parent
STOPPED = 15.0  # seconds that a process has to end after SIGTERM: 10 are promised, and this machine is busy


@dataclass
class Process:
    """One process, with a log that goes on when it is started again.

    command: a program with its words, which is run in a process group of its own; none for the part of Darkroom that
    the name begins with: web, worker or standin.
    """

    name: str
    environment: dict[str, str]
    tether: Tether
    log: Path
    command: Sequence[str] = ()
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by what happens to it, so that it is one thing at a time."""
    started: float = 0.0
    """When it was started last (time.monotonic())."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def code(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start it."""
        self.started = time.monotonic()
        held = self.tether.descriptor
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._words(str(held))],
                cwd=ROOT,
                env=self.environment,
                pass_fds=[held],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _words(self, held: str) -> list[str]:
        if self.command:
            return ["webapp.tether", held, *self.command]
        return ["webapp", "--tether", held, self.name.partition("-")[0]]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; a command's whole group gets it. One that has ended does not mind."""
        if self._process is None or self.code is not None:
            return
        if self.command:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)

    @property
    def running(self) -> psutil.Process:
        """The process as the system counts it: of a command, the program itself. Raises psutil.NoSuchProcess."""
        assert self._process is not None
        found = psutil.Process(self._process.pid)
        return found.children()[0] if self.command else found

    def children(self) -> list[psutil.Process]:
        """The processes that it has started."""
        return [] if self._process is None or self.code is not None else psutil.Process(self._process.pid).children()

    def kill(self) -> None:
        """kill -9. Returns when it is gone."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    async def stop(self) -> bool:
        """SIGTERM. Whether it ended in time; it is gone in any case."""
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOPPED
        while self._process is not None and self.code is None:
            if time.monotonic() > deadline:
                self.kill()
                return False
            await asyncio.sleep(0.05)
        return True


async def answers(client: httpx.AsyncClient, address: str) -> bool:
    """Whether a GET of it is answered with 200; the stand-in wants a token, whichever."""
    try:
        return (await client.get(address, headers={"Authorization": "Bearer none"})).status_code == 200
    except httpx.TransportError:
        return False


def environment(folder: Path, database_url: str, redis_url: str, provider: str, **settings: str) -> dict[str, str]:
    """What Darkroom's processes find in their environment: nothing of the developer's own settings.

    folder: where they keep things. provider: the stand-in's address, without /v1. settings: further ones.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_TOKEN", "_SECRET"))}
    return inherited | {
        "DARKROOM_ENV_FILE": os.devnull,
        "DATA_DIR": str(folder / "data"),
        "STORAGE_URL": str(folder / "media"),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REPLICATE_API_URL": f"{provider}/v1",
        "PUBLIC_URL": "",
        "HOST": "127.0.0.1",
        "STANDIN_CONTROL": "true",
        **settings,
    }

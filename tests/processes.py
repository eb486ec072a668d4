"""Processes that a harness starts, kills, pauses, stops, and starts again under the same name.

They end with the harness, however the harness ends: they are tethered to it like the children of `darkroom up`.
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

from webapp.cli.parent_watch import Tether

ROOT = Path(__file__).parent.parent
STOPPED = 15.0  # seconds that a process has to end after SIGTERM: 10 are promised, but this machine is busy


@dataclass
class Process:
    """A process with a log that continues when the process is started again.

    command: a program with its arguments, which is run in a process group of its own. When it is empty, the name begins
    with the part of Darkroom to run: web, worker or standin.
    """

    name: str
    environment: dict[str, str]
    tether: Tether
    log: Path
    command: Sequence[str] = ()
    root: Path = ROOT
    """The folder of the code that is run."""
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held during each action on the process, so that there is one action at a time."""
    started: float = 0.0
    """The time of the last start (time.monotonic())."""
    _process: subprocess.Popen[bytes] | None = None

    @property
    def code(self) -> int | None:
        """The exit code, or None while the process runs."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start the process."""
        self.started = time.monotonic()
        held = self.tether.descriptor
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._words(str(held))],
                cwd=self.root,
                env=self.environment,
                pass_fds=[held],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _words(self, held: str) -> list[str]:
        if self.command:
            return ["webapp.cli.parent_watch", held, *self.command]
        return ["webapp", "--tether", held, self.name.partition("-")[0]]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, or to a command's whole group. Does nothing when the process has ended."""
        if self._process is None or self.code is not None:
            return
        if self.command:
            os.killpg(self._process.pid, number)
        else:
            self._process.send_signal(number)

    @property
    def running(self) -> psutil.Process:
        """The process as the system counts it: for a command, the program itself. Raises psutil.NoSuchProcess."""
        assert self._process is not None
        found = psutil.Process(self._process.pid)
        return found.children()[0] if self.command else found

    def children(self) -> list[psutil.Process]:
        """Return the processes that the process has started."""
        return [] if self._process is None or self.code is not None else psutil.Process(self._process.pid).children()

    def kill(self) -> None:
        """Kill the process (kill -9). Returns when it is gone."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    async def stop(self) -> bool:
        """Send SIGTERM, and return whether the process ended in time. It is gone in any case."""
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOPPED
        while self._process is not None and self.code is None:
            if time.monotonic() > deadline:
                self.kill()
                return False
            await asyncio.sleep(0.05)
        return True


async def answers(client: httpx.AsyncClient, address: str) -> bool:
    """Return whether a GET of `address` is answered with 200.

    Sends a token, because the stand-in requires one, whatever its value.
    """
    try:
        return (await client.get(address, headers={"Authorization": "Bearer none"})).status_code == 200
    except httpx.TransportError:
        return False


def environment(folder: Path, database_url: str, redis_url: str, provider: str, **settings: str) -> dict[str, str]:
    """Return the environment for Darkroom's processes, without any of the developer's own settings.

    folder: where they keep their data. provider: the stand-in's address, without /v1. settings: additional settings.
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

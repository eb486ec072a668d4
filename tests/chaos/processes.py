"""One of Darkroom's processes: started, killed, paused, asked to end, and started again under the same name."""

import asyncio
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from webapp.tether import Tether

ROOT = Path(__file__).parent.parent.parent
STOPPED = 15.0  # seconds that a process has to end after SIGTERM: 10 are promised, and this machine is busy


@dataclass
class Process:
    """One process of Darkroom, with a log that goes on when it is started again."""

    name: str
    environment: dict[str, str]
    tether: Tether
    log: Path
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
        held, part = self.tether.descriptor, self.name.partition("-")[0]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "webapp", "--tether", str(held), part],
                cwd=ROOT,
                env=self.environment,
                pass_fds=[held],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal. One that has ended does not mind."""
        if self._process is not None and self.code is None:
            self._process.send_signal(number)

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

"""Child processes that are restarted when they die, print through their parent, and end in order."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

WRONG_SETTING = 2  # the exit code of a part that can never start with its settings
DEATHS, WITHIN = 5, 60.0  # a part that dies DEATHS times within WITHIN seconds is given up
MAX_RESTART_SECONDS = 4.0  # seconds
KILL_SECONDS = 0.4  # for killed parts to be gone
LAST_WORDS_SECONDS = 0.3  # to pass on what a part printed last; a process that it left may hold its output open

GiveUp = Callable[[str, int], None]


@dataclass(frozen=True)
class Part:
    """A program to run. command: its words; descriptors: its open files; niceness: 0, or more to run after others."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    descriptors: Sequence[int]
    folder: Path
    niceness: int = 0


class Child:
    """A running part: it is restarted when it dies, and a line on the terminal reports that.

    When it keeps dying, or its settings are wrong, `give_up` is called once, from another thread, with a line for
    people and the exit code for the whole program.
    """

    def __init__(self, part: Part, give_up: GiveUp) -> None:
        self.part = part
        self._give_up = give_up
        self._ending = threading.Event()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name=part.name, daemon=True)
        self._thread.start()

    def ask_to_end(self) -> None:
        """Send the part SIGTERM, and do not restart it. Returns immediately."""
        with self._starting:
            self._ending.set()
            self._signal(signal.SIGTERM)

    def wait(self, deadline: float) -> None:
        """Wait for the part to end, until time.monotonic() reaches the deadline."""
        self._thread.join(max(0.0, deadline - time.monotonic()))

    def kill(self) -> None:
        """Kill the part if it has not ended. Returns immediately."""
        if self._thread.is_alive():
            self._signal(signal.SIGKILL)

    def _keep(self) -> None:
        deaths: deque[float] = deque(maxlen=DEATHS)
        while (code := self._run()) is not None and not self._ending.is_set():
            deaths.append(time.monotonic())
            recent = sum(moment > deaths[-1] - WITHIN for moment in deaths)
            if code == WRONG_SETTING:
                return self._give_up(f"The {self.part.name} cannot run with these settings (see above).", WRONG_SETTING)
            if recent == DEATHS:
                line = f"The {self.part.name} ended {DEATHS} times within {WITHIN:.0f} s, last with {_described(code)}."
                return self._give_up(line, 1)
            wait = min(2.0 ** (recent - 1), MAX_RESTART_SECONDS)
            say(self.part.name, f"ended with {_described(code)}; restarting in {wait:.0f} s")
            self._ending.wait(wait)
        return None

    def _run(self) -> int | None:
        """Run the part once and return its exit code. Returns None when it must not start any more."""
        with self._starting:
            if self._ending.is_set():
                return None
            process = self._process = subprocess.Popen(
                self.part.command,
                env=self.part.environment,
                cwd=self.part.folder,
                pass_fds=self.part.descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C must reach only the parent, which ends its children in order
            )
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, self.part.niceness)
        assert process.stdout is not None
        speaking = threading.Thread(target=_pass_on, args=(self.part.name, process.stdout), daemon=True)
        speaking.start()
        code = process.wait()
        self._signal(signal.SIGKILL)  # to processes that the part may have left in its group
        self._process = None
        speaking.join(LAST_WORDS_SECONDS)
        return code

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process is not None:
            with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter for a zombie
                os.killpg(process.pid, number)


def end(children: Iterable[Child], grace: float) -> None:
    """End the children together: send SIGTERM, wait up to `grace` seconds, then kill.

    Returns at most KILL_SECONDS later, whatever the children do.
    """
    ending = list(children)
    deadline = time.monotonic() + grace
    for child in ending:
        child.ask_to_end()
    for child in ending:
        child.wait(deadline)
    for child in ending:
        child.kill()
    deadline = time.monotonic() + KILL_SECONDS
    for child in ending:
        child.wait(deadline)


_one_line_at_a_time = threading.Lock()


def say(name: str, line: str) -> None:
    """Print one line after the part's name, which is colored when stdout is a terminal."""
    head = f"{name:>8} |"
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        head = f"\x1b[2m{head}\x1b[0m"
    tell(f"{head} {line}")


def tell(text: str) -> None:
    """Print text to the terminal. Ignores a terminal that is gone, which is no reason to stop."""
    with _one_line_at_a_time, suppress(OSError, ValueError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _pass_on(name: str, speech: IO[bytes]) -> None:
    with speech:
        for line in speech:
            say(name, line.decode(errors="replace").rstrip())


def _described(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

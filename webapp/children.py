"""Child processes that are kept alive, speak through their parent, and end in order."""

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

WRONG_SETTING = 2  # the exit code of a part that will never start as it is set up
DEATHS, WITHIN = 5, 60.0  # so many deaths within so many seconds, and the part is given up
SLOWEST_RESTART = 4.0  # seconds

GiveUp = Callable[[str, int], None]


@dataclass(frozen=True)
class Part:
    """What to run. command: its words; descriptors: open files it gets; niceness: 0, or more to let others go first."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    descriptors: Sequence[int]
    folder: Path
    niceness: int = 0


class Child:
    """One part, running: started again when it dies, with a line about it.

    When it keeps dying, or its settings are wrong, `give_up` is called once, from another thread, with a line for
    people and the exit code that everything should end with.
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
        """Have it end by SIGTERM, and not start again. Returns at once."""
        with self._starting:
            self._ending.set()
            self._signal(signal.SIGTERM)

    def ended_by(self, deadline: float) -> None:
        """Wait for it to end; kill it when time.monotonic() reaches the deadline."""
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._signal(signal.SIGKILL)
            self._thread.join(1.0)

    def _keep(self) -> None:
        deaths: deque[float] = deque(maxlen=DEATHS)
        while (code := self._run()) is not None and not self._ending.is_set():
            deaths.append(time.monotonic())
            recent = sum(moment > deaths[-1] - WITHIN for moment in deaths)
            if code == WRONG_SETTING:
                return self._give_up(f"The {self.part.name} cannot run with these settings (see above).", WRONG_SETTING)
            if recent == DEATHS:
                line = f"The {self.part.name} ended {DEATHS} times within {WITHIN:.0f} s, last with {_told(code)}."
                return self._give_up(line, 1)
            wait = min(2.0 ** (recent - 1), SLOWEST_RESTART)
            say(self.part.name, f"ended with {_told(code)}; starting again in {wait:.0f} s")
            self._ending.wait(wait)
        return None

    def _run(self) -> int | None:
        """Run it once, to its end. None when it must not start any more."""
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
                start_new_session=True,  # Ctrl-C in the terminal is for the parent, which ends its children in order
            )
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, self.part.niceness)
        assert process.stdout is not None
        speaking = threading.Thread(target=_pass_on, args=(self.part.name, process.stdout), daemon=True)
        speaking.start()
        code = process.wait()
        self._signal(signal.SIGKILL)  # to what the part may have left behind in its group
        self._process = None
        speaking.join(1.0)
        return code

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process is not None:
            with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a zombie
                os.killpg(process.pid, number)


def end(children: Iterable[Child], grace: float) -> None:
    """End them together: ask, wait up to `grace` seconds, then kill."""
    ending = list(children)
    deadline = time.monotonic() + grace
    for child in ending:
        child.ask_to_end()
    for child in ending:
        child.ended_by(deadline)


_one_line_at_a_time = threading.Lock()


def say(name: str, line: str) -> None:
    """One line to the terminal, with the part's name before it: coloured where a person reads along."""
    head = f"{name:>8} |"
    if sys.stdout.isatty() and not os.environ.get("NO_COLOR"):
        head = f"\x1b[2m{head}\x1b[0m"
    tell(f"{head} {line}")


def tell(text: str) -> None:
    """Text for the terminal. A terminal that has gone away is no reason to stop."""
    with _one_line_at_a_time, suppress(OSError, ValueError):
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def _pass_on(name: str, speech: IO[bytes]) -> None:
    with speech:
        for line in speech:
            say(name, line.decode(errors="replace").rstrip())


def _told(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

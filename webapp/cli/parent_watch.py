"""Makes children die with their parent, however it ended: even after kill -9, on Linux and on macOS.

The parent holds the only write end of a pipe, and each child the read end. When the parent is gone, the system closes
its end, and the child reads the end of the file.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Self

GRACE_SECONDS = 3.0  # seconds between SIGTERM and SIGKILL


class Tether:
    """The parent's end of the pipe. Keep it for as long as the children may live."""

    def __init__(self) -> None:
        self.descriptor, self._held = os.pipe()
        """`descriptor` is for the children: pass it on with subprocess's pass_fds, and give them its number."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)
        os.close(self._held)


def hold(descriptor: int) -> None:
    """End this process, as by SIGTERM, soon after the parent is gone.

    Call this in a Python child that leads a process group.
    """
    _when_parent_is_gone(descriptor, lambda: os.kill(os.getpid(), signal.SIGTERM))


def run(descriptor: int, command: list[str]) -> int:
    """Run a program that knows nothing of tethers, and end it when our parent is gone. Returns its exit code.

    Call this in a process group of its own: the whole group is ended, and the program with it.
    """
    # Not SIG_IGN, which the program would inherit. The program gets the group's SIGTERM itself, and this process waits.
    signal.signal(signal.SIGTERM, lambda *_: None)
    with subprocess.Popen(command, preexec_fn=_die_with_us if sys.platform == "linux" else None) as program:
        _when_parent_is_gone(descriptor, lambda: os.killpg(0, signal.SIGTERM))
        code = program.wait()
        return code if code >= 0 else 128 - code  # as a shell reports a signal


def _die_with_us() -> None:
    """Have Linux kill the program if this process is killed together with its parent.

    Runs in the program's process before the program starts.
    """
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)


def _when_parent_is_gone(descriptor: int, end: Callable[[], None]) -> None:
    def wait() -> None:
        while os.read(descriptor, 1):
            pass
        end()
        threading.Event().wait(GRACE_SECONDS)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=wait, name="tether", daemon=True).start()


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1]), sys.argv[2:]))

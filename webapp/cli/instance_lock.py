"""The lock of a data folder, so that only one Darkroom runs there at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.settings import SettingsError

LOCK_TIMEOUT = 6.0  # seconds for the children of a killed run to notice and end


@contextmanager
def locked(data_dir: Path) -> Iterator[int]:
    """Hold two locks of DATA_DIR while the block runs: one for this process, and one for its children.

    Yields the descriptor of the children's lock. When an earlier run was killed, waits for its children to end. Raises
    SettingsError when another run is alive.
    """
    own, childrens = _open(data_dir / "darkroom.lock"), _open(data_dir / "darkroom.children.lock")
    try:
        if not _taken(own):
            holder = os.pread(own, 20, 0).decode().strip() or "unknown"
            raise SettingsError(
                f"DATA_DIR={data_dir}: another Darkroom (process {holder}) is running; stop it, or change DATA_DIR"
            )
        os.truncate(own, 0)
        os.pwrite(own, f"{os.getpid()}\n".encode(), 0)
        deadline = time.monotonic() + LOCK_TIMEOUT
        while not _taken(childrens):
            if time.monotonic() > deadline:
                raise SettingsError(f"DATA_DIR={data_dir}: parts of an earlier Darkroom are still running; stop them")
            time.sleep(0.05)
        yield childrens
    finally:
        os.close(own)
        os.close(childrens)


def _open(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT, 0o600)


def _taken(descriptor: int) -> bool:
    """Return whether the lock is ours now. It is released when the last process with this descriptor is gone."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

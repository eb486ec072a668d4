"""One Darkroom at a time in a data folder."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.settings import SettingsError

PATIENCE = 6.0  # seconds for the children of a run that was killed to notice and end


@contextmanager
def locked(data_dir: Path) -> Iterator[int]:
    """Hold the locks of DATA_DIR: one of this process, and one of its children, whose descriptor it hands out.

    Where an earlier run was killed, waits for its children to end. Raises SettingsError when another run is alive.
    """
    own, childrens = _open(data_dir / "darkroom.lock"), _open(data_dir / "darkroom.children.lock")
    try:
        if not _taken(own):
            holder = os.pread(own, 20, 0).decode().strip() or "unknown"
            raise SettingsError(
                f"DATA_DIR={data_dir}: another Darkroom (process {holder}) runs there; stop it, or set DATA_DIR"
            )
        os.truncate(own, 0)
        os.pwrite(own, f"{os.getpid()}\n".encode(), 0)
        deadline = time.monotonic() + PATIENCE
        while not _taken(childrens):
            if time.monotonic() > deadline:
                raise SettingsError(f"DATA_DIR={data_dir}: parts of an earlier Darkroom still run there; stop them")
            time.sleep(0.05)
        yield childrens
    finally:
        os.close(own)
        os.close(childrens)


def _open(file: Path) -> int:
    return os.open(file, os.O_RDWR | os.O_CREAT, 0o600)


def _taken(descriptor: int) -> bool:
    """Whether the lock is ours now. It is let go when the last process with this descriptor is gone."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

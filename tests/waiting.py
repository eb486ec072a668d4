"""Waiting for what other processes and threads do."""

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], object], within: float = 10.0) -> None:
    """Return as soon as something is so. Raises AssertionError when it is not so within as many seconds."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not so within {within:.0f} s"
        time.sleep(0.02)

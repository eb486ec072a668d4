"""Waits for other processes and threads."""

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], object], within: float = 30.0) -> None:
    """Return as soon as `holds()` is true. Raises AssertionError when it is not true within `within` seconds."""
    looked = time.monotonic()
    deadline = looked + within
    while not holds():
        now = time.monotonic()
        assert now < deadline, f"not so within {within:.0f} s"
        time.sleep(max(0.02, 2 * (now - looked)))  # polling must not delay what it waits for
        looked = time.monotonic()

"""Waiting for what other processes and threads do."""

import time
from collections.abc import Callable


def wait_until(holds: Callable[[], object], within: float = 30.0) -> None:
    """Return as soon as something is so. Raises AssertionError when it is not so within as many seconds."""
    looked = time.monotonic()
    deadline = looked + within
    while not holds():
        now = time.monotonic()
        assert now < deadline, f"not so within {within:.0f} s"
        time.sleep(max(0.02, 2 * (now - looked)))  # to look must not keep what is waited for from coming about
        looked = time.monotonic()

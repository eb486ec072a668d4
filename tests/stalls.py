"""Measures how long one step holds the event loop: the CPU time of the loop's thread for one callback.

CPU time, because on a busy machine every step takes long by the clock. Garbage is not collected meanwhile: the objects
of a whole test run are not the service's.
"""

import gc
from asyncio.events import Handle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import thread_time


@dataclass
class Stall:
    """The longest step so far. seconds: its CPU time."""

    seconds: float = 0.0


@contextmanager
def longest_stall() -> Iterator[Stall]:
    """Measure each step of the loop while the block runs. Yields the longest one."""
    stall, run = Stall(), Handle._run

    def measured(handle: Handle) -> None:
        before = thread_time()
        run(handle)
        stall.seconds = max(stall.seconds, thread_time() - before)

    collecting = gc.isenabled()
    gc.disable()
    Handle._run = measured  # type: ignore[method-assign, assignment]
    try:
        yield stall
    finally:
        Handle._run = run  # type: ignore[method-assign]
        if collecting:
            gc.enable()

"""How long the event loop was held by one step: the CPU time of its thread between two looks at what is ready.

CPU time, since a machine that is busy with something else makes every step look long. Garbage is not collected
meanwhile: the objects of a whole test run are not the service's.
"""

import gc
from asyncio.events import Handle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import thread_time


@dataclass
class Stall:
    """The longest step so far. seconds: of CPU time."""

    seconds: float = 0.0


@contextmanager
def longest_stall() -> Iterator[Stall]:
    """Measure every step that the loop takes while the block runs."""
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

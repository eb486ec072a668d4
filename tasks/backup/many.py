"""Does one thing for hundreds of thousands of files: a few at a time, and with a word now and then on how far it is."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import TypeVar

from tasks import background

AT_ONCE = 8  # files; a bucket answers each request after some 20 ms
TELL_SECONDS = 10.0  # seconds between two lines of progress

Item = TypeVar("Item")
Tell = Callable[[str], None]
"""Takes a line about the progress."""
Say = Callable[[str], None]
"""Takes a line about a file with which something is wrong."""


class Progress:
    """Tells every TELL_SECONDS how many things are done. doing: the words before the number. total: None if unknown."""

    def __init__(self, doing: str, total: int | None, tell: Tell, clock: Callable[[], float] = monotonic) -> None:
        self._doing, self._tell, self._clock = doing, tell, clock
        self._of = "" if total is None else f" of {total:,}"
        self._done, self._told = 0, clock()

    def step(self, count: int = 1) -> None:
        """Count things that were done."""
        self._done += count
        if self._clock() - self._told >= TELL_SECONDS:
            self._told = self._clock()
            self._tell(f"{self._doing}: {self._done:,}{self._of}")


async def for_each(items: Iterable[Item], do: Callable[[Item], Awaitable[None]], progress: Progress) -> None:
    """Do something for each item, AT_ONCE of them at a time. The first error ends all, and is raised."""
    source = iter(items)

    async def work() -> None:
        for item in source:
            await do(item)
            progress.step()

    workers = [asyncio.create_task(work()) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*workers)
    finally:
        await background.end(*workers)

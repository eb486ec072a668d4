"""Whether what Darkroom needs works, in its own words: the database and the storage take writes, Redis answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from time import perf_counter

from tasks.db.database import now
from tasks.db.tables import Library
from tasks.files import library_mark
from tasks.files.storage import Storage
from tasks.messaging import events

CHECK_TIMEOUT = 2.0  # seconds for each check


@dataclass(frozen=True, slots=True)
class Check:
    """What a check has found. fault: why it failed, in a line; "" if it did not. seconds: how long it took."""

    fault: str
    seconds: float

    @property
    def works(self) -> bool:
        """Whether it did not fail."""
        return not self.fault


async def all_of(storage: Storage) -> Mapping[str, Check]:
    """Check the database, Redis and the storage at once. Returns what was found, by name."""
    checks = {"database": database, "redis": redis, "storage": lambda: files(storage)}
    found = await asyncio.gather(*(checked(check) for check in checks.values()))
    return dict(zip(checks, found, strict=True))


async def checked(check: Callable[[], Awaitable[object]]) -> Check:
    """Run a check, and return what it has found. Whatever it raises is why it failed."""
    begun = perf_counter()
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await check()
        fault = ""
    except TimeoutError:
        fault = f"no answer within {CHECK_TIMEOUT:.0f} s"
    except Exception as error:  # whatever the driver raises: the failure is the answer
        fault = f"{type(error).__name__}: {error}".splitlines()[0]
    return Check(fault, perf_counter() - begun)


async def database() -> None:
    """Write to the database: a read succeeds even on a full disk or a replica. Raises what the driver raises."""
    if not await is_written():
        raise RuntimeError("nothing was written: this library has no storage yet")


async def is_written() -> bool:
    """Write the time to the row of the library. Returns False when there is none yet."""
    return bool(await Library.update({Library.checked_at: now()}, force=True).returning(Library.id))


async def redis() -> None:
    """Ask Redis for an answer. Raises RedisError and OSError."""
    await events.redis().ping()


async def files(storage: Storage) -> None:
    """Write to storage. Raises RuntimeError when that is not possible, or it is not this library's."""
    if reason := await library_mark.check(storage, CHECK_TIMEOUT):
        raise RuntimeError(reason)

"""Whether Darkroom lives, and whether it can work: /healthz and /readyz."""

import asyncio
from collections.abc import Awaitable, Callable

from litestar import Response, route
from litestar.di import NamedDependency

from tasks import events, halts, library_mark
from tasks.database import now
from tasks.storage import Storage
from tasks.tables import Library
from webapp.methods import READ

PATIENCE = 2.0  # seconds for each check


@route("/healthz", http_method=READ)
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "ok"}


@route("/readyz", http_method=READ)
async def readyz(storage: NamedDependency[Storage]) -> Response[dict[str, object]]:
    """Whether database and storage take what is written, and Redis and a worker are there; 503, and why, if not.

    A halted queue is told, but counts as ready: that Replicate refuses the account is no reason to take the web away.
    """
    checks = {
        "database": _database,
        "redis": _redis,
        "storage": lambda: _storage(storage),
        "worker": _worker,
    }
    *answers, queue = await asyncio.gather(*(_answer(check) for check in [*checks.values(), _queue]))
    ready = all(answer == "ok" for answer in answers)
    body: dict[str, object] = {
        "status": "ready" if ready else "not ready",
        "checks": {**dict(zip(checks, answers, strict=True)), "queue": queue},
    }
    return Response(body, status_code=200 if ready else 503, headers={"Cache-Control": "no-store"})


async def _database() -> None:
    """Write to it: a full disk and a replica can be read."""
    if not await Library.update({Library.checked_at: now()}, force=True).returning(Library.id):
        raise RuntimeError("nothing was written: this library has no storage yet")


async def _redis() -> None:
    await events.redis().ping()


async def _storage(storage: Storage) -> None:
    if reason := await library_mark.check(storage, PATIENCE):
        raise RuntimeError(reason)


async def _worker() -> None:
    if not await events.slots():
        raise RuntimeError(f"no worker was seen in the last {events.WORKER_SEEN_SECONDS} s")


async def _queue() -> str | None:
    halt = await halts.current()
    return f"halted: {halt.message} (since {halt.since:%Y-%m-%d %H:%M:%S} UTC)" if halt else None


async def _answer(check: Callable[[], Awaitable[object]]) -> str:
    """What a check says, "ok" where that is nothing, or why it failed."""
    try:
        async with asyncio.timeout(PATIENCE):
            return str(await check() or "ok")
    except TimeoutError:
        return f"no answer within {PATIENCE:.0f} s"
    except Exception as error:  # whatever its driver raises: that it does not work is the answer
        return f"{type(error).__name__}: {error}".splitlines()[0]

"""Health checks: whether Darkroom is alive (/healthz), and whether it can work (/readyz)."""

import asyncio
from collections.abc import Awaitable, Callable

from litestar import Response, route
from litestar.di import NamedDependency

from tasks.db.database import now
from tasks.db.tables import Library
from tasks.files import library_mark
from tasks.files.storage import Storage
from tasks.messaging import events, presence
from tasks.replicate import circuit
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ
from webapp.schemas import describe, examples
from webapp.schemas.problems import Health, Readiness

CHECK_TIMEOUT = 2.0  # seconds for each check


@route(
    "/healthz",
    http_method=READ,
    tags=["Health"],
    summary="Check whether the process is alive",
    response_description="It is alive.",
)
async def healthz() -> Response[Health]:
    """Return 200 while the process is alive."""
    return Response(Health("ok"), headers=NO_STORE)


@route(
    "/readyz",
    http_method=READ,
    tags=["Health"],
    summary="Check whether Darkroom is ready",
    response_description="Ready.",
    responses={503: describe.answer(Readiness, "Not ready, and the reasons.", examples.NOT_READY)},
)
async def readyz(storage: NamedDependency[Storage]) -> Response[Readiness]:
    """Return 200 when database and storage accept writes and Redis and a worker are up; else 503 with the reasons.

    `queue` says whether prompts are sent to Replicate, or why not: without credit, for example, they wait. That counts
    as ready, because the web server works and no other instance would do better.
    """
    checks = {
        "database": _database,
        "redis": _redis,
        "storage": lambda: _storage(storage),
        "worker": _worker,
    }
    *answers, queue = await asyncio.gather(*(_answer(check) for check in [*checks.values(), _queue]))
    ready = all(answer == "ok" for answer in answers)
    body = Readiness("ready" if ready else "not ready", {**dict(zip(checks, answers, strict=True)), "queue": queue})
    return Response(body, status_code=200 if ready else 503, headers=NO_STORE)


async def _database() -> None:
    """Write to the database: a read succeeds even on a full disk or a replica."""
    if not await Library.update({Library.checked_at: now()}, force=True).returning(Library.id):
        raise RuntimeError("nothing was written: this library has no storage yet")


async def _redis() -> None:
    await events.redis().ping()


async def _storage(storage: Storage) -> None:
    if reason := await library_mark.check(storage, CHECK_TIMEOUT):
        raise RuntimeError(reason)


async def _worker() -> None:
    if not await presence.slots():
        raise RuntimeError(f"no worker seen in the last {presence.WORKER_SEEN_SECONDS} s")


async def _queue() -> str | None:
    halt = await circuit.current()
    return f"halted: {halt.message} (since {halt.since:%Y-%m-%d %H:%M:%S} UTC)" if halt else None


async def _answer(check: Callable[[], Awaitable[object]]) -> str:
    """Return what a check says, "ok" when it says nothing, or why it failed."""
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            return str(await check() or "ok")
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT:.0f} s"
    except Exception as error:  # whatever the driver raises: the failure is the answer
        return f"{type(error).__name__}: {error}".splitlines()[0]

"""Health checks: whether Darkroom is alive (/healthz), and whether it can work (/readyz)."""

import asyncio

from litestar import Response, route
from litestar.di import NamedDependency

from tasks.db.tables import Halt
from tasks.files.storage import Storage
from tasks.health import checks
from tasks.jobs import workers
from tasks.replicate import circuit
from webapp.http.etag import NO_STORE
from webapp.http.methods import READ
from webapp.schemas import describe, examples
from webapp.schemas.problems import Health, Readiness


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
    parts, worker, queue = await asyncio.gather(checks.all_of(storage), checks.checked(_worker), _queue())
    found = {**parts, "worker": worker}
    answers = {name: check.fault or "ok" for name, check in found.items()}
    ready = all(check.works for check in found.values())
    body = Readiness("ready" if ready else "not ready", {**answers, "queue": queue})
    return Response(body, status_code=200 if ready else 503, headers=NO_STORE)


async def _worker() -> None:
    if not await workers.exist():
        raise RuntimeError(f"no worker seen in the last {workers.GONE_SECONDS:.0f} s")


async def _queue() -> str:
    """Return "ok", or why the queue is halted, or why that is not known."""
    found: list[Halt | None] = []

    async def look() -> None:
        found.append(await circuit.current())

    check = await checks.checked(look)
    if check.fault or found[0] is None:
        return check.fault or "ok"
    return f"halted: {found[0].message} (since {found[0].since:%Y-%m-%d %H:%M:%S} UTC)"

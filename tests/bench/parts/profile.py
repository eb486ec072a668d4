"""profile: how the processor time is spent: for a request in the web process, for an instant job in the worker."""

import asyncio
import signal
import sysconfig
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.bench import predictions, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure
from tests.bench.ground import POSTGRES, SQLITE, Ground, prepared
from tests.bench.load import drive, get, post
from tests.bench.memory import processor
from tests.bench.orders import ORDER, carried, place
from tests.processes import ROOT, Process

CONNECTIONS, JOBS, SAMPLES = 16, 500, 200  # samples per second
PY_SPY = Path(sysconfig.get_path("scripts")) / "py-spy"
RECORD = ("record", "--gil", "--nonblocking", "--full-filenames", "--format", "raw", "--rate", str(SAMPLES))
LOOP = ("/uvicorn/server.py", "/asyncio/")
GROUPS = {
    "SQL and its drivers": (
        "/asyncpg/",
        "/aiosqlite/",
        "/piccolo/",
        f"{ROOT}/tasks/db/",
    ),
    "Redis": ("/redis/", "/taskiq", f"{ROOT}/tasks/messaging/"),
    "HTTP": ("/uvicorn/", "/httpx/", "/httpcore/", "/h11/", "/anyio/"),
    "Litestar": ("/litestar/",),
    "our own code": (f"{ROOT}/tasks/", f"{ROOT}/webapp/"),
}
"""The paths of each group's files. A sample belongs to the innermost frame whose file is in a group."""
REST = "the event loop and the rest"
NOTE = (
    "The processor's time is the process's and its children's, by the system's account. The shares are those of the"
    " time in which it holds the interpreter's lock, by py-spy: what SQLite and the kernel do without it is not among"
    " them."
)


async def measure(effort: Effort) -> list[Figure]:
    """Measure how much of the processor time each group takes, on each database."""
    return [figure for database in (POSTGRES, SQLITE) for figure in await _on(database, effort)]


async def _on(database: str, effort: Effort) -> list[Figure]:
    jobs = effort.count(JOBS)
    async with prepared(database) as ground:
        site = await sites.darkroom(ground)
        order, look = post(f"{site.address}/generate", ORDER), get(f"{site.address}/status/{await place(site.address)}")

        async def load(request: bytes, status: int) -> int:
            return len((await drive(site.address, request, status, CONNECTIONS, effort.seconds)).latencies)

        async def work() -> int:
            await carried(instant, jobs)
            return jobs

        [web] = site.webs
        figures = await _spent("POST /generate", ground, web, lambda: load(order, 202), effort)
        figures += await _spent("GET /status of a queued job", ground, web, lambda: load(look, 200), effort)
        instant = await sites.darkroom(ground, workers=1)
        await predictions.share_a_picture(ground)
        figures += await _spent(
            "an instant job in the worker and its openers", ground, instant.workers[0], work, effort
        )
    return figures


async def _spent(
    what: str, ground: Ground, process: Process, work: Callable[[], Awaitable[int]], effort: Effort
) -> list[Figure]:
    """Measure the processor time that one unit of work takes in a process, and each group's share of it."""
    await work()  # warm up
    spent: list[float] = []
    shares: list[Counter[str]] = []
    for _ in range(effort.long_rounds):
        samples, seconds, count = await _sampled(process, ground.folder / "samples", work)
        spent.append(1000 * seconds / count)
        shares.append(Counter({group: 100 * samples[group] / samples.total() for group in (*GROUPS, REST)}))
    figures = [Figure("profile", what, "ms", tuple(spent), ground.database, note=NOTE)]
    for group in (*GROUPS, REST):
        share = tuple(each[group] for each in shares)
        figures.append(Figure("profile", f"{what}: {group}", "%", share, ground.database))
    return figures


async def _sampled(process: Process, file: Path, work: Callable[[], Awaitable[int]]) -> tuple[Counter[str], float, int]:
    """Sample a process while it works. Returns each group's samples, the processor seconds and the amount of work."""
    words, unheard = ("--pid", str(process.running.pid), "--output", str(file)), asyncio.subprocess.DEVNULL
    spy = await asyncio.create_subprocess_exec(PY_SPY, *RECORD, *words, stdout=unheard, stderr=unheard)
    try:
        before = processor([process])
        count = await work()
        seconds = processor([process]) - before
    finally:
        spy.send_signal(signal.SIGINT)
        await spy.wait()
    return _counted(file), seconds, count


def _counted(file: Path) -> Counter[str]:
    """Return how many of py-spy's samples belong to each group."""
    samples: Counter[str] = Counter()
    for line in file.read_text().splitlines():
        stack, _, times = line.rpartition(" ")
        samples[_group(stack.split(";"))] += int(times)
    return samples


def _group(stack: list[str]) -> str:
    if any(part in stack[-1] for part in LOOP):
        return REST
    for frame in reversed(stack):
        for group, parts in GROUPS.items():
            if any(part in frame for part in parts):
                return group
    return REST

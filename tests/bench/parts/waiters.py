"""waiters: 1,000 programs that wait for the end of one job, by Prefer: wait and by its events: memory and p99."""

import asyncio
from time import perf_counter
from urllib.parse import urlsplit

import httpx

from tests.bench import sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target, quantile
from tests.bench.ground import POSTGRES, prepared
from tests.bench.load import get
from tests.bench.memory import resident
from tests.bench.orders import ORDER
from tests.bench.sites import Site

WAITERS = 1000
WARM_UP = 20  # waiters
AT_ONCE = 50  # connections that are opened together
SETTLED = 1.0  # seconds after which all requests are waiting
KIB = 1024
WAYS = {"Prefer: wait=60": ("/status/{}", {"Prefer": "wait=60"}), "/jobs/{id}/events": ("/jobs/{}/events", {})}
END = b'"status":"canceled"'


async def measure(effort: Effort) -> list[Figure]:
    """Measure KiB for each waiter, and the milliseconds from a request to cancel until the waiters know of the end."""
    return [figure for name in WAYS for figure in await _by(name, effort)]


async def _by(name: str, effort: Effort) -> list[Figure]:
    """Measure one way to wait, in a new process: memory that was used once is not given back."""
    count, (path, headers) = effort.count(WAITERS), WAYS[name]
    async with prepared(POSTGRES) as ground:
        site = await sites.darkroom(ground)
        await _round(site, path, headers, WARM_UP)
        rounds = [await _round(site, path, headers, count) for _ in range(effort.rounds)]
    what = f"{count:,} waiters, {name}"
    return [
        Figure("waiters", f"{what}, memory of each", "KiB", (rounds[0][0],), POSTGRES, targets=(Target("<", 100),)),
        Figure(
            "waiters", f"{what}, p99", "ms", tuple(late for _, late in rounds), POSTGRES, targets=(Target("<", 2000),),
            note="From a request to cancel their job until they know of its end.",
        ),
    ]  # fmt: skip


async def _round(site: Site, path: str, headers: dict[str, str], count: int) -> tuple[float, float]:
    before = resident(site.webs)
    async with httpx.AsyncClient(base_url=site.address) as client:
        job = (await client.post("/generate", json=ORDER)).raise_for_status().json()["job_id"]
        request = get(f"{site.address}{path.format(job)}", headers)
        waits = await _opened(site.address, request, count)
        await asyncio.sleep(SETTLED)
        size = (resident(site.webs) - before) * KIB / count
        begun = perf_counter()
        (await client.post(f"/jobs/{job}/cancel")).raise_for_status()
        ends = await asyncio.gather(*waits)
    return max(0.0, size), 1000 * quantile([end - begun for end in ends], 0.99)


async def _opened(address: str, request: bytes, count: int) -> "list[asyncio.Task[float]]":
    host, port = urlsplit(address).hostname, urlsplit(address).port
    waits: list[asyncio.Task[float]] = []
    for start in range(0, count, AT_ONCE):
        pairs = [asyncio.open_connection(host, port) for _ in range(min(AT_ONCE, count - start))]
        for reader, writer in await asyncio.gather(*pairs):
            writer.write(request)
            waits.append(asyncio.create_task(_end(reader, writer)))
    return waits


async def _end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
    """Read until the job has ended. Returns when that was heard. Raises ConnectionError when the server hung up."""
    heard = b""
    while END not in heard:
        piece = await reader.read(65536)
        if not piece:
            raise ConnectionError(heard[:200].decode(errors="replace"))
        heard += piece
    writer.close()
    return perf_counter()

"""phone: the gallery's first load on a phone with a mobile network, with 300 prints."""

from tests.bench import seeding, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target
from tests.bench.ground import SQLITE, prepared
from tests.bench.visitor import MOBILE_NETWORK, PHONE_THROTTLE, first_load

JOBS = 300
LOADS = 3  # in each round
WHAT = ("first paint", Target("<", 1500)), ("largest paint", Target("<", 2000)), ("longest task", None)
NOTE = (
    f"Chromium, with {MOBILE_NETWORK['latency']} ms for each request,"
    f" {MOBILE_NETWORK['downloadThroughput'] * 8 / 1e6:.1f} Mbit/s, and a processor that is slowed down"
    f" {PHONE_THROTTLE} times: what Lighthouse takes for a phone."
)


async def measure(effort: Effort) -> list[Figure]:
    """Measure when the page first shows something, when it shows its largest element, and its longest task."""
    async with prepared(SQLITE) as ground:
        site = await sites.darkroom(ground, database_url=await seeding.filled(ground, effort.count(JOBS)))
        await first_load(site.address, phone=True)  # warm up
        loads = [await first_load(site.address, phone=True) for _ in range(LOADS * effort.long_rounds)]
    values = zip(*((load.first_paint, load.largest_paint, load.longest_task) for load in loads), strict=True)
    return [
        Figure(
            "phone", f"first load on a phone, 300 prints: {what}", "ms", tuple(rounds), SQLITE,
            targets=(target,) if target else (), note=NOTE,
        )
        for (what, target), rounds in zip(WHAT, values, strict=True)
    ]  # fmt: skip

"""browser: the gallery of a large library in Chromium: a minute of scrolling, then typing while jobs arrive."""

import asyncio
from collections.abc import Sequence

from tests.bench import predictions, seeding, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target
from tests.bench.ground import SQLITE, prepared
from tests.bench.orders import carried
from tests.bench.sites import Site
from tests.bench.visitor import visiting

JOBS, ARRIVING = 100_000, 300
SECONDS = 60  # of scrolling with the wheel
SETTLED = 3.0  # seconds until the last change is on the page
THROTTLE = 4

SCROLLED = ("longest task", "ms", Target("<", 200)), ("elements at most", "", Target("<=", 15_000)), (
    "frame, p95", "ms", Target("<", 50))  # fmt: skip
TYPED = ("longest task", "ms", None), ("INP", "ms", Target("<", 200)), ("CLS", "", Target("<", 0.05))
NOTE = (
    f"Throttled: Chromium's CPU throttling, {THROTTLE} times, for the record. The wheel turns 4,000 pixels a second."
    " The jobs are asked for at once, and run for 1.2 to 2.5 s each."
)


async def measure(effort: Effort) -> list[Figure]:
    """Measure what a visitor notices, on this machine and on one that is four times slower."""
    scrolled, typed = f"{effort.count(JOBS):,} jobs, wheel", f"{effort.count(ARRIVING)} jobs arrive while typing"
    figures = []
    async with prepared(SQLITE) as ground:
        site = await sites.darkroom(ground, workers=1, database_url=await seeding.filled(ground, effort.count(JOBS)))
        await predictions.share_a_picture(ground)
        await predictions.keep_pace(ground, 1)
        await carried(site, 20)  # warm up
        for throttle, where in ((1, ""), (THROTTLE, f", {THROTTLE} x throttled")):
            rounds = [await _round(site, effort, throttle) for _ in range(effort.long_rounds)]
            for number, (what, unit, target) in enumerate((*SCROLLED, *TYPED)):
                name = f"{scrolled if number < len(SCROLLED) else typed}{where}: {what}"
                targets = (target,) if target and throttle == 1 else ()
                values = tuple(values[number] for values in rounds)
                figures.append(Figure("browser", name, unit, values, SQLITE, targets=targets, note=NOTE))
    return figures


async def _round(site: Site, effort: Effort, throttle: float) -> Sequence[float]:
    async with visiting(site.address, throttle) as visitor:
        elements = await visitor.wheel(max(5, SECONDS * effort.scale))
        scrolled = await visitor.noticed()
        arriving = asyncio.ensure_future(_arrived(site, effort.count(ARRIVING)))
        await visitor.write(arriving)
        typed = await visitor.noticed()
    return (scrolled.longest_task, elements, scrolled.frame, typed.longest_task, typed.answer, typed.shift)


async def _arrived(site: Site, jobs: int) -> None:
    await carried(site, jobs)
    await asyncio.sleep(SETTLED)

"""A visitor with a real browser, and what they notice: long tasks, late frames, slow answers to keys, layout shifts."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from playwright.async_api import Page, async_playwright

from tests import chromium
from tests.bench.figures import quantile

NOTES = Path(__file__).parent / "browser.js"
ARGS = ("--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-background-networking")
VIEW = {"width": 1280, "height": 900}
STEP, PAUSE = 200, 0.05  # pixels and seconds per turn of the wheel
KEY = 150  # milliseconds between two letters
WORDS = "a fox in the snow at dusk "
PATIENCE = 120.0  # seconds for an action of the visitor
GAP, WINDOW = (
    1000,
    5000,
)  # milliseconds: shifts less than GAP apart count together, for at most WINDOW (web.dev/articles/cls)
IGNORED = 50  # of this many interactions, the slowest does not count (web.dev/articles/inp)


class Visitor:
    """A visited page of the gallery."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def wheel(self, seconds: float) -> int:
        """Scroll down for `seconds`. Returns the highest number of elements that the document had."""
        until, most = perf_counter() + seconds, 0
        await self._page.mouse.move(VIEW["width"] / 2, VIEW["height"] / 2)
        while perf_counter() < until:
            await self._page.mouse.wheel(0, STEP)
            await asyncio.sleep(PAUSE)
            most = max(most, await self._page.evaluate("document.getElementsByTagName('*').length"))
        return most

    async def write(self, until: asyncio.Future[Any]) -> None:
        """Type into the prompt until `until` is done."""
        await self._page.locator("#prompt").focus()
        while not until.done():
            await self._page.keyboard.type(WORDS, delay=KEY)

    async def noticed(self) -> "Noticed":
        """Return what was noticed since the last call."""
        found = await self._page.evaluate("structuredClone(noted)")
        await self._page.evaluate(
            "{ noted.tasks.splice(1); noted.frames.length = noted.shifts.length = 0; "
            "for (const id in noted.inputs) delete noted.inputs[id] }"
        )
        return Noticed(found)


class Noticed:
    """What a visitor noticed, in milliseconds, except for `shift`, which is a CLS."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.longest_task = float(max(found["tasks"]))
        self.frame = quantile(found["frames"], 0.95)
        inputs = sorted(found["inputs"].values(), reverse=True) or [0.0]
        self.answer = float(inputs[len(inputs) // IGNORED])
        self.shift = _shift(found["shifts"])


@asynccontextmanager
async def visiting(address: str, throttle: float = 1) -> AsyncIterator[Visitor]:
    """Hold the gallery open in a browser while the block runs.

    throttle: how many times slower than this machine the visitor's is.
    """
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.find(), args=ARGS)
        context = await browser.new_context(viewport=VIEW, locale="en-GB")  # type: ignore[arg-type]
        page = await context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        await page.add_init_script(path=NOTES)
        await (await context.new_cdp_session(page)).send("Emulation.setCPUThrottlingRate", {"rate": throttle})
        await page.goto(address, wait_until="load")
        yield Visitor(page)
        await browser.close()


def _shift(shifts: Sequence[tuple[float, float]]) -> float:
    """Return the largest sum of layout shifts in one window."""
    worst = total = begun = last = 0.0
    for moment, value in shifts:
        if moment - last > GAP or moment - begun > WINDOW:
            total, begun = 0.0, moment
        total, last = total + value, moment
        worst = max(worst, total)
    return worst

"""A visitor with a real browser, and what they notice: long tasks, late frames, slow answers to keys, layout shifts."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
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


PHONE = {
    "viewport": {"width": 412, "height": 823},
    "device_scale_factor": 1.75,
    "is_mobile": True,
    "has_touch": True,
}
PHONE_THROTTLE = 4
STILL = 0.4  # seconds between two actions
SETTLED = 3.0  # seconds in which a larger element may still come
MOBILE_NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 204_800, "uploadThroughput": 96_000}
"""What Lighthouse takes for a phone and its network: milliseconds for each request, and bytes per second."""


@dataclass(frozen=True, slots=True)
class FirstLoad:
    """When a page that was never visited shows something, in milliseconds: first and largest paint (web.dev/lcp).

    longest_task: of the page's main thread.
    """

    first_paint: float
    largest_paint: float
    longest_task: float


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

    async def act(self, action: Callable[[Page], Awaitable[object]], times: int) -> None:
        """Do something on the page `times` times, each after the page has been still for a moment."""
        for _ in range(times):
            await action(self._page)
            await asyncio.sleep(STILL)

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
    async with _opened(throttle, viewport=VIEW) as page:
        await page.goto(address, wait_until="load")
        yield Visitor(page)


async def first_load(address: str, *, phone: bool) -> FirstLoad:
    """Load a page in a browser that has never been there, and measure when it shows something.

    phone: a slow processor and a mobile network, else this machine as it is.
    """
    device, throttle = (PHONE, PHONE_THROTTLE) if phone else ({"viewport": VIEW}, 1)
    async with _opened(throttle, **device) as page:
        if phone:
            await (await page.context.new_cdp_session(page)).send("Network.emulateNetworkConditions", MOBILE_NETWORK)
        await page.goto(address, wait_until="load")
        await asyncio.sleep(SETTLED)
        noted = await page.evaluate("noted")
    paints = noted["paints"]
    return FirstLoad(paints["first-contentful-paint"], paints["largest"], max(noted["tasks"]))


@asynccontextmanager
async def _opened(throttle: float, **device: Any) -> AsyncIterator[Page]:
    """Open a browser with an empty page, which notes what a visitor notices. device: as for Playwright's contexts."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium.find(), args=ARGS)
        context = await browser.new_context(locale="en-GB", **device)
        page = await context.new_page()
        page.set_default_timeout(PATIENCE * 1000)
        await page.add_init_script(path=NOTES)
        await (await context.new_cdp_session(page)).send("Emulation.setCPUThrottlingRate", {"rate": throttle})
        yield page
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

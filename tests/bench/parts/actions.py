"""actions: the gallery on a desktop: when it shows its prints, and how soon it shows what one does."""

from collections.abc import Awaitable, Callable

from playwright.async_api import Page

from tests.bench import predictions, seeding, sites
from tests.bench.effort import Effort
from tests.bench.figures import Figure, Target
from tests.bench.ground import SQLITE, prepared
from tests.bench.orders import carried
from tests.bench.visitor import first_load, visiting

JOBS = 5_000
LOADS = 5  # in each round
TIMES = 10  # each action in each round
SEEN = 400  # milliseconds from one input to the next, so that each is seen by itself
LETTER = 120  # milliseconds between two letters
PAINT, ANSWER = Target("<", 1000), Target("<", 200)
NOTE = (
    "Chromium at 1280 px, not throttled. INP: the slowest of an action's interactions, but for one in fifty"
    " (web.dev/articles/inp)."
)

VIEW = "#view-summary"  # opens and closes the menu

Action = Callable[[Page], Awaitable[object]]


def pressing(*keys: str) -> Action:
    """Return an action that presses keys, one after the other, with what they change seen in between."""

    async def press(page: Page) -> None:
        for key in keys:
            await page.keyboard.press(key)
            await page.wait_for_timeout(SEEN)

    return press


def clicking(*selectors: str) -> Action:
    """Return an action that clicks elements, one after the other."""

    async def click(page: Page) -> None:
        for selector in selectors:
            await page.locator(selector).first.click()
            await page.wait_for_timeout(SEEN)

    return click


async def _search(page: Page) -> None:
    await page.locator("#search-bar-q").click()
    await page.keyboard.type("fox ", delay=LETTER)
    await page.wait_for_timeout(SEEN)
    await page.locator("#search-bar-q").fill("")
    await page.wait_for_timeout(SEEN)


async def _write(page: Page) -> None:
    await page.locator("#prompt").click()
    await page.keyboard.type("a fox in the snow", delay=LETTER)
    await page.locator("#prompt").fill("")
    await page.keyboard.press("Escape")


async def _trash(page: Page) -> None:
    await page.keyboard.press("Delete")
    await page.locator("#done button").first.click()
    await page.wait_for_timeout(SEEN)
    await _focus(page)


async def _jump(page: Page) -> None:
    box = await page.locator("#timeline").bounding_box()
    assert box is not None
    for share in (0.7, 0.05):
        await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] * share)
        await page.wait_for_timeout(2 * SEEN)


async def _focus(page: Page) -> None:
    await page.locator(".card a[id$='-link']").nth(3).focus()


ACTIONS: dict[str, tuple[Action | None, Action]] = {
    "heart and back": (_focus, pressing("f", "f")),
    "stars and none": (_focus, pressing("4", "0")),
    "select and not": (_focus, pressing("x", "x")),
    "move the focus": (_focus, pressing("ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft")),
    "lightbox: open, turn, close": (_focus, pressing("Enter", "ArrowRight", "ArrowRight", "Escape")),
    "trash and undo": (_focus, _trash),
    "jump in time": (None, _jump),
    "filter: open, close": (None, clicking("#filter-button", "#filter-button")),
    "size of prints": (None, clicking(VIEW, "label:has(#view-size-s)", "label:has(#view-size-m)", VIEW)),
    "search": (None, _search),
    "write a prompt": (None, _write),
}
"""What one does, by name: what comes before it once, and the action."""


async def measure(effort: Effort) -> list[Figure]:
    """Measure the largest paint of first loads, and the INP of each action."""
    jobs = effort.count(JOBS)
    async with prepared(SQLITE) as ground:
        site = await sites.darkroom(ground, workers=1, database_url=await seeding.filled(ground, jobs))
        await predictions.share_a_picture(ground)
        await carried(site, 20)  # warm up
        await first_load(site.address, phone=False)
        loads = [await first_load(site.address, phone=False) for _ in range(LOADS * effort.long_rounds)]
        paints = tuple(load.largest_paint for load in loads)
        figures = [_figure(f"first load at 1280 px, {jobs:,} prints: largest paint", paints, PAINT)]
        for name, (first, action) in ACTIONS.items():
            rounds = tuple([await _round(site.address, first, action, effort) for _ in range(effort.long_rounds)])
            figures.append(_figure(f"{jobs:,} prints, {name}: INP", rounds, ANSWER))
    return figures


async def _round(address: str, first: Action | None, action: Action, effort: Effort) -> float:
    async with visiting(address) as visitor:
        if first:
            await visitor.act(first, 1)
        await visitor.noticed()
        await visitor.act(action, effort.count(TIMES))
        return (await visitor.noticed()).answer


def _figure(what: str, rounds: tuple[float, ...], target: Target) -> Figure:
    return Figure("actions", what, "ms", rounds, SQLITE, targets=(target,), note=NOTE)

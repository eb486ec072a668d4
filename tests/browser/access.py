"""What every page is held to: axe finds nothing in the dark and in the light, and nothing overflows."""

from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SCHEMES: list[Literal["dark", "light"]] = ["dark", "light"]
WIDTHS = (320, 768, 3840)  # pixels


def axe_finds_nothing(page: Page, context: dict[str, Any] | None = None) -> None:
    """Fails with axe's report where it finds something on the page as it is. context: as axe takes it."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.wait_for_timeout(300)
        results = Axe().run(page, context=context)
        assert results.violations_count == 0, results.generate_report()


def nothing_overflows(page: Page) -> None:
    """Fails where the page has to be scrolled sideways. Leaves it wide."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width

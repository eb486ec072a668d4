"""Accessibility checks for every page: axe finds nothing in the dark and light schemes, and nothing overflows."""

from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SCHEMES: list[Literal["dark", "light"]] = ["dark", "light"]
WIDTHS = (320, 768, 3840)  # pixels


def axe_finds_nothing(page: Page, context: dict[str, Any] | None = None) -> None:
    """Fail with axe's report if it finds something on the page in its current state. context: axe's context."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.wait_for_timeout(300)
        results = Axe().run(page, context=context)
        assert results.violations_count == 0, results.generate_report()


def nothing_overflows(page: Page) -> None:
    """Fail if the page scrolls sideways. Leaves the viewport at its widest."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), width

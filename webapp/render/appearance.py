"""How a browser shows pages: the size of prints, their layout and the theme, which it keeps in a cookie."""

import re
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

COOKIE = "darkroom-view"
KEPT = re.compile(rb"(?:^|; ?)darkroom-view=([a-z]+)\.([a-z]+)\.([a-z]+)(?:;|$)")


class Size(StrEnum):
    """The size of prints, from small to very large. static/css/tokens.css says what each means."""

    S = "s"
    M = "m"
    L = "l"
    XL = "xl"


class Layout(StrEnum):
    """How prints are laid out: in rows that keep their proportions, as squares, or as a list with a line for each."""

    ROWS = "rows"
    SQUARES = "squares"
    LIST = "list"


class Theme(StrEnum):
    """The colors: those that the browser's system prefers, or always the same."""

    SYSTEM = "system"
    DARK = "dark"
    LIGHT = "light"


@dataclass(frozen=True, slots=True)
class Appearance:
    """What a browser has chosen. js/view.js writes the same value into the cookie."""

    size: Size = Size.M
    layout: Layout = Layout.ROWS
    theme: Theme = Theme.SYSTEM

    def __str__(self) -> str:
        """Return the value of the cookie."""
        return f"{self.size}.{self.layout}.{self.theme}"

    @classmethod
    def of(cls, size: Any, layout: Any, theme: Any) -> "Appearance":
        """Return the appearance with these values. Raises ValueError when one is unknown."""
        return cls(Size(size), Layout(layout), Theme(theme))


DEFAULT = Appearance()
appearance: ContextVar[Appearance] = ContextVar("appearance", default=DEFAULT)
"""That of the browser for which a page is rendered."""


class Appearing:
    """An application whose pages appear as the cookie of each request says, also the pages that tell of errors."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Note the appearance, and pass the request on."""
        if scope["type"] == ScopeType.HTTP:
            appearance.set(_kept(b"; ".join(value for name, value in scope["headers"] if name == b"cookie")))
        await self._app(scope, receive, send)


def _kept(cookies: bytes) -> Appearance:
    """Return the appearance that cookies keep, or the default one."""
    found = KEPT.search(cookies)
    try:
        return Appearance.of(*(value.decode() for value in found.groups())) if found else DEFAULT
    except ValueError:
        return DEFAULT

"""A page that is one fragment: it is rendered for all viewers at once, and only when what it shows has changed."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from time import monotonic

from tasks.accounts.actors import Actor
from tasks.background import repeat
from webapp.live import sse
from webapp.live.mailbox import Mailbox, close, opened, send

LOOK_SECONDS = 3.0  # seconds between looks whether something has changed
RENDER_SECONDS = 30.0  # seconds after which it is rendered although nothing seems to have changed

log = logging.getLogger(__name__)


class Board:
    """The open pages of one kind. render: returns the fragment. pulse: returns, cheaply, what it depends on most.

    While no page is open, nothing is looked at.
    """

    def __init__(self, render: Callable[[], Awaitable[str]], pulse: Callable[[], Awaitable[object]]) -> None:
        self._render, self._pulse = render, pulse
        self._pages: dict[str, set[Mailbox]] = {}
        self._felt: object = None
        self._html, self._rendered_at = "", 0.0

    @property
    def pages(self) -> list[set[Mailbox]]:
        """The inboxes of the open pages."""
        return list(self._pages.values())

    async def stream(self, actor: Actor) -> AsyncGenerator[bytes, None]:
        """Yield the events of a page: what is there now, and then what changes. Raises DatabaseAway."""
        inbox = opened(self._pages, "", actor)
        try:
            yield sse.event(await self._render())
            while (news := await inbox.get()) is not None:
                yield news
        finally:
            close(self._pages, "", inbox)

    async def keep_telling(self) -> None:
        """Send the pages what has changed, forever."""
        await repeat(self._tell, lambda: LOOK_SECONDS, "could not look whether a page has changed", log)

    async def _tell(self) -> None:
        if not self._pages:
            return
        felt = await self._pulse()
        if felt == self._felt and monotonic() - self._rendered_at < RENDER_SECONDS:
            return
        self._felt, self._rendered_at = felt, monotonic()
        if (html := await self._render()) != self._html:
            self._html = html
            for inboxes in self.pages:
                send(inboxes, sse.event(html))

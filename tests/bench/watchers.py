"""Open pages: connections that read the events of the gallery and record when each arrived."""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import time
from urllib.parse import quote, urlsplit

EVENT = re.compile(rb"^id: (\S+)", re.MULTILINE)
AT_ONCE = 50  # connections that are opened together

Arrivals = dict[float, list[float]]
"""When each change was made -> when the pages received it, one time for each page. Both in Unix seconds."""


@asynccontextmanager
async def watching(address: str, pages: int) -> AsyncIterator[Arrivals]:
    """Hold `pages` pages of the gallery open while the block runs. Raises ConnectionError when one is refused."""
    arrivals: Arrivals = defaultdict(list)
    url, opened = urlsplit(address), list[_Page]()
    since = quote(datetime.now(UTC).isoformat())
    request = f"GET /events?since={since} HTTP/1.1\r\nHost: {url.netloc}\r\nAccept: text/event-stream\r\n\r\n".encode()
    try:
        for start in range(0, pages, AT_ONCE):
            batch = [await _opened(url.netloc, request, arrivals) for _ in range(min(AT_ONCE, pages - start))]
            opened += batch
            await asyncio.gather(*(page.answered for page in batch))
        yield arrivals
    finally:
        for page in opened:
            page.close()
    if lost := sum(page.lost for page in opened):
        raise ConnectionError(f"{lost} pages were dropped")


async def _opened(netloc: str, request: bytes, arrivals: Arrivals) -> "_Page":
    host, _, port = netloc.partition(":")
    _, page = await asyncio.get_running_loop().create_connection(lambda: _Page(request, arrivals), host, int(port))
    return page


class _Page(asyncio.Protocol):
    """One page. answered: done when its stream has begun. lost: whether the server has closed it."""

    def __init__(self, request: bytes, arrivals: Arrivals) -> None:
        self.answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = self._closed = False
        self._request, self._arrivals, self._rest = request, arrivals, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's are not a subclass
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time()
        if not self.answered.done():
            self._begin(data)
        whole, _, self._rest = (self._rest + data).rpartition(b"\n")
        for match in EVENT.finditer(whole):
            self._arrivals[datetime.fromisoformat(match[1].decode()).timestamp()].append(now)

    def close(self) -> None:
        """Close the connection, as when a visitor leaves."""
        self._closed = True
        self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = not self._closed
        if not self.answered.done():
            self.answered.set_exception(ConnectionError("a page was refused"))

    def _begin(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 200"):
            self.answered.set_result(None)
        else:
            self.answered.set_exception(ConnectionError(data[:100].decode(errors="replace")))

"""The load generator: open connections that send one request at a time, the next one after each response.

It parses responses with httptools on bare asyncio protocols. Convenient HTTP clients take as long for a request as the
echo takes to answer it: on two cores the clients would be measured, not the servers.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import cast
from urllib.parse import urlsplit

import httptools

from tests.bench.figures import quantile


@dataclass
class Load:
    """The result of some seconds of requests.

    latencies: in seconds, one for each answered request. statuses: how often each occurred.
    """

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """The number of requests per second."""
        return len(self.latencies) / self.seconds

    def milliseconds(self, share: float) -> float:
        """Return the latency in milliseconds that this share of the requests did not exceed."""
        return 1000 * quantile(self.latencies, share)


class Failed(Exception):
    """The error for a server that answered with an unexpected status or closed the connection."""


def get(address: str, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a GET of an address as the bytes to send."""
    url, more = urlsplit(address), "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    path = f"{url.path or '/'}{'?' * bool(url.query)}{url.query}"
    return f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\n{more}\r\n".encode()


def post(address: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> bytes:
    """Return a POST of JSON to an address as the bytes to send."""
    url, content = urlsplit(address), json.dumps(body).encode()
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n{more}"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


async def drive(address: str, request: bytes, status: int, connections: int, seconds: float) -> Load:
    """Send one request repeatedly for `seconds`. Raises Failed when a response has another status."""
    until = perf_counter() + seconds
    return await _sent(address, request, status, connections, lambda: perf_counter() < until)


async def send(address: str, request: bytes, status: int, connections: int, count: int) -> Load:
    """Send one request `count` times. Raises Failed when a response has another status."""
    left = iter(range(count))
    return await _sent(address, request, status, min(connections, count), lambda: next(left, None) is not None)


async def _sent(address: str, request: bytes, status: int, connections: int, more: Callable[[], bool]) -> Load:
    """Send one request on several connections as long as `more` returns true.

    more: whether to send another one. The time includes opening the connections, which takes a millisecond or two.
    """
    host, _, port = urlsplit(address).netloc.partition(":")
    load, loop, start = Load(), asyncio.get_running_loop(), perf_counter()
    opened = [
        (await loop.create_connection(lambda: _Connection(request, load, more), host, int(port)))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(connection.over for connection in opened))
    load.seconds = perf_counter() - start
    if wrong := load.statuses.keys() - {status}:
        raise Failed(f"{request[:40]!r} was answered with {', '.join(map(str, wrong))}")
    return load


class _Connection(asyncio.Protocol):
    """One connection. over: done when there is nothing more to send and the last response has arrived."""

    def __init__(self, request: bytes, load: Load, more: Callable[[], bool]) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request, self._load, self._more, self._sent = request, load, more, 0.0
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are not a subclass of it
        self._send_if_more()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self._load.latencies.append(perf_counter() - self._sent)
        self._load.statuses[self._parser.get_status_code()] += 1
        self._send_if_more()

    def _send_if_more(self) -> None:
        if self._more():
            self._sent = perf_counter()
            self._transport.write(self._request)
        else:
            self._transport.close()
            self.over.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(Failed(f"the server hung up on {self._request[:40]!r}"))

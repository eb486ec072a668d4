"""HTTP/1.1 as uvicorn implements it, with limits for requests that arrive slowly or have endless heads.

A client that reads slowly is left alone: live pages and long downloads take their time.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024  # bytes of a request's address, headers and trailers
MAX_FRAMING = 16  # bytes of framing around each byte of a body; a chunk of one byte has five
HEAD_TIMEOUT = 10.0  # seconds for the headers of a request, from its first byte or from the start of the connection
BODY_WINDOW = 10.0  # seconds
MIN_BODY_RATE = 1024  # bytes per second of a body, on average over each window in which it is awaited

ANSWERS = {
    400: ("Bad Request", "Invalid HTTP request received."),
    408: ("Request Timeout", "The request did not arrive in time."),
    431: ("Request Header Fields Too Large", f"The request headers are larger than {MAX_HEAD_BYTES // 1024} KiB."),
}


class PatientProtocol(HttpToolsProtocol):
    """A connection that is closed when a request's head is too large or late, or its body too slow.

    When the response is complete before the body, the rest of the body has one more window: a client that is still
    sending when the connection is closed might never read the response.
    """

    def __init__(
        self, *arguments: Any, head_timeout: float = HEAD_TIMEOUT, body_window: float = BODY_WINDOW, **named: Any
    ) -> None:
        super().__init__(*arguments, **named)
        self._head_timeout, self._body_window = head_timeout, body_window
        self._timer: asyncio.TimerHandle | None = None
        self._begun = False
        self._received = self._head = self._body = self._body_before = 0  # bytes of the request

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to wait for the first request."""
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn's, which is narrower
        self._wait(self._head_timeout, self._head_is_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, and refuse a request that is too large before all of it has arrived."""
        if self._timer is None:
            self._wait(self._head_timeout, self._head_is_late)
        self._received += len(data)
        super().data_received(data)
        if self._received > MAX_HEAD_BYTES + (1 + MAX_FRAMING) * self._body:
            self._refuse(431)

    def on_message_begin(self) -> None:
        """Note that a request has begun, and start to wait for its headers."""
        super().on_message_begin()
        self._begun = True
        if self._timer is None:  # it arrived together with the end of the previous request
            self._wait(self._head_timeout, self._head_is_late)

    def on_url(self, url: bytes) -> None:
        """Count the bytes of the address."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count the bytes of a header or a trailer."""
        self._count(name + value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start to wait for the body."""
        super().on_headers_complete()
        self._watch_body()

    def on_body(self, body: bytes) -> None:
        """Count the bytes of a piece of the body."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Stop waiting and reset the counters: the request is complete."""
        super().on_message_complete()
        self._wait_no_more()
        self._begun = False
        self._received = self._head = self._body = 0

    def on_response_complete(self) -> None:
        """Allow the rest of a body that is no longer read one more window."""
        super().on_response_complete()
        if self._begun:
            self._watch_body()

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that is not HTTP, or whose head is too large."""
        self._refuse(431 if self._head > MAX_HEAD_BYTES else 400)

    def _count(self, content: bytes) -> None:
        self._head += len(content)
        if self._head > MAX_HEAD_BYTES:
            raise ValueError(ANSWERS[431][1])  # the parser reports this as invalid HTTP

    def _watch_body(self) -> None:
        self._body_before = self._body
        self._wait(self._body_window, self._body_is_due)

    def _head_is_late(self) -> None:
        if self._begun:
            self._refuse(408)
        elif not self._is_answering():  # else it was a stray byte after a request
            self.transport.close()

    def _body_is_due(self) -> None:
        came = self._body - self._body_before
        held_up = self.flow.read_paused or self.cycle.waiting_for_100_continue
        if self.cycle.response_complete:
            self.transport.close()
        elif held_up or came >= MIN_BODY_RATE * self._body_window:
            self._watch_body()
        else:
            self._refuse(408)

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, status: int) -> None:
        """Close the connection, with an error response when no response has begun."""
        if self.transport.is_closing():
            return
        if not (self._is_answering() and self.cycle.response_started):
            phrase, words = ANSWERS[status]
            head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\n"
            self.transport.write(f"{head}content-length: {len(words)}\r\nconnection: close\r\n\r\n{words}".encode())
        self.transport.close()

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        self._wait_no_more()
        self._timer = self.loop.call_later(seconds, self._time_is_up, then)

    def _time_is_up(self, then: Callable[[], None]) -> None:
        self._timer = None
        if not self.transport.is_closing():
            then()

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

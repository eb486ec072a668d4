"""Connections that send slowly or send endless heads are closed in time; those that read slowly are not."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.waiting import wait_until
from webapp.cli import open_files
from webapp.http.protocol import MAX_HEAD_BYTES, MIN_BODY_RATE, PatientProtocol

pytestmark = pytest.mark.once

SHORT = 0.5  # seconds
MANY = 1000  # connections
LARGE = 30 * 2**20  # bytes: more than the system buffers
HEAD = b"POST /body HTTP/1.1\r\nHost: x\r\n"


async def _ok(request: Request) -> Response:
    return PlainTextResponse("ok")


async def _body(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


class Sent:
    """The number of pieces of a large response that were made."""

    pieces = 0


async def _large(request: Request) -> Response:
    async def pieces() -> Any:
        Sent.pieces = 0
        for _ in range(LARGE // 2**16):
            Sent.pieces += 1
            yield b"a" * 2**16

    return StreamingResponse(pieces())


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Run a server with short timeouts, and yield its port."""
    routes = [Route("/ok", _ok), Route("/body", _body, methods=["POST"]), Route("/large", _large)]
    routes.append(Route("/unread", _ok, methods=["POST"]))
    impatient: Any = partial(PatientProtocol, head_timeout=SHORT, body_window=SHORT)
    config = uvicorn.Config(Starlette(routes=routes), http=impatient, ws="none", log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=2 * MANY) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        wait_until(lambda: server.started)
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join()


@contextmanager
def connected(port: int, *sent: bytes) -> Iterator[socket.socket]:
    """Hold a connection, on which `sent` was sent, while the block runs."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        for piece in sent:
            connection.sendall(piece)
        yield connection


def ends_with(connection: socket.socket, body: bytes) -> bool:
    """Return whether the next response ends with `body`. It may arrive in several pieces."""
    content = b""
    while not content.endswith(body) and (piece := connection.recv(1000)):
        content += piece
    return content.endswith(body)


def heard(connection: socket.socket) -> bytes:
    """Return everything that is received until the other side closes."""
    content = b""
    with suppress(ConnectionError):
        while piece := connection.recv(65536):
            content += piece
    return content


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /ok HT",
        b"GET /ok HTTP/1.1\r\nHost: x\r\n",
        HEAD + b"Content-Length: 10\r\n\r\n12345",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n123",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\nTrailer: a",
    ],
    ids=["line", "headers", "body", "chunk", "trailer"],
)
def test_who_stops_in_the_middle_of_a_request_is_told_so_and_left(port: int, sent: bytes) -> None:
    with connected(port, sent) as connection:
        assert heard(connection).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
def test_a_connection_that_asks_for_nothing_is_closed(port: int, sent: bytes) -> None:
    with connected(port, sent) as connection:
        assert heard(connection) == b""


def test_an_empty_line_does_not_keep_a_connection_open_after_an_answer(port: int) -> None:
    with connected(port, b"GET /ok HTTP/1.1\r\nHost: x\r\n\r\n") as connection:
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"\r\n")
        assert b"HTTP" not in heard(connection)


@pytest.mark.parametrize(
    "head",
    [b"POST /body HTTP/1.1\r\nHost: x\r\n", HEAD + b"Content-Length: 100000\r\n\r\n"],
    ids=["headers", "body"],
)
def test_a_byte_now_and_then_is_not_enough(port: int, head: bytes) -> None:
    begun = time.monotonic()
    with connected(port, head) as connection:
        connection.settimeout(SHORT / 5)
        answer = b""
        while not answer and time.monotonic() - begun < 20:
            with suppress(TimeoutError):
                connection.sendall(b"a")
                answer = connection.recv(1000)
    assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_body_that_goes_on_may_take_many_windows(port: int) -> None:
    piece = b"a" * int(4 * MIN_BODY_RATE * SHORT)
    with connected(port, HEAD + b"Content-Length: %d\r\n\r\n" % (10 * len(piece))) as connection:
        for _ in range(10):
            connection.sendall(piece)
            time.sleep(SHORT / 3)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_waits_for_leave_to_send_its_body_is_asked_for_it(port: int) -> None:
    with connected(port, HEAD + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n") as connection:
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"abc")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /ok?" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /ok?" + b"a" * 10 * MAX_HEAD_BYTES,
        b"GET /ok HTTP/1.1\r\nHost: x\r\nA: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"GET /ok HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 10 * MAX_HEAD_BYTES,
        b"GET /ok HTTP/1.1\r\nHost: x\r\n" + b"A: aaaaaaaaaaaa\r\n" * (MAX_HEAD_BYTES // 10) + b"\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n" + b"A: aaaaaaaaaaaa\r\n" * (MAX_HEAD_BYTES // 10),
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 10 * MAX_HEAD_BYTES,
    ],
    ids=["address", "endless address", "header", "endless header", "headers", "trailers", "extension of a chunk"],
)
def test_a_head_has_an_end(port: int, sent: bytes) -> None:
    with connected(port) as connection:
        with suppress(ConnectionError):
            connection.sendall(sent)
        assert heard(connection)[:13] in (b"HTTP/1.1 431 ", b"")  # the latter when the client was still sending


def test_a_head_may_be_large_and_many_requests_follow_each_other(port: int) -> None:
    request = b"GET /ok HTTP/1.1\r\nHost: x\r\nA: " + b"a" * (MAX_HEAD_BYTES - 100) + b"\r\n\r\n"
    with connected(port) as connection:
        for _ in range(5):
            connection.sendall(request)
            assert ends_with(connection, b"ok")
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 50_000 + b"0\r\n\r\n")
        assert ends_with(connection, b"50000")


def test_the_rest_of_a_body_that_was_not_read_is_not_listened_to_for_long(port: int) -> None:
    with connected(port, b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n") as connection:
        assert ends_with(connection, b"ok")
        _send_without_end(connection)


def test_who_reads_slowly_is_waited_for_and_nothing_piles_up(port: int) -> None:
    with connected(port, b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as connection:
        time.sleep(4 * SHORT)
        assert 0 < Sent.pieces < LARGE / 2**16 / 2
        assert len(heard(connection)) >= LARGE


def test_a_thousand_slow_connections_keep_nobody_out_and_are_closed(port: int) -> None:
    _may_open(2 * MANY)
    with ExitStack() as stack:
        begun = time.monotonic()
        halves = (b"GET /ok HT", HEAD + b"Content-Length: 10\r\n\r\n12345")
        slow = [stack.enter_context(connected(port, halves[number % 2])) for number in range(MANY)]
        assert httpx.get(f"http://127.0.0.1:{port}/ok", timeout=10).text == "ok"
        assert all(heard(connection)[:13] in (b"HTTP/1.1 408 ", b"") for connection in slow)
        assert time.monotonic() - begun < 30


def _send_without_end(connection: socket.socket) -> None:
    """Send until the other side closes. Raises AssertionError when it accepts data for 20 seconds."""
    begun = time.monotonic()
    with suppress(ConnectionError):
        while True:
            connection.sendall(b"a" * 65536)
            assert time.monotonic() - begun < 20


def _may_open(files: int) -> None:
    open_files.raise_limit()
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < files + 500:
        pytest.skip("the system allows too few open files")

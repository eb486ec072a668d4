"""Requests as a hostile client sends them: any bytes in the address, the headers and the body."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx
from litestar import Litestar

PIECE = 64 * 1024  # bytes that a server reads at once
JSON, FORM, FILES = b"application/json", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x"


Pairs = Sequence[tuple[bytes, bytes]]


@dataclass
class Answer:
    """The response to a raw request."""

    status: int = 0
    body: bytearray = field(default_factory=bytearray)


async def ask(
    web: httpx.AsyncClient, method: str, path: str, query: bytes = b"", body: bytes = b"",
    headers: Pairs = (),
) -> Answer:  # fmt: skip
    """Send a request in a task of its own, so that the client's work does not count as its steps.

    Disconnects when the response has begun, because some responses never end.
    """
    pieces = [body[start : start + PIECE] for start in range(0, len(body), PIECE)] or [b""]
    answer, begun = Answer(), asyncio.Event()

    async def receive() -> dict[str, object]:
        await asyncio.sleep(0)
        if pieces:
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}
        await begun.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            answer.status = int(str(message["status"]))
        elif message["type"] == "http.response.body":
            answer.body += bytes(message.get("body", b""))  # type: ignore[call-overload]
            begun.set()

    host, sent = (b"host", b"darkroom.test"), (b"content-length", str(len(body)).encode())
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "", "query_string": query,
        "headers": [host, *headers, *([sent] if body else [])], "client": ("127.0.0.1", 9), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await asyncio.create_task(app_of(web)(scope, receive, send))  # type: ignore[arg-type]
    return answer


def app_of(web: httpx.AsyncClient) -> Litestar:
    """Return the application behind a test's client."""
    transport = web._transport
    assert isinstance(transport, httpx.ASGITransport)
    app = transport.app
    assert isinstance(app, Litestar)
    return app

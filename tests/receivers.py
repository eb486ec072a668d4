"""A receiver of webhooks: a real server that verifies what arrives with the library, and fails as it is told."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

HANG = "hang"
"""A mood: no answer."""
RESET = "reset"
"""A mood: the connection is closed without an answer."""
STUCK = "stuck"
"""A mood: a status, and then nothing."""
ANSWER = "thanks"
"""The content of its answers."""


@dataclass(frozen=True)
class Arrival:
    """A request that arrived. signed: whether the library accepts it. mood: what it was answered with."""

    id: str
    signed: bool
    body: str
    headers: dict[str, str]
    mood: str

    @property
    def event(self) -> dict[str, Any]:
        """The event."""
        return dict(json.loads(self.body))

    @property
    def type(self) -> str:
        """The type of the event."""
        return str(self.event["type"])

    @property
    def job(self) -> str:
        """The job that it is about, or ""."""
        return str(self.event["data"].get("job_id", ""))


class Receiver:
    """A receiver. secret: what it verifies with.

    moods: its next answers, each a status, with other lines of the head after it, or one of the words above. mood: its
    answer when there are none. arrivals: what has arrived.
    """

    def __init__(self, secret: str = "") -> None:
        self.secret, self.mood = secret, "200"
        self.moods: deque[str] = deque()
        self.arrivals: list[Arrival] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._answering: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def accepted(self) -> list[Arrival]:
        """What it answered with 2xx."""
        return [arrival for arrival in self.arrivals if arrival.mood.startswith("2")]

    async def open(self) -> None:
        """Listen, on the same port as before if there was one."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no longer, and break all connections."""
        assert self._server is not None
        self._server.close()
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            await self._answered(reader, writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            self._answering.discard(task)
            writer.close()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        pairs = (line.partition(":") for line in lines[1:] if line)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = (await reader.readexactly(int(headers["content-length"]))).decode()
        mood = self.moods.popleft() if self.moods else self.mood
        self.arrivals.append(Arrival(headers["webhook-id"], self._is_signed(body, headers), body, headers, mood))
        if mood == HANG:
            await asyncio.Event().wait()
        if mood == RESET:
            return
        status, *more = ("200" if mood == STUCK else mood).split("\r\n")
        content = "" if mood == STUCK else ANSWER
        head = "\r\n".join([f"HTTP/1.1 {status} -", *more, f"Content-Length: {len(ANSWER)}"])
        writer.write(f"{head}\r\n\r\n{content}".encode())
        await writer.drain()
        if mood == STUCK:
            await asyncio.Event().wait()

    def _is_signed(self, body: str, headers: dict[str, str]) -> bool:
        with suppress(WebhookVerificationError):
            Webhook(self.secret).verify(body, headers)
            return True
        return False


@asynccontextmanager
async def receiving(secret: str = "") -> AsyncIterator[Receiver]:
    """Run a receiver while the block runs."""
    receiver = Receiver(secret or "whsec_bm9uZQ==")
    await receiver.open()
    try:
        yield receiver
    finally:
        await receiver.close()

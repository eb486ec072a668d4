"""Send one event to one address, once, and tell how it ended."""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic

import httpx

from tasks.db.database import now
from tasks.errors import Failure
from tasks.files.ssrf import PublicTransport
from tasks.replicate.client import USER_AGENT
from tasks.webhooks import receivers, schedule

TIMEOUT_SECONDS = 15.0  # for all of a try
ANSWER_BYTES = 2048  # of an answer that are kept
GONE = 410


class Outcome(StrEnum):
    """How a try ended."""

    SUCCESS = "success"
    """The answer was 2xx."""
    CLIENT_ERROR = "client_error"
    """It was 4xx."""
    SERVER_ERROR = "server_error"
    """It was 5xx, or no status that there is."""
    TIMEOUT = "timeout"
    """There was none within TIMEOUT_SECONDS."""
    REDIRECT_REFUSED = "redirect_refused"
    """It was 3xx: events are not sent on to an address that nobody has set up."""
    SSRF_BLOCKED = "ssrf_blocked"
    """The address is not public, or our own: nothing was sent."""
    CONNECTION_ERROR = "connection_error"
    """There was no connection, or it broke."""
    UNREADABLE = "unreadable"
    """What a prediction says could not be read from storage: nothing was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try ended.

    status: of HTTP; None when there was none. text: the first 2 kB of the answer. retry_after: the seconds that the
    receiver asked for, or None.
    """

    outcome: Outcome
    milliseconds: int
    status: int | None = None
    text: str = ""
    retry_after: float | None = None


def transport() -> PublicTransport:
    """Return the transport that events are sent with. Each try has a connection of its own, which is looked at first.

    There is no client around it: that would log addresses with their queries, follow redirects and keep cookies.
    """
    return PublicTransport(httpx.Limits(max_keepalive_connections=0), receivers.permits)


async def send(
    url: str,
    headers: Mapping[str, str],
    body: str,
    transport: httpx.AsyncBaseTransport,
    within: float = TIMEOUT_SECONDS,
) -> Answer:
    """Send an event once. headers: its signature. within: seconds for everything."""
    began, received = monotonic(), _Received()
    try:
        async with asyncio.timeout(within):
            await _exchange(_request(url, headers, body, within), transport, received)
    except (TimeoutError, httpx.TimeoutException):
        outcome = received.outcome or Outcome.TIMEOUT
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, OSError):
        outcome = received.outcome or Outcome.CONNECTION_ERROR
    except Failure:  # of the SSRF guard
        outcome = Outcome.SSRF_BLOCKED
    else:
        outcome = received.outcome or Outcome.CONNECTION_ERROR
    milliseconds = round(1000 * (monotonic() - began))
    return Answer(outcome, milliseconds, received.status, received.text, received.retry_after)


class _Received:
    """What has arrived of an answer so far: its status decides, even if the rest never comes."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.retry_after: float | None = None
        self._start = b""

    @property
    def outcome(self) -> Outcome | None:
        match self.status:
            case None:
                return None
            case status if 200 <= status < 300:
                return Outcome.SUCCESS
            case status if 300 <= status < 400:
                return Outcome.REDIRECT_REFUSED
            case status if 400 <= status < 500:
                return Outcome.CLIENT_ERROR
        return Outcome.SERVER_ERROR

    @property
    def text(self) -> str:
        """The first ANSWER_BYTES, without what a database refuses."""
        return self._start[:ANSWER_BYTES].decode(errors="replace").replace("\0", "\ufffd")

    async def read(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.retry_after = schedule.seconds_of(response.headers.get("Retry-After", ""), now())
        async for piece in response.aiter_raw():
            self._start += piece
            if len(self._start) >= ANSWER_BYTES:
                return


def _request(url: str, headers: Mapping[str, str], body: str, within: float) -> httpx.Request:
    parsed = httpx.URL(url)
    more = {"Content-Type": "application/json", "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    if parsed.userinfo:
        credentials = f"{parsed.username}:{parsed.password}".encode()
        more["Authorization"] = f"Basic {b64encode(credentials).decode()}"
    patience = dict.fromkeys(("connect", "read", "write", "pool"), within)
    return httpx.Request(
        "POST", parsed, headers=more | dict(headers), content=body.encode(), extensions={"timeout": patience}
    )


async def _exchange(request: httpx.Request, transport: httpx.AsyncBaseTransport, received: _Received) -> None:
    response = await transport.handle_async_request(request)
    try:
        await received.read(response)
    finally:
        with suppress(httpx.HTTPError, OSError):
            await response.aclose()

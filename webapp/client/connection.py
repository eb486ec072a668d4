"""Calls to Darkroom, repeated where that may help.

That does no harm: every call of this client reads, is idempotent, or carries an Idempotency-Key.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import msgspec

from webapp.client import exceptions
from webapp.client.exceptions import DarkroomError, NotDarkroom, Refused, Unreachable
from webapp.client.shapes import Problem

MAX_TRIES = 4
MAX_PAUSE = 30.0  # seconds; a longer Retry-After is left to the caller
MAX_BACKOFF = 8.0  # seconds, where the server does not say how long
CONNECT_TIMEOUT_SECONDS = 5.0
READ_TIMEOUT_SECONDS = 35.0  # besides what the server was asked to wait; in a stream it sends a comment every 15
OF_PROXIES = frozenset({502, 503, 504})  # statuses with which a proxy says that Darkroom does not answer
PROBLEM_TYPE = "application/problem+json"

T = TypeVar("T")


class Connection:
    """The way to one Darkroom. sleep, clock, chance: as in `time` and `random`.

    Raises ValueError when `url` is not the address of a server, or the key cannot be one.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.url, self.sleep, self.clock, self.chance = _origin(url), sleep, clock, chance
        if key and not (key.isascii() and key.isprintable()):
            raise ValueError("The key is not a key of Darkroom.")
        headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        self._http = httpx.Client(base_url=self.url, headers=headers, transport=transport)

    def close(self) -> None:
        """Close all connections."""
        self._http.close()

    def get(self, path: str, kind: type[T], **more: Any) -> T:
        """Return what is at an address. more: as for httpx. Raises Refused and Unreachable."""
        return decoded(self.send("GET", path, **more), kind)

    def post(self, path: str, kind: type[T], body: object = None, **more: Any) -> T:
        """Return the answer to a body in JSON, as `get` does."""
        return decoded(self.send("POST", path, json=body, **more), kind)

    def send(self, method: str, path: str, wait: int = 0, tries: int = MAX_TRIES, **more: Any) -> httpx.Response:
        """Return a successful response. wait: seconds that it may take until the job has ended."""

        def sent() -> httpx.Response:
            with self.opened(method, path, wait, **more) as response:
                response.read()
                return response

        return self.repeated(sent, tries)

    @contextmanager
    def opened(self, method: str, path: str, wait: int = 0, **more: Any) -> Iterator[httpx.Response]:
        """Yield a successful response whose body is still to be read. The request is sent once."""
        more["headers"] = more.get("headers", {}) | ({"Prefer": f"wait={wait}"} if wait else {})
        timeout = httpx.Timeout(CONNECT_TIMEOUT_SECONDS, read=READ_TIMEOUT_SECONDS + wait)
        try:
            with self._http.stream(method, path, timeout=timeout, **more) as response:
                if not response.is_success:
                    response.read()
                    raise self._refusal(response)
                yield response
        except httpx.RequestError as error:
            raise Unreachable(f"{self.url} cannot be reached: {error or type(error).__name__}") from error

    def repeated(self, call: Callable[[], T], tries: int = MAX_TRIES) -> T:
        """Return what a call returns. It is tried again when its failure may pass."""
        tried = 1
        while True:
            try:
                return call()
            except DarkroomError as error:
                pause = self._pause(error, tried)
                if tried == tries or pause is None:
                    raise
            self.sleep(pause)
            tried += 1

    def _pause(self, error: DarkroomError, tried: int) -> float | None:
        """Return the seconds until a call is tried again: at random, so that clients do not come back together.

        Returns None when that does not help, or not soon.
        """
        if isinstance(error, Refused):
            if error.retry_after is None or error.retry_after > MAX_PAUSE:
                return None
            return error.retry_after * (1 + self.chance() / 4)
        passes = isinstance(error, Unreachable) and not isinstance(error, NotDarkroom)
        return min(2.0**tried / 2, MAX_BACKOFF) * self.chance() if passes else None

    def _refusal(self, response: httpx.Response) -> DarkroomError:
        if response.headers.get("Content-Type", "").startswith(PROBLEM_TYPE):
            return exceptions.of(decoded(response, Problem), retry_after(response))
        if response.status_code in OF_PROXIES:
            return Unreachable(f"{self.url} does not respond: HTTP {response.status_code}")
        return not_darkroom(response)


def decoded(response: httpx.Response, kind: type[T]) -> T:
    """Return the JSON of a response. Raises NotDarkroom when it is something else."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.MsgspecError as error:
        raise not_darkroom(response) from error


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds after which a request should be sent again, if the response says so."""
    seconds = response.headers.get("Retry-After", "")
    return float(seconds) if seconds.isascii() and seconds.isdecimal() else None


def not_darkroom(response: httpx.Response) -> NotDarkroom:
    """Return the error for a response that Darkroom does not send."""
    return NotDarkroom(f"{response.url} does not respond as Darkroom does (HTTP {response.status_code}).")


def _origin(url: str) -> str:
    """Return the address of a server without the slash at its end. Raises ValueError."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.path != "/":
        raise ValueError(f"{url!r} is not the address of a server, such as http://127.0.0.1:8000.")
    return str(parsed).rstrip("/")

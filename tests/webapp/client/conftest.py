"""Fixtures for the tests of the client: a Darkroom in other processes, and a network with faults."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import httpx
import pytest

from tests.browser.conftest import Darkroom as Served
from webapp.client.darkroom import Darkroom


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


@pytest.fixture
def darkroom(served: Served) -> Iterator[Darkroom]:
    with Darkroom(served.url) as darkroom:
        yield darkroom


class Network(httpx.BaseTransport):
    """A network with faults. sent: the requests that were carried out.

    lost: how many responses get lost on the way back, of those to requests whose path begins with `on`. cut: how many
    are cut off after the first `pieces` of their bodies.
    """

    def __init__(self, on: str, lost: int = 0, cut: int = 0, pieces: int = 1) -> None:
        self.on, self.lost, self.cut, self.pieces = on, lost, cut, pieces
        self.sent: list[httpx.Request] = []
        self._real = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._real.handle_request(request)
        self.sent.append(request)
        if not request.url.path.startswith(self.on):
            return response
        if self.lost:
            self.lost -= 1
            response.close()
            raise httpx.ReadError("The connection was cut.")
        if self.cut:
            self.cut -= 1
            assert isinstance(response.stream, httpx.SyncByteStream)
            response.stream = Cut(response.stream, self.pieces)
        return response

    def close(self) -> None:
        self._real.close()


class Cut(httpx.SyncByteStream):
    """A body that is cut off after its first pieces, at its end at the latest."""

    def __init__(self, whole: httpx.SyncByteStream, pieces: int) -> None:
        self._whole, self._pieces = whole, pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from islice(self._whole, self._pieces)
        raise httpx.ReadError("The connection was cut.")

    def close(self) -> None:
        self._whole.close()


class Pauses(list[float]):
    """The seconds of each pause, none of which is made."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def pauses() -> Pauses:
    return Pauses()


def answering(*answers: httpx.Response | Exception | Callable[[httpx.Request], Any]) -> httpx.MockTransport:
    """Return a server that gives these answers in turn, and the last one for ever."""
    left = list(answers)

    def answer(request: httpx.Request) -> httpx.Response:
        given = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(given, Exception):
            raise given
        return given if isinstance(given, httpx.Response) else given(request)

    return httpx.MockTransport(answer)

"""Responses whose body is sent while it is read from storage, and what happens when the read fails midway."""

import logging
from collections.abc import AsyncIterator, Mapping

from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from tasks.errors import DatabaseAway, Failure
from webapp.http.errors import in_a_line

log = logging.getLogger(__name__)


async def streamed(
    name: str, pieces: AsyncIterator[bytes], status_code: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response that sends the pieces as they arrive. The first piece is read before this returns.

    name: for the log. Raises what the first piece raises: at that point an error response is still possible.
    """
    first = await anext(pieces, b"")
    return _Stream(name, _whole(first, pieces), status_code, headers)


async def _whole(first: bytes, others: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in others:
        yield piece


class _Stream(StreamingResponse):
    """A body that is left without its end when the rest cannot be read: the server then cuts the connection.

    So the client sees that something is missing.
    """

    def __init__(
        self, name: str, pieces: AsyncIterator[bytes], status_code: int, headers: Mapping[str, str] | None
    ) -> None:
        super().__init__(pieces, status_code, headers)
        self._name = name

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except (Failure, DatabaseAway) as failure:
            log.warning("%s was cut off: %s", self._name, in_a_line(failure))

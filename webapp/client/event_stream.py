"""Server-sent events, as in the HTML standard's section on them, of what Darkroom uses: id, data and retry."""

from collections.abc import Iterable, Iterator


class EventReader:
    """Reads streams of events, one after another.

    last_id: of the last whole event, to be sent with the next request. retry: the seconds until then.
    """

    def __init__(self) -> None:
        self.last_id, self.retry = "", 3.0

    def read(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the data of each event of a stream. One that is cut off is left out."""
        data: list[bytes] = []
        event_id = self.last_id
        for line in _lines(pieces):
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if name == b"data":
                data.append(value)
            elif name == b"id":
                event_id = value.decode(errors="replace")
            elif name == b"retry" and value.isdigit():
                self.retry = int(value) / 1000
            elif not line and data:
                self.last_id = event_id
                yield b"\n".join(data)
                data = []


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines. Only line feeds end one: a prompt may have other characters that Python splits at."""
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from (line.removesuffix(b"\r") for line in lines)

"""Server-sent events are read from pieces of any size."""

import pytest

from webapp.client.event_stream import EventReader

pytestmark = pytest.mark.once

STREAM = (
    b'retry: 1500\n\nid: 1\nevent: job\ndata: {"prompt": "a\xe2\x80\xa8fox"}\n\n'
    b": ping\r\n\r\nid: 2\ndata: one\ndata: two\n\n"
)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_whole_however_their_bytes_arrive(size: int) -> None:
    reader = EventReader()
    pieces = [STREAM[start : start + size] for start in range(0, len(STREAM), size)]
    assert list(reader.read(pieces)) == ['{"prompt": "a\u2028fox"}'.encode(), b"one\ntwo"]
    assert (reader.last_id, reader.retry) == ("2", 1.5)


def test_an_event_that_is_cut_off_is_neither_read_nor_remembered() -> None:
    reader = EventReader()
    assert list(reader.read([b"id: 1\ndata: one\n\nid: 2\ndata: tw"])) == [b"one"]
    assert reader.last_id == "1"
    assert list(reader.read([b"data: two\n\n"])) == [b"two"]
    assert reader.last_id == "1"

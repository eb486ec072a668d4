"""Which hosts events may be sent to."""

import socket

import pytest

from tasks.settings import Settings
from tasks.webhooks import receivers

pytestmark = pytest.mark.once

PUBLIC = "8.8.8.8"
CLOSED = Settings(port=8000, public_url="https://darkroom.example.org", webhook_allowed_hosts="")
OPEN = CLOSED.model_copy(update={"webhook_allowed_hosts": "127.0.0.1, 10.0.0.0/8, ::1, Receiver.lan"})
OWN_ADDRESS = socket.gethostbyname(socket.gethostname())


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "192.168.1.1", "169.254.169.254", "::1", "fd00::1"])
def test_an_address_that_is_not_public_is_refused_unless_it_is_allowed(address: str) -> None:
    assert not receivers.permits("example.org", 443, address, CLOSED)
    allowed = address in ("127.0.0.1", "10.1.2.3", "::1")
    assert receivers.permits("example.org", 443, address, OPEN) is allowed
    assert receivers.permits("receiver.lan", 443, address, OPEN)


def test_a_public_address_is_permitted() -> None:
    assert receivers.permits("example.org", 443, PUBLIC, CLOSED)


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("darkroom.example.org", 443, PUBLIC), ("127.0.0.1", 8000, "127.0.0.1"), ("localhost", 8000, "127.0.0.1"),
        ("receiver.lan", 8000, "127.0.0.1"), ("receiver.lan", 8000, "::1"), ("receiver.lan", 8000, OWN_ADDRESS),
        ("receiver.lan", 8000, "0.0.0.0"),
    ],
)  # fmt: skip
def test_this_darkroom_is_refused_by_whatever_name(host: str, port: int, address: str) -> None:
    assert not receivers.permits(host, port, address, OPEN)
    assert receivers.permits("receiver.lan", 8001, address, OPEN)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://example.org/hook", None), ("http://8.8.8.8/", None), ("http://localhost:9000/", None),
        ("http://127.0.0.1:9000/", "not public"), ("http://[::1]:9000/", "not public"),
        ("http://10.0.0.1/", "not public"), ("http://127.0.0.1:8000/", "itself"), ("ftp://example.org", "valid URL"),
    ],
)  # fmt: skip
def test_an_endpoint_is_refused_when_its_url_says_already_that_nothing_can_be_sent_there(
    url: str, fault: str | None
) -> None:
    found = receivers.fault(url, CLOSED)
    assert (fault in found) if fault and found else found == fault
    assert receivers.fault("http://10.0.0.1/", OPEN) is None

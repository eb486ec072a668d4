"""A request is accepted if it calls this server by a name of its own, or by the address that it arrived at."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.standin.app import create_app
from webapp.http.hosts import HostGuard, Misdirected, check

pytestmark = pytest.mark.once

NAMES = frozenset({"darkroom.example.org", "192.168.7.7"})


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database alone: nothing here uses it."""


def asked(*said: str, server: str | None = "127.0.0.1") -> dict[str, Any]:
    """Return the scope of a request with these Host headers that arrived at the server's address."""
    headers = [(b"accept", b"*/*"), *((b"host", host.encode("latin-1")) for host in said)]
    return {"type": "http", "headers": headers, "server": (server, 8000) if server else None}


@pytest.mark.parametrize(
    "said",
    [
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "darkroom.localhost:8000",
        "127.0.0.1:8000",
        "127.8.0.1",
        "[::1]:8000",
        "[0:0:0:0:0:0:0:1]",
        "[::ffff:127.0.0.1]",
        "darkroom.example.org",
        "Darkroom.Example.org:443",
        "darkroom.example.org.",
        "192.168.7.7",
        "localhost:",
    ],
)
def test_names_of_ours_and_of_loopback_are_taken_with_any_port(said: str) -> None:
    check(asked(said), NAMES)


@pytest.mark.parametrize(
    ("said", "server"),
    [
        ("10.0.0.5:8000", "10.0.0.5"),
        ("10.0.0.5", "::ffff:10.0.0.5"),
        ("[fd00::5]:8000", "fd00::5"),
        ("[fd00:0::5]", "fd00::5"),
        ("[fe80::1]", "fe80::1%eth0"),
    ],
)
def test_the_address_that_a_connection_came_in_by_is_taken(said: str, server: str) -> None:
    check(asked(said, server=server), NAMES)


@pytest.mark.parametrize("server", ["127.0.0.1", "evil.example", "/run/darkroom.sock", None])
@pytest.mark.parametrize(
    "said",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "xlocalhost",
        "127.0.0.1.evil.example",
        "sub.darkroom.example.org",
        "darkroom.example.org.evil.example",
        "10.0.0.5",
        "127.1",
        "0x7f000001",
        "2130706433",
        "[fd00::5]",
        ".",
        "localhost..",
    ],
)
def test_other_names_are_misdirected(said: str, server: str | None) -> None:
    with pytest.raises(Misdirected) as caught:
        check(asked(said, server=server), NAMES)
    assert caught.value.status == 421
    assert "ALLOWED_HOSTS" in caught.value.detail


@pytest.mark.parametrize(
    "said",
    [
        (),
        ("localhost", "localhost"),
        ("localhost", "evil.example"),
        ("",),
        ("evil.example@localhost",),
        ("localhost:80:80",),
        ("localhost:http",),
        ("http://localhost",),
        ("localhost/",),
        ("localhost, evil.example",),
        ("local host",),
        ("[::1",),
        ("::1",),
        ("localhost\x00",),
        ("löcalhost",),
    ],
)
def test_a_request_without_one_host_is_bad(said: tuple[str, ...]) -> None:
    with pytest.raises(Misdirected) as caught:
        check(asked(*said), NAMES)
    assert caught.value.status == 400


def test_little_is_said_of_a_long_name() -> None:
    with pytest.raises(Misdirected) as caught:
        check(asked("x" * 60_000), NAMES)
    assert len(caught.value.detail) < 300


@pytest.mark.parametrize(
    ("host", "status"), [("evil.example", 421), ("", 400), ("standin:8010", 404), ("localhost", 404)]
)
async def test_the_stand_in_behind_it_answers_to_its_own_names_only(tmp_path: Path, host: str, status: int) -> None:
    guarded = HostGuard(create_app(tmp_path), {"standin"})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://standin") as client:
        answer = await client.get("/nothing", headers={"Host": host})
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"

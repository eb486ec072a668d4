"""Connections are made only to public addresses, and only to addresses that were checked."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpcore
import httpx
import pytest

from tasks.errors import Failure
from tasks.files.ssrf import PublicTransport, Watchman, exempting, is_public

pytestmark = pytest.mark.once

HOST = "pictures.replicate.delivery"
LIMITS = httpx.Limits()
PUBLIC = exempting(None)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "151.101.1.1", "2606:4700::1111", "2002:808:808::1", "64:ff9b::808:808"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "::1", "::"),
        *("10.0.0.1", "172.16.0.1", "192.168.1.1", "fd00::1", "fec0::1"),
        *("169.254.169.254", "fe80::1", "fe80::1%lo"),
        *("100.64.0.1", "100.127.255.255"),
        *("224.0.0.1", "239.255.255.250", "ff02::1", "255.255.255.255", "240.0.0.1"),
        *("192.0.0.8", "192.0.2.1", "198.18.0.1", "203.0.113.1", "2001:db8::1", "3fff::1", "5f00::1", "100::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::8.8.8.8"),
        *("2002:7f00:1::1", "2002:a00:1::", "2001::1", "192.88.99.1"),
        *("64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::100.64.0.1", "64:ff9b:1::8.8.8.8"),
    ],
)
def test_a_private_or_special_address_is_not_public_however_it_is_wrapped(address: str) -> None:
    assert not is_public(address)


class Names:
    """A resolver that gives a different answer each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0)


class Network:
    """A network that records every connection and makes none, except to the addresses that answer."""

    def __init__(self) -> None:
        self.connected: list[str] = []
        self.answering: set[str] = set()

    async def connect_tcp(self, host: str, port: int, within: float | None, *_: object) -> httpcore.AsyncNetworkStream:
        self.connected.append(host)
        if host in self.answering:
            return httpcore.AsyncMockStream([])
        if host.endswith(".99"):  # answers nothing
            async with asyncio.timeout(within):
                await asyncio.Event().wait()
        raise httpcore.ConnectError("refused")


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Network:
    network = Network()

    async def connect_tcp(_: object, *arguments: Any) -> httpcore.AsyncNetworkStream:
        try:
            return await network.connect_tcp(*arguments)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("slow") from error

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_tcp)
    return network


async def test_the_connection_goes_to_the_address_that_was_looked_at_though_the_name_means_another_a_moment_later(
    network: Network,
) -> None:
    names = Names(["8.8.8.8"], ["127.0.0.1"])
    network.answering = {"8.8.8.8"}
    await Watchman(PUBLIC, names).connect_tcp(HOST, 443, 1.0)
    assert names.asked == [(HOST, 443)]
    assert network.connected == ["8.8.8.8"]


async def test_each_new_connection_is_looked_at_anew(network: Network) -> None:
    watchman = Watchman(PUBLIC, Names(["8.8.8.8"], ["127.0.0.1"]))
    network.answering = {"8.8.8.8", "127.0.0.1"}
    await watchman.connect_tcp(HOST, 443, 1.0)
    with pytest.raises(Failure):
        await watchman.connect_tcp(HOST, 443, 1.0)
    assert network.connected == ["8.8.8.8"]


@pytest.mark.parametrize("others", [["8.8.8.8"], ["8.8.8.8", "2606:4700::1111"], []])
async def test_one_private_address_among_public_ones_is_enough_to_refuse(others: list[str], network: Network) -> None:
    with pytest.raises(Failure) as caught:
        await Watchman(PUBLIC, Names([*others, "10.0.0.1"])).connect_tcp(HOST, 443, 1.0)
    assert (caught.value.code, caught.value.passing) == ("output_host_refused", False)
    assert network.connected == []


async def test_an_address_that_does_not_answer_leaves_time_for_the_next(network: Network) -> None:
    network.answering = {"8.8.4.4"}
    await Watchman(PUBLIC, Names(["9.9.9.99", "8.8.8.8", "8.8.4.4"])).connect_tcp(HOST, 443, 0.3)
    assert network.connected == ["9.9.9.99", "8.8.8.8", "8.8.4.4"]


async def test_where_no_address_answers_the_last_ones_error_is_told(network: Network) -> None:
    with pytest.raises(httpcore.ConnectError):
        await Watchman(PUBLIC, Names(["9.9.9.99", "8.8.8.8"])).connect_tcp(HOST, 443, 0.1)
    with pytest.raises(httpcore.ConnectTimeout):
        await Watchman(PUBLIC, Names(["8.8.8.8", "9.9.9.99"])).connect_tcp(HOST, 443, 0.1)


async def test_a_resolver_that_hangs_is_a_time_out() -> None:
    async def hang(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(httpcore.ConnectTimeout):
        await Watchman(PUBLIC, hang).connect_tcp(HOST, 443, 0.05)


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
async def test_a_name_that_does_not_resolve_is_an_error_of_the_connection(error: Exception) -> None:
    async def fail(host: str, port: int) -> Sequence[str]:
        raise error

    with pytest.raises(httpcore.ConnectError):
        await Watchman(PUBLIC, fail).connect_tcp(HOST, 443, 1.0)
    with pytest.raises(httpcore.ConnectError):
        await Watchman(PUBLIC, Names([])).connect_tcp(HOST, 443, 1.0)


class Loopback:
    """A server on this machine that counts its connections."""

    def __init__(self) -> None:
        self.port = 0
        self.visits = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        with contextlib.suppress(asyncio.IncompleteReadError):
            request = await reader.readuntil(b"\r\n\r\n")
            host = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"host:"))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(host), host))
        writer.close()


@pytest.fixture
async def loopback() -> AsyncIterator[Loopback]:
    loopback = Loopback()
    async with await asyncio.start_server(loopback.answer, "127.0.0.1", 0) as server:
        loopback.port = server.sockets[0].getsockname()[1]
        yield loopback


@pytest.mark.parametrize("host", [HOST, "127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_a_real_server_on_this_machine_is_not_even_connected_to(host: str, loopback: Loopback) -> None:
    transport = PublicTransport(LIMITS, resolve=Names(["127.0.0.1"]) if host == HOST else None)
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(Failure) as caught:
            await client.get(f"http://{host}:{loopback.port}/")
    assert caught.value.code == "output_host_refused"
    assert loopback.visits == 0


async def test_what_is_exempt_may_be_on_this_machine_and_is_still_called_by_its_name(loopback: Loopback) -> None:
    transport = PublicTransport(LIMITS, exempting((HOST, loopback.port)), Names(["127.0.0.1"]))
    async with httpx.AsyncClient(transport=transport) as client:
        answer = await client.get(f"http://{HOST}:{loopback.port}/")
    assert answer.text.lower() == f"host: {HOST}:{loopback.port}"


async def test_only_the_one_port_is_exempt(loopback: Loopback) -> None:
    async with httpx.AsyncClient(transport=PublicTransport(LIMITS, exempting(("127.0.0.1", 1)))) as client:
        with pytest.raises(Failure):
            await client.get(f"http://127.0.0.1:{loopback.port}/")
    assert loopback.visits == 0


async def test_proxies_of_the_environment_are_not_used(loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{loopback.port}")
    async with httpx.AsyncClient(transport=PublicTransport(LIMITS, resolve=Names(["10.0.0.1"]))) as client:
        with pytest.raises(Failure):
            await client.get(f"http://{HOST}/")
    assert loopback.visits == 0


async def test_tls_still_asks_for_the_host_by_name_and_checks_it() -> None:
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)  # no certificate, because only the greeting matters
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        transport = PublicTransport(LIMITS, exempting((HOST, port)), Names(["127.0.0.1"]))
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"https://{HOST}:{port}/")
    assert asked == [HOST]
    checks = transport._pool._ssl_context
    assert checks is not None
    assert (checks.check_hostname, checks.verify_mode) == (True, ssl.CERT_REQUIRED)

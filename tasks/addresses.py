"""Connections to hosts that others name: only to public addresses, and to the very ones that were looked at."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpcore
import httpx

from tasks.failures import Failure

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
Origin = tuple[str, int]
"""A host and a port."""

UNICAST = ip_network("2000::/3")  # all that is given out to anybody in IPv6
NAT64 = ip_network("64:ff9b::/96")
NOT_PUBLIC = tuple(ip_network(name) for name in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20"))
"""What the ipaddress module of some Pythons takes for public, against IANA's registries of special addresses."""


class PublicTransport(httpx.AsyncHTTPTransport):
    """httpx's transport, but it connects as Watchman does. It knows nothing of proxies, on purpose: behind one, nobody
    could tell where a request goes. (A client that is given a transport ignores the environment's proxies, too.)
    """

    def __init__(self, limits: httpx.Limits, exempt: Origin | None = None, resolve: Resolve | None = None) -> None:
        # Not super().__init__(): all it makes is the pool, and it takes no network backend. The pool is private to
        # httpx; should that change, no test of a download passes any more.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=Watchman(exempt, resolve or addresses_of),
        )


async def addresses_of(host: str, port: int) -> Sequence[str]:
    """The addresses of a host, the most promising first. Raises OSError or UnicodeError when there are none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class Watchman(httpcore.AsyncNetworkBackend):
    """Resolves a host once for each connection, looks at all of its addresses, and connects to one of just these.

    So a name that means something else a moment later (DNS rebinding) gains nothing. TLS still checks the host's name.
    exempt: the one host and port that may be anywhere.
    """

    def __init__(self, exempt: Origin | None = None, resolve: Resolve = addresses_of) -> None:
        self._exempt = exempt
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect within so many seconds. Raises Failure("output_host_refused"), ConnectError or ConnectTimeout."""
        clock = asyncio.get_running_loop().time
        end = None if timeout is None else clock() + timeout
        addresses = await self._addresses(host, port, timeout)
        for position, address in enumerate(addresses):
            # An address that swallows everything must leave time for the others.
            share = None if end is None else max(end - clock(), 0.0) / (len(addresses) - position)
            try:
                return await self._network.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if position == len(addresses) - 1:
                    raise
        raise httpcore.ConnectError(f"{host} has no address")

    async def _addresses(self, host: str, port: int, within: float | None) -> Sequence[str]:
        try:
            async with asyncio.timeout(within):
                addresses = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"{host} did not resolve in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} does not resolve") from error
        if (host, port) != self._exempt and not all(map(is_public, addresses)):  # one that lies is not to be trusted
            raise Failure("output_host_refused", f"Results are not fetched from {host}: it is no public address.")
        return addresses


def is_public(address: str) -> bool:
    """Whether an address is anybody's on the internet, neither private nor special.

    Addresses of IPv6 that stand for one of IPv4 (mapped, 6to4, NAT64) are what that one is.
    """
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        meant = IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64 else ip.ipv4_mapped or ip.sixtofour
        if meant is not None:
            return is_public(str(meant))
        if ip not in UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in NOT_PUBLIC)

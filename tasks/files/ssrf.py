"""An HTTP transport for hosts that others name: it connects only to public addresses, the same ones it checked."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpcore
import httpx

from tasks.errors import Failure

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
Origin = tuple[str, int]
"""A host and a port."""
Permits = Callable[[str, int, str], bool]
"""A rule: whether a host and port may be connected to at one of the host's addresses."""

ASSIGNED_IPV6 = ip_network("2000::/3")  # all IPv6 addresses that are assigned to anyone
NAT64_PREFIX = ip_network("64:ff9b::/96")
SPECIAL_NETWORKS = tuple(ip_network(name) for name in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20"))
"""Networks that `ipaddress` treats as public in some Python versions, contrary to IANA's special-address registries."""


class PublicTransport(httpx.AsyncHTTPTransport):
    """An httpx transport that connects through Watchman.

    httpx-secure 2.0 does the same, but opens a connection to an address before it checks it, and so touches hosts that
    nobody may touch. Proxies are deliberately not supported: a proxy would hide the address that a request is sent to.
    (A client with a transport of its own also ignores the environment's proxies.)
    """

    def __init__(self, limits: httpx.Limits, permits: Permits | None = None, resolve: Resolve | None = None) -> None:
        # super().__init__() is not called: it only creates the pool, and it accepts no network backend. The pool is
        # private to httpx; if httpx changes it, every download test fails.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=Watchman(permits or exempting(None), resolve or addresses_of),
        )


def exempting(origin: Origin | None) -> Permits:
    """Return the rule that addresses must be public, except those of one host and port."""
    return lambda host, port, address: (host, port) == origin or is_public(address)


async def addresses_of(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, the most promising first. Raises OSError or UnicodeError when there are none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class Watchman(httpcore.AsyncNetworkBackend):
    """A network backend that resolves a host once per connection, checks all its addresses and connects to one of them.

    A name that resolves differently a moment later (DNS rebinding) therefore gains nothing. TLS still checks the host's
    name. permits: the rule that each address must pass.
    """

    def __init__(self, permits: Permits, resolve: Resolve = addresses_of) -> None:
        self._permits = permits
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
        """Connect within `timeout` seconds. Raises Failure("output_host_refused"), ConnectError or ConnectTimeout."""
        clock = asyncio.get_running_loop().time
        end = None if timeout is None else clock() + timeout
        addresses = await self._addresses(host, port, timeout)
        for position, address in enumerate(addresses):
            # An address that never answers must leave time for the others.
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
        if not all(self._permits(host, port, address) for address in addresses):  # one bad address discredits the host
            raise Failure(
                "output_host_refused", f"Results cannot be downloaded from {host}: its address is not public."
            )
        return addresses


def is_public(address: str) -> bool:
    """Return whether an address is public on the internet, neither private nor special.

    An IPv6 address that embeds an IPv4 address (mapped, 6to4, NAT64) is public when the embedded address is.
    """
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        meant = IPv4Address(int(ip) & 0xFFFFFFFF) if ip in NAT64_PREFIX else ip.ipv4_mapped or ip.sixtofour
        if meant is not None:
            return is_public(str(meant))
        if ip not in ASSIGNED_IPV6:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in SPECIAL_NETWORKS)

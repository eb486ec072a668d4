"""Check the Host header of requests, as a defense against DNS rebinding.

In that attack, another site makes its own name resolve to this machine, so that the browser treats its pages as ours.
Only the Host header that the browser sends reveals this. An IP address cannot be rebound, so the address on which a
connection arrived is accepted, too.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HOST_HEADER = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{0,5})?")
MAX_QUOTED_LENGTH = 100  # characters of an unknown name that an error message quotes

Address = IPv4Address | IPv6Address


@dataclass
class Misdirected(Exception):
    """A request that is not for this server. status: 400 or 421, as in RFC 9110. detail: a sentence."""

    status: int
    detail: str


class HostGuard:
    """An application that answers only requests which name this server: 400 or 421 to all others."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "http":
            try:
                check(scope, self._names)
            except Misdirected as error:
                problem = {"detail": error.detail, "status": error.status}
                await JSONResponse(problem, error.status, media_type="application/problem+json")(scope, receive, send)
                return
        await self._app(scope, receive, send)


def check(scope: Mapping[str, Any], names: Collection[str]) -> None:
    """Raise Misdirected when a request's Host header does not name this server.

    scope: the ASGI scope of an HTTP request. names: the names of this server, in lower case; loopback names are always
    accepted.
    """
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        raise Misdirected(400, f"A request must have exactly one Host header; this one has {len(hosts) or 'none'}.")
    said = hosts[0].decode("latin-1").lower()
    found = HOST_HEADER.fullmatch(said)
    if found is None:
        raise Misdirected(400, "The Host header is not a valid server name.")
    name = found[1].strip("[]").removesuffix(".")
    if name not in names and not _is_loopback(name) and not _came_in_by(scope, name):
        raise Misdirected(
            421,
            f"This server is not known as {name[:MAX_QUOTED_LENGTH]}. If the name is correct, the operator must add it"
            " to ALLOWED_HOSTS.",
        )


def _is_loopback(name: str) -> bool:
    number = _number(name)
    return name == "localhost" or name.endswith(".localhost") or (number is not None and number.is_loopback)


def _came_in_by(scope: Mapping[str, Any], name: str) -> bool:
    number, server = _number(name), scope.get("server")
    return number is not None and server is not None and _number(server[0]) == number


def _number(name: str) -> Address | None:
    """Return the IP address that a name is, or None when it is not one.

    Drops the zone of a link-local address, and returns an IPv4-mapped IPv6 address as IPv4.
    """
    try:
        number = ip_address(name.partition("%")[0])
    except ValueError:
        return None
    return (number.ipv4_mapped or number) if isinstance(number, IPv6Address) else number

"""Whose name a request calls us by: the defence against DNS rebinding.

There another site has its own name come to mean this machine, and so its pages count as ours in the browser. Only what
the browser sends as Host tells. A number is nobody's to rebind: the address that a connection came in by is ours, too.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any
from urllib.parse import urlsplit

HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:[0-9]{0,5})?")
SHOWN = 100  # characters of a stranger's header

Address = IPv4Address | IPv6Address


@dataclass
class Misdirected(Exception):
    """A request that is not for us. status: 400 or 421, as RFC 9110 has them. detail: a sentence."""

    status: int
    detail: str


def check(scope: Mapping[str, Any], names: Collection[str]) -> None:
    """Raise Misdirected where a request calls by another's name.

    scope: ASGI's, of http. names: those of this server, in lower case; those of loopback are ours anyway.
    """
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        raise Misdirected(400, f"A request has one header Host; this one has {len(hosts) or 'none'}.")
    said = hosts[0].decode("latin-1").lower()
    found = HOST.fullmatch(said)
    if found is None:
        raise Misdirected(400, "The header Host is not the name of a server.")
    name = found[1].strip("[]").removesuffix(".")
    if name not in names and not _is_loopback(name) and not _came_in_by(scope, name):
        raise Misdirected(
            421,
            f"This server is not known as {name[:SHOWN]}. If that is its name, its operator has to add it to"
            " ALLOWED_HOSTS.",
        )


def name_of(url: str) -> str:
    """The name of the server in a web address, or "" where there is none."""
    return urlsplit(url).hostname or ""


def _is_loopback(name: str) -> bool:
    number = _number(name)
    return name == "localhost" or name.endswith(".localhost") or (number is not None and number.is_loopback)


def _came_in_by(scope: Mapping[str, Any], name: str) -> bool:
    number, server = _number(name), scope.get("server")
    return number is not None and server is not None and _number(server[0]) == number


def _number(name: str) -> Address | None:
    """An IP address, without the zone that a local one has; an IPv4 address that IPv6 wraps as itself."""
    try:
        number = ip_address(name.partition("%")[0])
    except ValueError:
        return None
    return (number.ipv4_mapped or number) if isinstance(number, IPv6Address) else number

"""Which hosts events may be sent to: public ones, those that the operator allows, and never this Darkroom."""

import socket
from contextlib import suppress

import httpx

from tasks.files.ssrf import is_public
from tasks.outbox import addresses
from tasks.settings import Settings, settings


def fault(url: object, ours: Settings = settings) -> str | None:
    """Return why a URL cannot be an endpoint, as a sentence, or None. A name is looked up only when it is used."""
    if found := addresses.fault(url, ours):
        return found
    parsed = httpx.URL(str(url))
    host = addresses.host_of(parsed)
    with suppress(ValueError):  # of a name
        if not permits(host, addresses.port_of(parsed), host, ours):
            return "The address is not public. The operator lists those of an own network in WEBHOOK_ALLOWED_HOSTS."
    return None


def permits(host: str, port: int, address: str, ours: Settings = settings) -> bool:
    """Return whether events may be sent to a host and port at an address: the rule for PublicTransport.

    Raises ValueError when the address is not an IP address.
    """
    allowed = is_public(address) or ours.allows_webhooks_to(host, address)
    return allowed and not (addresses.is_ours(host, port, ours) or (port == ours.port and _is_of_this_machine(address)))


def _is_of_this_machine(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True

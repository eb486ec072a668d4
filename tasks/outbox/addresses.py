"""Addresses that events are sent to: which ones can be, and how they are shown."""

from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

from tasks.settings import Settings, settings

MAX_URL_LENGTH = 2000  # characters
MAX_HOST_LENGTH = 253  # characters
MAX_PORT = 65535
DEFAULT_PORTS = {"http": 80, "https": 443}


def fault(url: object, ours: Settings = settings) -> str | None:
    """Return why events cannot be sent to a URL, as a sentence, or None when nothing speaks against it.

    Whether its host may be connected to turns out when it is: see tasks/webhooks/receivers.py.
    """
    if not isinstance(url, str) or len(url) > MAX_URL_LENGTH:
        return f"The address must be a URL of up to {MAX_URL_LENGTH:,} characters."
    parsed = _parsed(url)
    if parsed is None:
        return "The address must be a valid URL that starts with https:// or http://."
    if is_ours(host_of(parsed), port_of(parsed), ours):
        return "The address is this Darkroom itself."
    return None


def is_ours(host: str, port: int, ours: Settings = settings) -> bool:
    """Return whether a host and port are this Darkroom: those of PUBLIC_URL, or a name of ours with PORT."""
    public, name = urlsplit(ours.public_url), host.removesuffix(".")
    if public.hostname and (name, port) == (public.hostname, public.port or DEFAULT_PORTS[public.scheme]):
        return True
    return port == ours.port and (name in ours.host_names or _is_loopback(name))


def host_of(url: httpx.URL) -> str:
    """Return the host of a URL in lower case and ASCII."""
    return url.raw_host.decode("ascii")  # .host decodes Punycode: it fails when that is invalid


def port_of(url: httpx.URL) -> int:
    """Return the port of a URL."""
    return DEFAULT_PORTS[url.scheme] if url.port is None else url.port


def target_of(url: str) -> str:
    """Return the host and port of a URL that can be sent to, as one text."""
    parsed = httpx.URL(url)
    return f"{host_of(parsed)}:{port_of(parsed)}"


def redacted(url: str) -> str:
    """Return a URL for pages and the audit: without its name, password, query and fragment, which may be secrets."""
    parsed = httpx.URL(url)
    return f"{parsed.copy_with(userinfo=b'', query=None, fragment=None)}{'?…' if parsed.query else ''}"


def _parsed(url: str) -> httpx.URL | None:
    if not url.isprintable() or " " in url:
        return None
    try:
        parsed = httpx.URL(url)
        is_whole = parsed.scheme in DEFAULT_PORTS and parsed.host and len(parsed.raw_host) <= MAX_HOST_LENGTH
    except (httpx.InvalidURL, UnicodeError, ValueError):  # UnicodeError: the host is no valid Punycode
        return None
    return parsed if is_whole and 0 < port_of(parsed) <= MAX_PORT else None


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")

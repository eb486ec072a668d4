"""`darkroom mcp config`: what to paste into the programs that agents live in, so that they find Darkroom."""

import json
import os
from collections.abc import Callable

from tasks.settings import Settings
from webapp.cli.banner import in_url, reachable

KEY = "dk_..."  # the place for a key
MAKE_KEY = "darkroom keys add NAME agent --scope submit --scope read"


def elsewhere() -> str:
    """Return the address of another Darkroom that DARKROOM_URL names, as for every client, or ""."""
    return os.environ.get("DARKROOM_URL", "").rstrip("/")


def lines(settings: Settings, with_key: bool, client: str | None) -> list[str]:
    """Return what to print: for one of CLIENTS, that alone, else for each of them, with the place that it is for.

    with_key: whether requests need a key.
    """
    server = elsewhere() or settings.public_url or f"http://{in_url(reachable(settings.host))}:{settings.port}"
    address = f"{server}/mcp"
    if client is not None:
        return [CLIENTS[client][1](address, with_key)]
    printed = [line for place, of in CLIENTS.values() for line in (f"# {place}", of(address, with_key), "")]
    return [*printed, f"# Put a key in place of {KEY}: {MAKE_KEY}"] if with_key else printed[:-1]


def _claude_code(address: str, with_key: bool) -> str:
    header = f' --header "Authorization: Bearer {KEY}"' if with_key else ""
    return f"claude mcp add --transport http darkroom {address}{header}"


def _cursor(address: str, with_key: bool) -> str:
    return json.dumps({"mcpServers": {"darkroom": {"url": address, **_headers(with_key)}}}, indent=2)


def _vs_code(address: str, with_key: bool) -> str:
    return json.dumps({"servers": {"darkroom": {"type": "http", "url": address, **_headers(with_key)}}}, indent=2)


def _headers(with_key: bool) -> dict[str, dict[str, str]]:
    return {"headers": {"Authorization": f"Bearer {KEY}"}} if with_key else {}


CLIENTS: dict[str, tuple[str, Callable[[str, bool], str]]] = {
    "claude-code": ("Claude Code, in a terminal:", _claude_code),
    "cursor": ("Cursor, in ~/.cursor/mcp.json or .cursor/mcp.json:", _cursor),
    "vscode": ("VS Code, in .vscode/mcp.json:", _vs_code),
}
"""The programs that are known: where to paste it, and what."""

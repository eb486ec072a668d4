"""An agent: the SDK's own client, connected to the application of the tests, in either era of the protocol."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent

from tests.webapp.raw import app_of

ERAS = ("legacy", "2026-07-28")
"""With a handshake, and without one."""
ADDRESS = "http://darkroom.test/mcp"


@asynccontextmanager
async def connected(
    web: httpx.AsyncClient, headers: Mapping[str, str] | None = None, era: str = ERAS[-1]
) -> AsyncIterator[Client]:
    """Yield a client. Connects and disconnects in the task of the test, as the SDK wants it."""
    transport = httpx2.ASGITransport(app=app_of(web))  # type: ignore[arg-type]  # Litestar's names for the same types
    async with (
        httpx2.AsyncClient(transport=transport, headers=headers, timeout=60) as http,
        Client(streamable_http_client(ADDRESS, http_client=http), mode=era) as client,
    ):
        yield client


async def called(
    web: httpx.AsyncClient, tool: str, headers: Mapping[str, str] | None = None, /, **arguments: Any
) -> CallToolResult:
    """Call a tool once. Returns its result."""
    async with connected(web, headers) as client:
        return await client.call_tool(tool, arguments)


async def answered(
    web: httpx.AsyncClient, tool: str, headers: Mapping[str, str] | None = None, /, **arguments: Any
) -> dict[str, Any]:
    """Call a tool that does what it shall. Returns the members of its answer."""
    result = await called(web, tool, headers, **arguments)
    assert not result.is_error, text_of(result)
    return dict(result.structured_content)


async def refused(
    web: httpx.AsyncClient, tool: str, headers: Mapping[str, str] | None = None, /, **arguments: Any
) -> tuple[str, str, dict[str, Any]]:
    """Call a tool that refuses. Returns the code of its problem, what the model reads, and the whole problem."""
    result = await called(web, tool, headers, **arguments)
    assert result.is_error
    problem = dict(result.structured_content)
    assert text_of(result).startswith(problem["detail"])
    return problem["code"], text_of(result), problem


def text_of(result: CallToolResult) -> str:
    """Return what the model reads of a result."""
    first = result.content[0]
    assert isinstance(first, TextContent)
    return first.text

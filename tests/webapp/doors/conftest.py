"""The application of the tests over HTTP, for clients that bring their own, and a worker."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx
import pytest
import uvicorn

from tests.conftest import Faults


@pytest.fixture(scope="module")
async def address(web: httpx.AsyncClient) -> AsyncIterator[str]:
    """Serve the application of the tests over HTTP. Yields its address."""
    from tests.webapp.raw import app_of

    config = uvicorn.Config(app_of(web), lifespan="off", ws="none", log_level="warning")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server._serve([listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.fixture
async def working(faults: Faults) -> AsyncIterator[Faults]:
    """Run a worker. Yields the stand-in's faults."""
    from tests.tasks.work import at_work

    async with at_work():
        yield faults

"""REDbot, which knows HTTP's RFCs, has no complaint about one response of each kind."""

import asyncio
import json
import socket
import sys

import httpx
import pytest
import uvicorn

from tests import factories
from tests.tasks import samples

pytestmark = pytest.mark.once


async def test_redbot_has_no_complaint(web: httpx.AsyncClient, standin: str) -> None:
    job = await factories.completed(content=samples.picture(64, 64))
    paths = [
        f"/status/{job.id}", "/status/x", "/jobs.json", "/models", "/models/stability-ai/sdxl", "/collections.json",
        "/searches", "/finished.json", "/readyz", "/healthz", "/", f"/jobs/{job.id}", "/collections", "/compare",
        "/docs", "/schema/openapi.json", "/errors/queue_full", "/nope", f"/media/{job.id}.png", "/static/js/keys.js",
        "/selection.zip?all=1",
    ]  # fmt: skip
    transport = web._transport
    assert isinstance(transport, httpx.ASGITransport)
    config = uvicorn.Config(transport.app, lifespan="off", log_level="warning", timeout_graceful_shutdown=1)
    server, listener = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))
    site = f"http://127.0.0.1:{listener.getsockname()[1]}"
    looking = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.webapp.http.redbot_notes", *(site + path for path in paths),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, _ = await looking.communicate()
    server.should_exit = True
    await serving
    found = json.loads(printed)
    assert len(found) == len(paths)
    assert all(any(level == "GOOD" for level, _ in notes) for notes in found.values())
    complaints = {url: [note for note in notes if note[0] in ("WARN", "BAD")] for url, notes in found.items()}
    assert {url: notes for url, notes in complaints.items() if notes} == {}

"""The Firefox of the browser tests: an installed one. Run as a program, it starts Firefox and stands before it.

Playwright speaks WebDriver BiDi to it, and sends a command for each page that Firefox ESR does not know. That command
is answered here, and everything else is passed on.
"""

import asyncio
import json
import os
import re
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

UNKNOWN = "emulation.setMediaFeaturesOverride"
LISTENING = re.compile(rb"(?<=WebDriver BiDi listening on )ws://\S+")  # what Firefox says, and Playwright reads
FINE_AND_HOVERS = 6  # as a mouse; without a screen there is none
PREFERENCES = {
    "ui.prefersReducedMotion": 1,
    "ui.primaryPointerCapabilities": FINE_AND_HOVERS,
    "ui.allPointerCapabilities": FINE_AND_HOVERS,
}
OPEN: dict[str, Any] = {"max_size": None, "ping_interval": None, "compression": None}  # as long as both sides want


def find() -> str | None:
    """Return the path of the Firefox in FIREFOX, else of Debian's. Others, such as a snap, may not read our folders."""
    return os.environ.get("FIREFOX") or shutil.which("firefox-esr")


def launch_args(folder: Path) -> dict[str, Any]:
    """Return the arguments with which Playwright starts Firefox. folder: for the program that it starts."""
    found = find()
    assert found, "Firefox is not installed."
    program = folder / "firefox"
    # Playwright sets this variable. With it, a page that crashes while it is closed ends the whole browser.
    program.write_text(
        f'#!/bin/sh\nunset MOZ_CRASHREPORTER_SHUTDOWN\nexec {shlex.join([sys.executable, __file__, found])} "$@"\n'
    )
    program.chmod(0o755)
    return {"channel": "moz-firefox", "executable_path": program, "firefox_user_prefs": PREFERENCES}


async def main(*command: str) -> int:
    """Run Firefox until it ends, and let Playwright connect to it by way of here. Returns its exit status."""
    process = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    async for line in process.stderr:
        said = line
        if found := LISTENING.search(line):
            server = await serve(partial(_pass_on, found.group().decode()), "127.0.0.1", 0, **OPEN)
            host, port = server.sockets[0].getsockname()
            said = LISTENING.sub(f"ws://{host}:{port}".encode(), line)
        sys.stderr.buffer.write(said)
        sys.stderr.buffer.flush()
    return await process.wait()


async def _pass_on(address: str, playwright: ServerConnection) -> None:
    assert playwright.request is not None
    async with connect(address + playwright.request.path, **OPEN) as firefox, asyncio.TaskGroup() as group:
        group.create_task(_answer(firefox, playwright))
        async for message in playwright:
            command = json.loads(message)
            if command["method"] == UNKNOWN:
                await playwright.send(json.dumps({"type": "success", "id": command["id"], "result": {}}))
            else:
                await firefox.send(message)
        await firefox.close()


async def _answer(firefox: ClientConnection, playwright: ServerConnection) -> None:
    async for message in firefox:
        await playwright.send(message)
    await playwright.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))

"""A complete Darkroom for the browser tests, started as a user starts it, with its own ports and folders."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests import chromium, firefox
from tests.servers import free_port
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent

expect.set_options(timeout=30_000)  # milliseconds, for a busy machine


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the gallery as it is: these tests share it."""


@dataclass
class Darkroom:
    """A running Darkroom: its address, its process, and methods that use it."""

    url: str
    standin: str
    process: subprocess.Popen[bytes]
    environment: dict[str, str]

    def post(self, prompt: str, model: str = "stability-ai/sdxl", **parameters: Any) -> UUID:
        """Send a prompt as a program does. Returns the job's id."""
        if model == "stability-ai/sdxl":
            parameters = {"width": 64, "height": 64} | parameters
        body = {"prompt": prompt, "model": model, "parameters": parameters}
        answer = httpx.post(f"{self.url}/generate", json=body, timeout=30)
        assert answer.status_code == 202, answer.text
        return UUID(answer.json()["job_id"])

    def status(self, job_id: UUID) -> dict[str, Any]:
        return dict(httpx.get(f"{self.url}/status/{job_id}", timeout=30).json())

    def finished(self, job_id: UUID, within: float = 60) -> dict[str, Any]:
        """Wait until the job has ended, and return its status."""
        wait_until(lambda: self.status(job_id)["status"] in ("completed", "failed", "canceled"), within)
        return self.status(job_id)

    def script(self, *rules: dict[str, Any]) -> None:
        """Script faults of the stand-in."""
        httpx.post(f"{self.standin}/_standin/faults", json=list(rules), timeout=30).raise_for_status()

    def created(self, prompt: str) -> list[dict[str, Any]]:
        """Return the predictions that were created for a prompt. Each one is paid for."""
        ledger = httpx.get(f"{self.standin}/_standin/ledger", timeout=30).json()
        return [row for row in ledger if row["input"].get("prompt") == prompt]

    def probe(self) -> None:
        """Let the halted queue be probed now, and the job that met the halt be due, as if a minute had passed."""
        path = self.environment["DATABASE_URL"].removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
            connection.execute("UPDATE job SET due_at = created_at WHERE id = (SELECT job FROM halt)")
            connection.execute("UPDATE halt SET probe_at = since")

    def kill(self, part: str) -> None:
        """Kill a part. Darkroom then starts it again."""
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit() and self._is(int(directory.name), part):
                with suppress(ProcessLookupError):  # it may have died with its parent
                    os.kill(int(directory.name), signal.SIGKILL)

    def _is(self, pid: int, part: str) -> bool:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile, or it is not ours
            return False
        return (
            any(word.endswith(part.encode()) for word in words)
            and f"DATA_DIR={self.environment['DATA_DIR']}".encode() in environment
        )


CONTEXT: dict[str, Any] = {
    "viewport": {"width": 1280, "height": 900},
    "locale": "en-GB",
    "reduced_motion": "reduce",  # without a graphics card, animations would take most of a processor
}
"""The arguments of each browser context."""


@pytest.fixture(scope="session")
def darkroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """Run a Darkroom that the tests share."""
    with started(tmp_path_factory.mktemp("darkroom")) as running:
        yield running


@contextmanager
def started(folder: Path, **settings: str) -> Iterator[Darkroom]:
    """Run `darkroom up` with a fast stand-in while the block runs. settings: besides the usual ones."""
    port, standin_port = free_port(), free_port()
    environment = {
        name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "REPLICATE_API_URL")
    } | {
        "DATA_DIR": str(folder / "data"),
        "STORAGE_URL": str(folder / "media"),
        "DATABASE_URL": f"sqlite:///{folder}/data/darkroom.sqlite",
        "PORT": str(port),
        "STANDIN_PORT": str(standin_port),
        "STANDIN_CONTROL": "true",
        "LEASE_SECONDS": "6",
        **settings,
    }
    with (folder / "log").open("wb") as log:
        command = [
            sys.executable,
            "-m",
            "webapp",
            "up",
            "--with-parent",
            str(os.getpid()),
        ]  # ends even if they are killed
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
    running = Darkroom(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{standin_port}", process, environment)
    try:
        wait_until(lambda: _ready(running), within=60)
        httpx.post(f"{running.standin}/_standin/pace", json={"pace": 0.3}).raise_for_status()
        yield running
    finally:
        process.terminate()
        process.wait(10)


def _ready(running: Darkroom) -> bool:
    try:
        return httpx.get(f"{running.url}/readyz").status_code == 200 and httpx.get(running.standin).status_code < 500
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_name: str, browser_type_launch_args: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    if browser_name == "firefox":
        return browser_type_launch_args | firefox.launch_args(tmp_path_factory.mktemp("firefox"))
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", *quiet]
    found = chromium.find()
    return {**browser_type_launch_args, "args": args, **({"executable_path": found} if found else {})}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any], darkroom: Darkroom) -> dict[str, Any]:
    return {**browser_context_args, **CONTEXT, "base_url": darkroom.url}


@pytest.fixture(autouse=True)
def nothing_strange(
    page: Page, darkroom: Darkroom, browser_name: str, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Fail each test with an error in the console (such as a breach of the CSP) or a request to another host."""
    strange: list[str] = []
    expected = ["ERR_INTERNET_DISCONNECTED", "status of 4", "failed with status 4"]
    if "axe" in request.node.name:
        expected.append("Applying inline style")  # by axe while it checks the page
    if browser_name == "firefox":
        expected.append("NetworkError when attempting to fetch resource")  # a request that a reload cut off

    def listen(message: ConsoleMessage) -> None:
        if message.type == "error" and not any(words in message.text for words in expected):
            strange.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: strange.append(str(error)))
    page.on("request", lambda request: strange.append(request.url) if not _ours(request.url, darkroom) else None)
    yield
    assert strange == []


def _ours(url: str, darkroom: Darkroom) -> bool:
    return url.startswith((darkroom.url, "data:", "blob:", "about:"))


@pytest.fixture
def no_script(browser: Browser, browser_context_args: dict[str, Any]) -> Iterator[Page]:
    """Yield a page in a browser with JavaScript disabled."""
    context = browser.new_context(**browser_context_args, java_script_enabled=False)
    yield context.new_page()
    context.close()

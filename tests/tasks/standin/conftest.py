"""A client of the stand-in, as a program would have one."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasks.standin.app import create_app
from tests.tasks.standin.serving import Served
from tests.waiting import wait_until

SDXL = "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"
CERTIFICATES = httpx.create_ssl_context()  # made once: it takes longer than most tests
FLUX = "black-forest-labs/flux-schnell"


class Client(httpx.Client):
    """An httpx client with the few calls that nearly every test makes."""

    def create(self, version: str = FLUX, headers: dict[str, str] | None = None, **given: Any) -> dict[str, Any]:
        """Create a prediction with this input."""
        answer = self.post("/v1/predictions", json={"version": version, "input": given}, headers=headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def read(self, prediction: dict[str, Any]) -> dict[str, Any]:
        """The prediction as it is now."""
        return dict(self.get(f"/v1/predictions/{prediction['id']}").json())

    def finished(self, prediction: dict[str, Any]) -> dict[str, Any]:
        """The prediction once it has ended."""
        wait_until(lambda: self.read(prediction)["status"] not in ("starting", "processing"))
        return self.read(prediction)

    def script(self, *rules: dict[str, Any]) -> None:
        """Have things go wrong."""
        self.post("/_standin/faults", json=list(rules)).raise_for_status()

    def ledger(self) -> list[dict[str, Any]]:
        """All predictions that were created."""
        return list(self.get("/_standin/ledger").json())


@pytest.fixture(scope="session")
def leaving() -> Iterator[list[Served]]:
    """Stand-ins on their way out: uvicorn takes a moment, which no test has to wait for."""
    leaving: list[Served] = []
    yield leaving
    for running in leaving:
        running.join()


@pytest.fixture
def stand_in(tmp_path: Path, leaving: list[Served]) -> Iterator[Callable[..., Client]]:
    """Starts a stand-in of the test's own, with options of create_app, and gives a client of it."""
    with ExitStack() as stack:

        def start(**options: Any) -> Client:
            running = Served(create_app(options.pop("folder", tmp_path), **{"pace": 0.01, "control": True, **options}))
            leaving.append(running)
            stack.callback(running.leave)
            headers = {"Authorization": "Bearer r8_test"}
            return stack.enter_context(
                Client(base_url=running.address, headers=headers, timeout=30, verify=CERTIFICATES)
            )

        yield start


@pytest.fixture
def client(stand_in: Callable[..., Client]) -> Client:
    """A client of a quick stand-in."""
    return stand_in()

"""A client of the stand-in, like the client of a program."""

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
CERTIFICATES = httpx.create_ssl_context()  # created once, because it takes longer than most tests
FLUX = "black-forest-labs/flux-schnell"


class Client(httpx.Client):
    """An httpx client with the few calls that nearly every test makes."""

    def create(self, version: str = FLUX, headers: dict[str, str] | None = None, **given: Any) -> dict[str, Any]:
        """Create a prediction with this input."""
        answer = self.post("/v1/predictions", json={"version": version, "input": given}, headers=headers)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def read(self, prediction: dict[str, Any]) -> dict[str, Any]:
        """Return the prediction as it is now."""
        return dict(self.get(f"/v1/predictions/{prediction['id']}").json())

    def finished(self, prediction: dict[str, Any]) -> dict[str, Any]:
        """Wait until the prediction has ended, and return it."""
        wait_until(lambda: self.read(prediction)["status"] not in ("starting", "processing"))
        return self.read(prediction)

    def script(self, *rules: dict[str, Any]) -> None:
        """Add faults."""
        self.post("/_standin/faults", json=list(rules)).raise_for_status()

    def ledger(self) -> list[dict[str, Any]]:
        """Return all predictions that were created."""
        return list(self.get("/_standin/ledger").json())


@pytest.fixture(scope="session")
def leaving() -> Iterator[list[Served]]:
    """Collect stand-ins that are shutting down: uvicorn takes a moment, and no test has to wait for it."""
    leaving: list[Served] = []
    yield leaving
    for running in leaving:
        running.join()


@pytest.fixture
def stand_in(tmp_path: Path, leaving: list[Served]) -> Iterator[Callable[..., Client]]:
    """Yield a function that starts a stand-in with options of create_app and returns a client of it."""
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
    """Return a client of a fast stand-in."""
    return stand_in()

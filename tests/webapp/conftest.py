"""Fixtures for the web tests: no test sees the halts, workers and durations of another."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.browser.conftest import Darkroom


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> None:
    """Load Schemathesis only when its tests are collected, because its import takes a second."""
    if file_path.name == "test_openapi.py":
        parent.config.pluginmanager.import_plugin("schemathesis", consider_entry_points=True)


@pytest.fixture(autouse=True)
async def empty(empty: None) -> None:
    """Start each test with empty tables, no worker, and no halt."""
    from tasks.jobs import tally
    from tasks.messaging import events
    from webapp.render import halt_banner, queue_tally

    await halt_banner.look()
    await queue_tally.look()
    tally.forget()
    await events._outbox().emptied()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Darkroom"]:
    """Run a whole Darkroom in processes of its own, for the tests of what talks to it."""
    from tests.browser.conftest import started

    with started(tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture(scope="session")
def inhabited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple["Darkroom", dict[str, str]]]:
    """Run a whole Darkroom with a person. Yields it and her keys: `both` scopes, `submit`, and `poor` of budget."""
    from tests.browser.conftest import ROOT, started

    with started(tmp_path_factory.mktemp("inhabited")) as running:

        def ran(*words: str) -> str:
            command = [sys.executable, "-m", "webapp", *words]
            return subprocess.check_output(command, cwd=ROOT, env=running.environment, text=True).strip()

        ran("people", "add", "anna", "--admin")
        both = ("--scope", "submit", "--scope", "read")
        yield (
            running,
            {
                "both": ran("keys", "add", "anna", "both", *both),
                "submit": ran("keys", "add", "anna", "submit", "--scope", "submit"),
                "poor": ran("keys", "add", "anna", "poor", *both, "--budget", "0.001/day"),
            },
        )

"""Fixtures for the web tests: no test sees the halts, workers and durations of another."""

from pathlib import Path

import pytest


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> None:
    """Load Schemathesis only when its tests are collected, because its import takes a second."""
    if file_path.name == "test_openapi.py":
        parent.config.pluginmanager.import_plugin("schemathesis", consider_entry_points=True)


@pytest.fixture(autouse=True)
async def empty(empty: None) -> None:
    """Start each test with empty tables, no worker, and no halt."""
    from tasks.messaging import events, presence
    from webapp.render import halt_banner

    await halt_banner.look()
    events.post("DEL", presence.WORKERS)
    await events._outbox().emptied()

"""What the tests of the web need besides: none hears of the halts, workers and durations of another."""

from pathlib import Path

import pytest


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> None:
    """Schemathesis takes a second to import: it is loaded where its tests are collected."""
    if file_path.name == "test_openapi.py":
        parent.config.pluginmanager.import_plugin("schemathesis", consider_entry_points=True)


@pytest.fixture(autouse=True)
async def empty(empty: None) -> None:
    """Each test finds the tables empty, no worker, and no memory of what was before."""
    from tasks import estimates, events, months
    from webapp import halted

    await halted.look()
    await events.redis().delete(events.WORKERS)
    estimates.forget()
    months.forget()

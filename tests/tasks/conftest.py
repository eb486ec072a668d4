"""A real worker against the stand-in, with waits that are short enough for tests.

Modules that read the settings are imported only in the fixtures, because this file is loaded before tests/conftest.py
has made the settings.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.conftest import Faults


@pytest.fixture
async def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the waits between attempts for tests."""
    from tasks import backoff
    from tasks.predictions import follow, orphans
    from tasks.replicate import circuit
    from tasks.worker import rescuer, retries

    monkeypatch.setattr(backoff, "MAX_DELAY_SECONDS", 0.05)
    monkeypatch.setattr(orphans, "SEARCH_DELAYS", (0.0, 0.1))
    monkeypatch.setattr(orphans, "SEARCH_WINDOW", timedelta(seconds=1))
    monkeypatch.setattr(orphans, "LATE_SEARCH_SECONDS", 0.1)
    monkeypatch.setattr(orphans, "SWEEP_SECONDS", 0.1)
    monkeypatch.setattr(circuit, "FIRST_PROBE_SECONDS", 0.1)
    monkeypatch.setattr(follow, "MISSING_SECONDS", 4.0)
    monkeypatch.setattr(rescuer, "INTERVAL", 0.1)
    monkeypatch.setattr(retries, "REFUSED_SECONDS", 0.1)


@pytest.fixture
async def new_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a queue of hints with no other readers: a reader may be dead for a moment before Redis notices.

    The test does not begin while a listener of the last test is still reconnecting to the Redis that all tests share.
    """
    from tasks.messaging import events
    from tasks.messaging.broker import broker
    from tests.waiting import eventually

    async def redis_is_there() -> bool:
        return not events.redis_health.away

    monkeypatch.setattr(broker, "queue_name", f"hints-{uuid4()}")
    await eventually(redis_is_there)


@pytest.fixture
async def new_library(empty: None) -> AsyncIterator[None]:
    """Start with a library that has no storage yet. The tests' own library is restored at the end."""
    from tasks.db.tables import Library

    [own] = await Library.select()
    await Library.delete(force=True)
    yield
    await Library.delete(force=True)
    await Library.insert(Library(**own))


@pytest.fixture
async def working(quick: None, faults: Faults) -> AsyncIterator[Faults]:
    """Run a worker. Yields the stand-in's faults."""
    from tests.tasks.work import at_work

    async with at_work():
        yield faults

"""A real worker against the stand-in.

Modules that read the settings are imported only in the fixtures, because this file is loaded before tests/conftest.py
has made the settings.
"""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.conftest import Faults


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
async def working(faults: Faults) -> AsyncIterator[Faults]:
    """Run a worker. Yields the stand-in's faults."""
    from tests.tasks.work import at_work

    async with at_work():
        yield faults

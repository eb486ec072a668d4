"""A real worker against the stand-in, with waits that are short enough for tests.

Imports what reads the settings only in the fixtures: this file is loaded before tests/conftest.py has made them.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest

from tests.conftest import Faults


@pytest.fixture
async def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits between attempts that are short enough for tests."""
    from tasks import backoff, follow, halts, orphans, rescue, retries

    monkeypatch.setattr(backoff, "LONGEST", 0.05)
    monkeypatch.setattr(orphans, "WAITS", (0.0, 0.1))
    monkeypatch.setattr(orphans, "SEARCHED_FOR", timedelta(seconds=1))
    monkeypatch.setattr(orphans, "LATER_SECONDS", 0.1)
    monkeypatch.setattr(orphans, "INTERVAL", 0.1)
    monkeypatch.setattr(halts, "FIRST_PROBE_SECONDS", 0.1)
    monkeypatch.setattr(follow, "MISSING_SECONDS", 4.0)
    monkeypatch.setattr(rescue, "INTERVAL", 0.1)
    monkeypatch.setattr(retries, "REFUSED_SECONDS", 0.1)


@pytest.fixture
async def new_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A queue of hints that nobody else reads: what waits for one may be dead for a moment before Redis knows.

    Nor does it begin while a listener of the last test still comes back to the Redis that all tests share.
    """
    from tasks import events
    from tasks.broker import broker
    from tests.tasks.work import wait_until

    async def redis_is_there() -> bool:
        return not events.presence.away

    monkeypatch.setattr(broker, "queue_name", f"hints-{uuid4()}")
    await wait_until(redis_is_there)


@pytest.fixture
async def new_library(empty: None) -> AsyncIterator[None]:
    """A library that has no storage yet. The tests' own comes back in the end."""
    from tasks.tables import Library

    [own] = await Library.select()
    await Library.delete(force=True)
    yield
    await Library.delete(force=True)
    await Library.insert(Library(**own))


@pytest.fixture
async def working(quick: None, faults: Faults) -> AsyncIterator[Faults]:
    """A worker at work. Gives the stand-in's faults."""
    from tests.tasks.work import at_work

    async with at_work():
        yield faults

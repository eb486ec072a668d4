"""How many jobs the workers that are alive run at once."""

from time import time

import pytest

from tasks.messaging import events, presence
from tests.waiting import eventually

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
async def without_workers(empty: None) -> None:
    await events.redis().delete(presence.WORKERS)


async def test_the_slots_of_all_workers_are_counted_until_they_stop() -> None:
    await presence.worker_seen("one", 2)
    await presence.worker_seen("other", 3)
    await presence.worker_seen("one", 2)
    assert await presence.slots() == 5
    presence.worker_gone("one", 2)

    async def one_is_left() -> bool:
        return await presence.slots() == 3

    await eventually(one_is_left)


async def test_a_worker_that_was_not_seen_for_long_counts_no_more() -> None:
    await presence.worker_seen("a worker that was killed", 4)
    await presence.worker_seen("another", 1)
    long_ago = time() - presence.WORKER_SEEN_SECONDS - 1
    await events.redis().zadd(presence.WORKERS, {"a worker that was killed 4": long_ago})
    assert await presence.slots() == 1

"""The engines under stress."""

import asyncio

import anyio
import pytest

from tasks import intake, jobs
from tasks.database import DB, now
from tasks.tables import Job, Priority


async def test_a_transaction_that_fails_leaves_nothing() -> None:
    async def failing() -> None:
        async with DB.transaction():
            moment = now()
            await Job(prompt="p", model="m", due_at=moment, created_at=moment, changed_at=moment).save()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    assert await Job.count() == 0


async def test_transactions_that_time_out_give_their_connections_back() -> None:
    async def too_slow() -> None:
        with anyio.fail_after(0.01):
            async with DB.transaction():
                await Job.count()
                await anyio.sleep(1)

    for _ in range(15):  # more than the pool has
        with pytest.raises(TimeoutError):
            await too_slow()
    with anyio.fail_after(5):
        async with DB.transaction():
            await Job.insert(intake.new("after", "m/m", {}, "", Priority.NORMAL, None, None, 1))
    assert await Job.count() == 1


async def test_writers_at_once_all_get_their_turn() -> None:
    await asyncio.gather(*(jobs.submit(f"fox {number}", "m/m", {}) for number in range(200)))
    assert await Job.count() == 200


async def test_readers_see_what_was_written_before() -> None:
    for number in range(20):
        await jobs.submit(f"fox {number}", "m/m", {})
        assert await Job.count() == number + 1

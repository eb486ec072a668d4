"""Hints between processes: many at once all arrive. While Redis is away, only the hints of that time are lost."""

import asyncio
from contextlib import suppress

from redis.asyncio import Redis

from tasks.background import alongside
from tasks.db import ids
from tasks.messaging import events
from tasks.messaging.pipeline import Outbox
from tests.waiting import eventually


async def test_of_two_hundred_changes_told_at_once_every_one_is_heard() -> None:
    listens, complete = asyncio.Event(), asyncio.Event()
    missing = {ids.new() for _ in range(200)}

    async def listen() -> None:
        async for job_id in events.listen(events.CHANGED):
            listens.set()
            missing.discard(job_id)
            if not missing:
                complete.set()

    async with asyncio.timeout(20), alongside(listen()):
        while not listens.is_set():  # a hint is received only after the subscription is active
            events.publish(events.CHANGED, ids.new())
            with suppress(TimeoutError):
                await asyncio.wait_for(listens.wait(), 0.05)
        for job_id in list(missing):
            events.publish(events.CHANGED, job_id)
        await complete.wait()


async def test_what_is_posted_at_once_goes_out_in_its_order() -> None:
    name = f"test:{ids.new()}"
    for number in range(100):
        events.post("RPUSH", name, str(number))

    async def all_are_there() -> bool:
        return int(await events.redis().llen(name)) == 100

    await eventually(all_are_there)
    assert await events.redis().lrange(name, 0, -1) == [str(number).encode() for number in range(100)]
    await events.redis().delete(name)


async def test_a_redis_that_is_away_does_not_keep_later_hints_from_going_out() -> None:
    name = f"test:{ids.new()}"
    async with Redis.from_url("unix:///nowhere/valkey.sock") as away:
        outbox = Outbox(away)
        outbox.post("SET", name, "lost")
        await outbox.emptied()
        outbox._redis = events.redis()
        outbox.post("SET", name, "heard")
        await outbox.emptied()
    assert await events.redis().get(name) == b"heard"
    await events.redis().delete(name)

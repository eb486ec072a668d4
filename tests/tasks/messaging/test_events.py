"""Hints between processes: many at once all arrive. While Redis is away, only the hints of that time are lost."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TypeVar

from redis.asyncio import Redis

from tasks.background import alongside
from tasks.db import ids
from tasks.messaging import events
from tasks.messaging.pipeline import Outbox
from tests.waiting import eventually

T = TypeVar("T")


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


async def test_hints_of_another_version_are_passed_over() -> None:
    known = ids.new()
    heard = await first_heard(events.listen(events.CHANGED), events.CHANGED, f"job:{known} {known}", str(known))
    assert heard == known


async def test_news_of_another_version_is_passed_over_and_what_it_has_more_is_left_out() -> None:
    news = {"job": str(ids.new()), "status": "of tomorrow"}
    heard = await first_heard(
        events.listen_for_news(), events.NEWS, '{"jobs": []}', "of tomorrow", json.dumps(news | {"of_tomorrow": 1})
    )
    assert (str(heard.job), heard.status) == (news["job"], news["status"])


async def first_heard(listening: AsyncIterator[T], channel: str, *messages: str) -> T:
    """Publish messages in this order until the first that is heard, and return that one."""
    hearing = asyncio.ensure_future(anext(listening))
    async with asyncio.timeout(20):
        while not hearing.done():
            for message in messages:
                await events.redis().publish(channel, message)
            await asyncio.wait([hearing], timeout=0.05)
    return hearing.result()


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

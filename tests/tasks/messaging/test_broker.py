"""The queue of hints, in cases where taskiq and redis-py have shortcomings."""

import asyncio
from contextlib import suppress
from random import uniform

from taskiq import TaskiqMessage

from tasks.messaging import events
from tasks.messaging.broker import broker, generate_later
from tests.tasks.work import at_work, ended, submitted


async def test_who_waits_for_a_hint_can_be_stopped_at_any_moment(database: None, new_queue: None) -> None:
    """About one in ten of these cancellations was lost on Python 3.11, and a worker hung while it stopped."""
    for _ in range(12):
        hints = broker.listen()
        waiting = asyncio.ensure_future(anext(hints))
        await asyncio.sleep(uniform(0, 0.005))
        waiting.cancel()
        done, _ = await asyncio.wait([waiting], timeout=3)
        assert done
        with suppress(asyncio.CancelledError):
            await waiting
        await hints.aclose()


async def test_a_hint_is_heard_once_and_is_gone(database: None, new_queue: None) -> None:
    generate_later()
    hints = broker.listen()
    async with asyncio.timeout(5):
        await anext(hints)
    assert await broker.waiting(most=10) == 0
    await hints.aclose()


async def test_messages_of_another_version_stop_no_worker(standin: str, new_queue: None) -> None:
    of_tomorrow = TaskiqMessage(task_id="1", task_name="of_tomorrow", labels={}, args=[], kwargs={})
    for field, value in (("of_tomorrow", b"1"), ("data", b"of tomorrow"), ("data", formatted(of_tomorrow))):
        await events.redis().xadd(broker.queue_name, {field: value})
    async with at_work():
        assert (await ended(await submitted("a fox"))).job.status == "completed"
    assert await broker.waiting(most=10) == 0


def formatted(message: TaskiqMessage) -> bytes:
    return broker.formatter.dumps(message).message

"""Attempts to sign in are slowed down, however many come at once, and success forgets a person's failures."""

import asyncio
from datetime import timedelta

from tasks.accounts import throttle
from tasks.db.account_tables import SlowedName
from tasks.db.database import now

ANNA, HERE = throttle.person("Anna"), throttle.address("")


async def attempts(count: int, free: int = 5) -> list[float]:
    return [await throttle.begin(ANNA, free) for _ in range(count)]


async def test_the_first_attempts_are_free_and_then_each_failure_doubles_the_wait() -> None:
    assert await attempts(6) == [0.0] * 6
    [wait] = await attempts(1)
    assert 1 < wait <= 2
    for expected in (4, 8, 16, 32, 60, 60):
        await SlowedName.update({SlowedName.allowed_at: now()}, force=True)
        assert await attempts(1) == [0.0]
        [wait] = await attempts(1)
        assert expected / 2 < wait <= expected


async def test_of_many_at_once_no_more_are_allowed() -> None:
    waits = await asyncio.gather(*(throttle.begin(ANNA, 5) for _ in range(30)))
    assert waits.count(0.0) == 6


async def test_success_and_an_hour_forget() -> None:
    await attempts(6)
    await throttle.succeeded(ANNA, HERE)
    assert await attempts(6) == [0.0] * 6


async def test_who_signs_in_is_not_counted_against_the_address() -> None:
    for _ in range(30):
        assert await throttle.begin(HERE, 5) == 0.0
        await throttle.succeeded(ANNA, HERE)


async def test_an_hour_forgets() -> None:
    await attempts(6)
    await SlowedName.update({SlowedName.allowed_at: now() - timedelta(hours=2)}, force=True)
    assert await attempts(6) == [0.0] * 6

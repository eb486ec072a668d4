"""Concurrent calls are done together in one round, and each gets its own result."""

import asyncio

import pytest

from tasks.db.coalesce import Rounds
from tasks.errors import DatabaseAway


class Doubling:
    """A function that doubles numbers and records which came together.

    It raises ValueError for odd numbers, and DatabaseAway above 100.
    """

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, numbers: list[int]) -> list[int]:
        self.rounds.append(numbers)
        await self.go_on.wait()
        if any(number > 100 for number in numbers):
            raise DatabaseAway("gone")
        if any(number % 2 for number in numbers):
            raise ValueError("odd")
        return [2 * number for number in numbers]


async def test_what_comes_at_once_is_one_round() -> None:
    doubling = Doubling()
    rounds = Rounds(doubling, 10)
    assert await asyncio.gather(*(rounds(number) for number in (2, 4, 6))) == [4, 8, 12]
    assert doubling.rounds == [[2, 4, 6]]


async def test_what_comes_while_a_round_is_under_way_waits_for_the_next() -> None:
    doubling = Doubling()
    doubling.go_on.clear()
    rounds = Rounds(doubling, 10)
    first = asyncio.create_task(rounds(2))
    await asyncio.sleep(0.01)
    later = [asyncio.create_task(rounds(number)) for number in (4, 6)]
    await asyncio.sleep(0.01)
    assert doubling.rounds == [[2]]
    doubling.go_on.set()
    assert await asyncio.gather(first, *later) == [4, 8, 12]
    assert doubling.rounds == [[2], [4, 6]]


async def test_a_round_takes_on_so_much_and_no_more() -> None:
    doubling = Doubling()
    rounds = Rounds(doubling, 2)
    assert await asyncio.gather(*(rounds(number) for number in (2, 4, 6))) == [4, 8, 12]
    assert doubling.rounds == [[2, 4], [6]]


async def test_one_that_is_at_fault_does_not_spoil_it_for_the_others() -> None:
    rounds = Rounds(Doubling(), 10)
    two, three, four = await asyncio.gather(*(rounds(number) for number in (2, 3, 4)), return_exceptions=True)
    assert (two, four) == (4, 8)
    assert isinstance(three, ValueError)


async def test_a_database_that_is_away_is_not_asked_again_for_each() -> None:
    doubling = Doubling()
    rounds = Rounds(doubling, 10)
    told = await asyncio.gather(*(rounds(number) for number in (2, 102, 4)), return_exceptions=True)
    assert all(isinstance(error, DatabaseAway) for error in told)
    assert doubling.rounds == [[2, 102, 4]]
    assert await rounds(6) == 12


async def test_who_gives_up_waiting_does_not_hold_up_the_others() -> None:
    doubling = Doubling()
    doubling.go_on.clear()
    rounds = Rounds(doubling, 10)
    given_up, kept = asyncio.create_task(rounds(2)), asyncio.create_task(rounds(4))
    await asyncio.sleep(0.01)
    given_up.cancel()
    doubling.go_on.set()
    assert await kept == 8
    with pytest.raises(asyncio.CancelledError):
        await given_up

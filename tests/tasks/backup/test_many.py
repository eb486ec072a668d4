"""Many things are done a few at a time, with a line now and then, and the first error ends all."""

import asyncio

import pytest

from tasks.backup.many import AT_ONCE, Progress, for_each

pytestmark = pytest.mark.once


async def test_a_few_are_done_at_a_time() -> None:
    under_way, most, done = 0, 0, []

    async def do(item: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        done.append(item)

    await for_each(iter(range(100)), do, Progress("Done", 100, print))
    assert sorted(done) == list(range(100))
    assert most == AT_ONCE


async def test_the_first_error_ends_all() -> None:
    done = []

    async def do(item: int) -> None:
        if item == 20:
            raise ValueError("the twentieth")
        await asyncio.sleep(0)
        done.append(item)

    with pytest.raises(ValueError, match="the twentieth"):
        await for_each(iter(range(10**9)), do, Progress("Done", 10**9, print))
    assert len(done) <= 20 + AT_ONCE


def test_a_line_comes_every_ten_seconds() -> None:
    lines: list[str] = []
    clock = iter([0.0, 9.9, 10.0, 10.0, 19.9, 20.0, 20.0]).__next__
    progress = Progress("Files read", 1234567, lines.append, clock)
    for _ in range(4):
        progress.step(1000)
    assert lines == ["Files read: 2,000 of 1,234,567", "Files read: 4,000 of 1,234,567"]


def test_a_line_about_things_whose_number_is_not_known_says_how_many_are_done() -> None:
    lines: list[str] = []
    Progress("Files", None, lines.append, iter([0.0, 10.0, 10.0]).__next__).step(1000)
    assert lines == ["Files: 1,000"]

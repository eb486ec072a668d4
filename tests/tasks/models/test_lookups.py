"""Concurrent lookups share one request, and its answer is cached for a while."""

import asyncio

import pytest

from tasks.models.lookups import Lookups


class Elsewhere:
    """A source that answers when it may, and counts how often it is asked."""

    def __init__(self, answer: str | Exception | None) -> None:
        self.answer = answer
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def ask(self) -> str | None:
        self.asked += 1
        await self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("answer", ["found", None, ValueError("away")])
async def test_who_asks_at_the_same_moment_shares_one_question_and_its_answer(answer: str | Exception | None) -> None:
    elsewhere, lookups = Elsewhere(answer), Lookups[str](60, 60, 10)
    asking = asyncio.gather(*(lookups.find("a", elsewhere.ask) for _ in range(50)), return_exceptions=True)
    await asyncio.sleep(0)
    elsewhere.may_answer.set()
    assert await asking == [answer] * 50
    assert elsewhere.asked == 1


async def test_who_goes_away_does_not_take_the_answer_from_the_others() -> None:
    elsewhere, lookups = Elsewhere("found"), Lookups[str](60, 60, 10)
    first, other = (asyncio.create_task(lookups.find("a", elsewhere.ask)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    elsewhere.may_answer.set()
    assert (await other, elsewhere.asked) == ("found", 1)


@pytest.mark.parametrize(("answer", "asked"), [("found", 1), (None, 2)])
async def test_each_kind_of_answer_is_remembered_for_its_time(answer: str | None, asked: int) -> None:
    elsewhere, lookups = Elsewhere(answer), Lookups[str](60, 0, 10)
    elsewhere.may_answer.set()
    assert [await lookups.find("a", elsewhere.ask) for _ in range(2)] == [answer, answer]
    assert elsewhere.asked == asked


async def test_that_it_failed_is_not_remembered() -> None:
    elsewhere, lookups = Elsewhere(ValueError("away")), Lookups[str](60, 60, 10)
    elsewhere.may_answer.set()
    with pytest.raises(ValueError, match="away"):
        await lookups.find("a", elsewhere.ask)
    elsewhere.answer = "found"
    assert await lookups.find("a", elsewhere.ask) == "found"


async def test_of_names_without_end_the_oldest_are_forgotten() -> None:
    elsewhere, lookups = Elsewhere(None), Lookups[str](60, 60, 10)
    elsewhere.may_answer.set()
    for number in range(50):
        await lookups.find(str(number), elsewhere.ask)
    assert len(lookups._answers) == 10
    await lookups.find("49", elsewhere.ask)
    assert elsewhere.asked == 50
    await lookups.find("39", elsewhere.ask)
    assert elsewhere.asked == 51

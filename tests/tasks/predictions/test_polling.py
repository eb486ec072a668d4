"""Predictions are polled one by one while they are few, and through Replicate's list where they are many."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator

import pytest

from tasks.errors import Failure
from tasks.predictions.polling import MAX_SINGLE_POLLS, MIN_MATCHES_PER_PAGE, TRACKED_SECONDS, Poller
from tasks.replicate.client import Glimpse, Prediction, Replicate
from tasks.replicate.errors import NotFound, Throttled
from tests.conftest import Faults

pytestmark = pytest.mark.once

PAGE = 100


class Account(Replicate):
    """A Replicate with the predictions of a test.

    asked: how often each prediction was requested, and how many pages of "the list".
    """

    def __init__(self, ids: list[str]) -> None:
        super().__init__()
        self.rows = dict.fromkeys(ids, "processing")
        self.elsewhere: dict[str, str] = {}
        self.refusal: Failure | None = None
        self.asked: Counter[str] = Counter()
        self.walked = asyncio.Event()

    async def get(self, prediction_id: str) -> Prediction:
        self.asked[prediction_id] += 1
        status = (self.rows | self.elsewhere).get(prediction_id)
        if status is None:
            raise NotFound("not_found", "Not found at Replicate.")
        return Prediction(prediction_id, status, output="a picture" if status == "succeeded" else None, logs="50%")

    async def newest(self) -> AsyncGenerator[list[Glimpse], None]:
        rows = [Glimpse(prediction_id, status) for prediction_id, status in self.rows.items()]
        for start in range(0, len(rows), PAGE):
            self.asked["the list"] += 1
            self.walked.set()
            await asyncio.sleep(0)
            if self.refusal:
                raise self.refusal
            yield rows[start : start + PAGE]


def many(count: int = 1000) -> list[str]:
    return [f"p{number}" for number in range(count)]


async def looked_at(poller: Poller, ids: list[str]) -> list[Prediction]:
    return await asyncio.gather(*map(poller.look, ids))


async def primed(account: Account) -> Poller:
    """Return a poller that knows how many predictions are under way."""
    poller = Poller(account, list_interval=0.05)
    await looked_at(poller, list(account.rows))
    account.asked.clear()
    account.walked.clear()
    return poller


async def test_a_few_are_asked_for_one_by_one() -> None:
    account = Account(many(MAX_SINGLE_POLLS))
    poller = Poller(account, list_interval=0.05)
    for _ in range(3):
        seen = await looked_at(poller, list(account.rows))
    assert {prediction.logs for prediction in seen} == {"50%"}
    assert account.asked == dict.fromkeys(account.rows, 3)


async def test_of_a_thousand_a_look_takes_ten_requests() -> None:
    account = Account(many())
    poller = await primed(account)
    for turn in range(3):
        seen = await looked_at(poller, list(account.rows))
        assert [prediction.id for prediction in seen] == list(account.rows)
        assert account.asked == {"the list": 10 * (turn + 1)}


async def test_who_asks_during_a_walk_is_told_by_the_next() -> None:
    account = Account(many())
    poller = await primed(account)
    first = asyncio.create_task(poller.look("p999"))
    async with asyncio.timeout(60):
        await account.walked.wait()
    account.rows["p0"] = "succeeded"  # the first walk has read its rows; who were told by it would see them
    second = asyncio.create_task(poller.look("p0"))
    assert (await first).status == "processing"
    assert (await second).status == "succeeded"


async def test_of_one_that_has_ended_all_is_told() -> None:
    account = Account(many())
    poller = await primed(account)
    account.rows["p7"] = "succeeded"
    seen = await looked_at(poller, list(account.rows))
    assert (seen[7].status, seen[7].output) == ("succeeded", "a picture")
    assert account.asked == {"the list": 10, "p7": 1}


async def test_what_is_said_to_have_ended_is_asked_for_at_once() -> None:
    account = Account(many())
    poller = await primed(account)
    account.rows["p7"] = "succeeded"
    assert (await poller.look("p7", at_once=True)).output == "a picture"
    assert account.asked == {"p7": 1}


async def test_what_the_list_does_not_have_is_asked_for_by_itself() -> None:
    account = Account(many(300))
    poller = await primed(account)
    account.elsewhere = {"late": "starting"}
    seen, late = await asyncio.gather(looked_at(poller, list(account.rows)), poller.look("late"))
    assert late.status == "starting"
    with pytest.raises(NotFound):
        await poller.look("nobody's")
    assert account.asked["late"] == account.asked["nobody's"] == 1
    assert len(seen) == 300


async def test_pages_that_have_few_of_ours_are_not_worth_a_walk() -> None:
    ours = [f"ours-{number}" for number in range(MAX_SINGLE_POLLS + 1)]
    account = Account([*many(), *ours])
    poller = Poller(account, list_interval=0.05)
    await looked_at(poller, ours)
    account.asked.clear()
    await looked_at(poller, ours)
    assert account.asked == {"the list": 1} | dict.fromkeys(ours, 1)
    assert MIN_MATCHES_PER_PAGE > 1


async def test_with_the_end_of_most_the_rest_is_asked_for_one_by_one_again() -> None:
    account = Account(many())
    poller = await primed(account)
    account.rows |= dict.fromkeys(many()[MAX_SINGLE_POLLS:], "succeeded")
    await looked_at(poller, list(account.rows))
    account.asked.clear()
    await looked_at(poller, many(MAX_SINGLE_POLLS))
    assert account.asked == dict.fromkeys(many(MAX_SINGLE_POLLS), 1)


async def test_who_is_not_followed_any_more_does_not_count() -> None:
    account, moment = Account(many()), 0.0
    poller = Poller(account, clock=lambda: moment, list_interval=0.05)
    await looked_at(poller, list(account.rows))
    account.asked.clear()
    moment = TRACKED_SECONDS + 1
    await looked_at(poller, ["p0"])
    assert account.asked == {"p0": 1}


async def test_where_the_list_cannot_be_had_each_is_asked_for_by_itself() -> None:
    account = Account(many(200))
    poller = await primed(account)
    account.refusal = Failure("provider_error", "Replicate had an internal error.", passing=True)
    await looked_at(poller, list(account.rows))
    assert account.asked == {"the list": 1} | dict.fromkeys(account.rows, 1)


async def test_who_is_throttled_is_told_and_nobody_asks_more() -> None:
    account = Account(many(200))
    poller = await primed(account)
    account.refusal = Throttled("rate_limited", "Too many requests.", passing=True, retry_after=7.0)
    told = await asyncio.gather(*map(poller.look, account.rows), return_exceptions=True)
    assert {isinstance(each, Throttled) and each.retry_after for each in told} == {7.0}
    assert account.asked == {"the list": 1}


async def test_who_gives_up_waiting_takes_nothing_from_others() -> None:
    account = Account(many(200))
    poller = await primed(account)
    looks = [asyncio.create_task(poller.look(prediction_id)) for prediction_id in account.rows]
    await asyncio.sleep(0)
    looks[0].cancel()
    seen = await asyncio.gather(*looks, return_exceptions=True)
    assert isinstance(seen[0], asyncio.CancelledError)
    assert all(isinstance(each, Prediction) for each in seen[1:])
    assert account.asked == {"the list": 2}


async def test_replicates_own_list_is_read_to_its_second_page(faults: Faults) -> None:
    await faults.script({"on": "create", "do": "run", "seconds": 60, "times": 0})
    replicate = Replicate()
    made = [
        await replicate.create("black-forest-labs/flux-schnell", {"prompt": "p"}, 60)
        for _ in range(MAX_SINGLE_POLLS + 20)
    ]
    poller, ids = Poller(replicate, list_interval=0.05), [prediction.id for prediction in made]
    await looked_at(poller, ids)
    seen = await looked_at(poller, ids)
    assert [prediction.id for prediction in seen] == ids
    assert {prediction.status for prediction in seen} <= {"starting", "processing"}
    await replicate.aclose()

"""How much runs and waits."""

from tasks.jobs import lifecycle, tally
from tasks.jobs.tally import Tally
from tests.tasks.states import LEASE, PASSING, submitted


async def test_the_tally_counts_what_runs_and_all_that_waits() -> None:
    assert not await tally.current()
    [await submitted() for _ in range(3)]
    assert await lifecycle.claim(LEASE) is not None
    tally.forget()
    assert await tally.current() == Tally(running=1, waiting=2)


async def test_the_jobs_are_listed_in_the_order_in_which_they_run_those_that_try_again_later_last() -> None:
    first, again, second, third = [await submitted() for _ in range(4)]
    claimed = [await lifecycle.claim(LEASE), await lifecycle.claim(LEASE)]
    assert claimed[1] is not None
    await lifecycle.postpone(claimed[1], PASSING, 60)
    await lifecycle.move_to_front(third.id)
    assert await tally.listed() == ([first.id], [third.id, second.id, again.id])

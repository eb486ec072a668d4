"""The order of waiting jobs: priority, then a fair share for every client, then age; and the places that are shown."""

import re

import pytest
from piccolo.querystring import QueryString

from tasks.db import ids
from tasks.db.database import DB, now
from tasks.db.tables import Job, Priority
from tasks.jobs import attempts, lifecycle, queue
from tests.tasks.states import LEASE, PASSING, nothing, passes, row, submitted


async def next_client() -> str:
    """Return the client whose job runs next. The job is completed immediately."""
    job = await lifecycle.claim(LEASE)
    assert job is not None
    assert await lifecycle.complete(job, []) is not None
    return job.client


async def next_clients(count: int) -> str:
    return "".join([await next_client() for _ in range(count)])


async def a_crowd(client: str, count: int, first_turn: int = 1) -> None:
    """Insert jobs of one client, as if it had submitted them one after the other."""
    moment = now()
    rows = [
        Job(
            id=ids.new(), prompt="p", model="m/m", client=client, turn=first_turn + number,
            created_at=moment, changed_at=moment, due_at=moment,
        )
        for number in range(count)
    ]  # fmt: skip
    for start in range(0, count, 100):
        await Job.insert(*rows[start : start + 100])


async def many(client: str, count: int, priority: Priority = Priority.NORMAL) -> list[Job]:
    return [await submitted(client, priority=priority) for _ in range(count)]


@pytest.mark.skipif(DB.engine_type != "postgres", reason="SQLite has no statistics of its own accord")
async def test_the_last_turn_of_a_client_is_looked_up_although_the_statistics_are_of_a_short_queue() -> None:
    await a_crowd("c", 1)
    await Job.raw("ANALYZE job")
    await Job.raw(
        "INSERT INTO job (id, prompt, model, client, turn, created_at, changed_at, due_at, deadline_at) SELECT"
        " gen_random_uuid(), 'p', 'm/m', 'a client', n, now(), now(), now(), now() FROM generate_series(2, 5000) n"
    )
    text, _ = QueryString("SELECT {}", queue.next_turn("another", Priority.NORMAL)).compile_string("postgres")
    async with DB.transaction():
        await Job.raw("SET LOCAL plan_cache_mode = force_generic_plan")  # as for a statement that is used often
        await DB.run_ddl(f"PREPARE next_turn (int, float, int, text) AS {text}")
        plan = await Job.raw("EXPLAIN EXECUTE next_turn (2, 0, 2, 'another')")
        await DB.run_ddl("DEALLOCATE next_turn")
    used = re.findall(r"using (\w+)", str(plan))
    assert used == ["job_waiting", "job_client"]


# Priority, share, age.


async def test_priority_goes_before_share_and_share_before_age() -> None:
    await many("l", 1, Priority.LOW)
    await many("a", 2)
    await many("b", 2)
    await many("h", 2, Priority.HIGH)
    assert await next_clients(7) == "hhababl"


async def test_jobs_of_one_client_run_in_the_order_they_came() -> None:
    submitted_ids = [job.id for job in await many("a", 5)]
    claims = [await lifecycle.claim(LEASE) for _ in range(5)]
    assert [job and job.id for job in claims] == submitted_ids


async def test_three_clients_take_turns_however_many_jobs_they_have() -> None:
    await many("a", 6)
    await many("b", 3)
    await many("c", 2)
    assert await next_clients(11) == "abcabcabaaa"


async def test_a_client_with_a_thousand_jobs_does_not_hold_up_one_with_a_single_job() -> None:
    await a_crowd("a", 1000)
    await many("b", 1)
    assert "b" in await next_clients(2)


async def test_a_single_job_is_next_but_one_at_most_also_in_the_middle_of_a_long_run() -> None:
    await a_crowd("a", 1000, first_turn=500)
    await many("b", 1)
    assert "b" in await next_clients(2)


async def test_a_newcomer_starts_at_the_present_turn_and_does_not_starve_the_others() -> None:
    await a_crowd("a", 20, first_turn=500)
    await many("b", 20)
    assert await next_clients(10) == "ababababab"


async def test_one_who_always_has_a_single_job_waiting_gets_every_second_turn_at_most() -> None:
    await many("a", 10)
    order = ""
    for _ in range(10):
        await submitted("b")
        order += await next_clients(2)
    assert order.count("a") == 10


async def test_the_share_is_reckoned_within_a_priority() -> None:
    await many("a", 5, Priority.HIGH)
    await many("a", 2)
    await many("b", 2)
    assert await next_clients(9) == "aaaaaabab"


async def test_a_retried_job_takes_its_clients_next_turn() -> None:
    [old] = await many("a", 1)
    await lifecycle.cancel(old.id)
    await many("a", 2)
    await many("b", 4)
    again = await lifecycle.retry(old.id)
    assert again is not None
    assert await next_clients(6) == "ababab"


async def test_jobs_that_are_canceled_leave_no_trace_in_the_order() -> None:
    for job in await many("a", 20):
        await lifecycle.cancel(job.id)
    await many("b", 3)
    await many("a", 1)
    assert await next_clients(4) == "babb"


async def test_a_job_that_comes_back_from_a_backoff_does_not_turn_the_clock_back_for_newcomers() -> None:
    await many("a", 10)
    await many("b", 10)
    tried = await lifecycle.claim(LEASE)
    assert tried is not None
    await lifecycle.postpone(tried, PASSING, 60.0)
    await next_clients(11)
    await passes(tried.id, Job.due_at)  # its turn is the first; the others are far beyond it
    await many("c", 4)
    assert (await next_clients(7)).count("c") <= 3


@pytest.mark.parametrize("back", ["postponed", "put back", "going on later", "left", "given back"])
async def test_a_job_that_comes_back_goes_first_in_its_priority(back: str) -> None:
    await many("a", 20)
    await next_clients(19)
    last = await lifecycle.claim(LEASE)
    assert last is not None
    await many("b", 20)  # no job waits, so these begin at the first turn
    await many("h", 1, Priority.HIGH)
    if back == "postponed":
        await lifecycle.postpone(last, PASSING, 0.0)
    elif back == "put back":
        await lifecycle.unclaim(last, PASSING)
    elif back == "going on later":
        await lifecycle.resume_later(last, PASSING, 0.0)
    elif back == "left":
        await passes(last.id, Job.lease_until)
        await lifecycle.requeue()
    else:
        await lifecycle.release([last.lease_token])
    assert await next_clients(4) == "habb"


async def test_a_newcomer_stands_behind_a_job_that_came_back_also_where_nobody_else_waits() -> None:
    await many("b", 1)
    tried = await lifecycle.claim(LEASE)
    assert tried is not None
    await lifecycle.unclaim(tried, PASSING)
    [newcomer] = await many("a", 1)
    assert (newcomer.turn, (await row(tried)).turn) == (1, 0)
    assert await next_clients(2) == "ba"


@pytest.mark.parametrize("back", ["postponed", "going on with its prediction later"])
async def test_a_client_whose_job_waits_for_another_try_is_not_set_back(back: str) -> None:
    await many("a", 20)
    await next_clients(19)
    last = await lifecycle.claim(LEASE)
    assert last is not None
    await attempts.begin(last, "m/m:1", {})
    if back == "postponed":
        await lifecycle.postpone(last, PASSING, 60.0)
    else:
        await lifecycle.resume_later(last, PASSING, 60.0)
    await many("b", 20)
    await many("a", 1)
    assert "a" in await next_clients(2)


# Places.


async def place(job: Job) -> int | None:
    return (await queue.places([job])).get(job.id)


async def test_places_are_told_in_the_order_in_which_jobs_will_run() -> None:
    waiting = [*await many("a", 3), *await many("b", 2), *await many("h", 1, Priority.HIGH)]
    told = await queue.places(waiting)
    places = [told[job.id] for job in waiting]
    assert places == [2, 4, 6, 3, 5, 1]
    assert await queue.front() == {job.id: place for job, place in zip(waiting, places, strict=True)}
    ran = [await lifecycle.claim(LEASE) for _ in waiting]
    by_place = sorted(zip(places, [job.id for job in waiting], strict=True), key=lambda pair: pair[0])
    assert [job and job.id for job in ran] == [job_id for _, job_id in by_place]


async def test_only_jobs_that_wait_for_their_turn_have_a_place() -> None:
    job = await submitted()
    running = await lifecycle.claim(LEASE)
    assert running is not None
    assert nothing(await place(running))
    await attempts.begin(running, "m/m:1", {})
    resuming = await lifecycle.resume_later(running, PASSING, 0.0)
    assert resuming is not None
    assert nothing(await place(resuming))
    again = await lifecycle.take_over(LEASE)
    assert again is not None
    await lifecycle.complete(again, [])
    assert nothing(await place(await row(job)))
    assert await queue.front() == {}


async def test_a_job_in_its_backoff_is_in_nobodys_way() -> None:
    first = await submitted()
    tried = await lifecycle.claim(LEASE)
    assert tried is not None
    await lifecycle.postpone(tried, PASSING, 60.0)
    second = await submitted()
    assert await place(second) == 1
    assert list(await queue.front()) == [second.id]
    assert first.id not in await queue.front()


async def test_a_place_is_told_up_to_the_thousandth() -> None:
    await a_crowd("a", queue.PLACES_COUNTED - 1)
    thousandth, next_one = await many("a", 2)
    assert await place(thousandth) == queue.PLACES_COUNTED == 1000
    assert nothing(await place(next_one))
    await next_client()
    assert await place(next_one) == 1000


async def test_the_front_is_as_long_as_is_shown() -> None:
    await a_crowd("a", queue.PLACES_SHOWN + 5)
    front = await queue.front()
    assert sorted(front.values()) == list(range(1, queue.PLACES_SHOWN + 1))


# To the front.


async def test_a_job_that_is_moved_to_the_front_runs_first_although_others_have_a_higher_priority() -> None:
    await many("a", 2)
    [low] = await many("l", 1, Priority.LOW)
    await many("h", 1, Priority.HIGH)
    moved = await lifecycle.move_to_front(low.id)
    assert moved is not None
    assert moved.priority == Priority.HIGH
    assert await queue.places([moved]) == {low.id: 1}
    assert await next_clients(4) == "lhaa"


async def test_of_two_that_are_moved_to_the_front_the_last_moved_runs_first_and_new_jobs_take_turns() -> None:
    await many("a", 3)
    b, c = [*await many("b", 1), *await many("c", 1)]
    await lifecycle.move_to_front(b.id)
    await lifecycle.move_to_front(c.id)
    await lifecycle.move_to_front(c.id)
    await many("c", 1)
    assert await next_clients(6) == "cbacaa"


async def test_only_a_job_that_waits_for_its_turn_is_moved_to_the_front() -> None:
    running = await submitted()
    assert await lifecycle.claim(LEASE) is not None
    retried = await submitted()
    claimed = await lifecycle.claim(LEASE)
    assert claimed is not None
    await lifecycle.postpone(claimed, PASSING, 60)
    canceled = await submitted()
    await lifecycle.cancel(canceled.id)
    for job in (running, retried, canceled):
        before = await row(job)
        assert await lifecycle.move_to_front(job.id) is None
        after = await row(job)
        assert (after.status, after.turn, after.changed_at) == (before.status, before.turn, before.changed_at)

"""The rate limit that all workers share: fair to Replicate, quick to obey it, and effective without Redis, too."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from pathlib import Path

import msgspec
import pytest

from tasks.messaging import events
from tasks.replicate.rate_limit import BUCKET_KEY, Bucket, RateLimit
from tasks.settings import settings
from tasks.standin.budget import Budget

pytestmark = pytest.mark.once

ANSWERED_IN = 0.5  # seconds


class Limit(RateLimit):
    """A limit of 600 per minute. Redis's clock, as it sees it, stands still until a test moves it.

    This process's own clock shows another time, and runs at the same speed. reads: how often Redis was asked.
    """

    now, reads = 1_800_000_000.0, 0

    def __init__(self) -> None:
        super().__init__(600, clock=lambda: self.now - 1_700_000_000)

    async def _read(self) -> tuple[float, bytes]:
        self.reads += 1
        return self.now, (await super()._read())[1]


@pytest.fixture
async def limit() -> Limit:
    """Return a limit with a new bucket."""
    await events.redis().delete(BUCKET_KEY)
    return Limit()


@pytest.fixture
def take_redis_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """Return a function that takes Redis away."""
    return lambda: point_at(tmp_path / "nobody.sock", monkeypatch)


def point_at(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process look for Redis at this socket."""
    monkeypatch.setattr(events, "_clients", {})
    monkeypatch.setattr(events, "settings", settings.model_copy(update={"redis_url": f"unix://{socket}"}))


async def fill(limit: Limit) -> None:
    """Let ten rights accumulate, as many as a full bucket holds at 600 per minute."""
    await limit.take()
    limit.now += 2


async def at_once(limit: Limit) -> int:
    """Take all available rights. Returns how many there were."""
    taken = 0
    while await limit.take() == 0:
        taken += 1
    return taken


async def within(seconds: float, limit: Limit) -> int:
    """Take all rights that become available within `seconds`. Returns how many there were."""
    taken, end = 0, limit.now + seconds
    while True:
        wait = await limit.take()
        if wait == 0:
            taken += 1
        elif limit.now + wait > end:
            limit.now = end
            return taken
        limit.now += wait


async def test_rights_come_in_evenly_and_a_seconds_worth_may_wait(limit: Limit) -> None:
    assert await limit.take() == 0
    assert await limit.take() == pytest.approx(0.1)
    limit.now += 0.1
    assert await at_once(limit) == 1
    limit.now += 0.5
    assert await at_once(limit) == 5
    limit.now += 60
    assert await at_once(limit) == 10
    assert await within(60, limit) == 600


async def test_whoever_waits_as_long_as_told_gets_a_right(limit: Limit) -> None:
    for _ in range(50):
        await at_once(limit)
        limit.now += await limit.take()
        assert await limit.take() == 0


async def test_the_setting_says_how_many_come_in_a_minute(limit: Limit) -> None:
    limit.per_minute = 30
    assert await within(60, limit) == 31  # one at the start, one after the last two seconds
    limit.now += 60
    assert await at_once(limit) == 1


async def test_nobody_is_told_to_come_back_within_a_twentieth_of_a_second(limit: Limit) -> None:
    limit.per_minute = 60_000
    await at_once(limit)
    assert await limit.take() == 0.05


async def test_processes_that_ask_at_once_get_together_what_one_would_get(limit: Limit) -> None:
    async def ask(process: Limit) -> list[float]:
        return await asyncio.gather(*(process.take() for _ in range(20)))

    async def ask_and_leave(process: Limit) -> list[float]:
        answers = await ask(process)
        await events.close()
        return answers

    await fill(limit)
    other = Limit()
    other.now = limit.now
    here, there = await asyncio.gather(ask(limit), asyncio.to_thread(lambda: asyncio.run(ask_and_leave(other))))
    assert (here + there).count(0) == 10


async def test_the_time_is_redis_own() -> None:
    await events.redis().delete(BUCKET_KEY)
    await RateLimit().take()
    seconds, _ = await events.redis().time()
    assert (await kept()).at == pytest.approx(seconds, abs=10)


async def test_a_right_that_is_given_back_can_be_taken(limit: Limit) -> None:
    await at_once(limit)
    await limit.give_back()
    assert await at_once(limit) == 1


async def test_rights_given_back_do_not_make_more_than_a_full_bucket(limit: Limit) -> None:
    await fill(limit)
    await limit.give_back()
    assert await at_once(limit) == 10


async def test_after_a_429_nothing_is_given_for_as_long_as_it_says_and_then_half(limit: Limit) -> None:
    await fill(limit)
    await limit.slow_down(7)
    assert await limit.take() == pytest.approx(7)
    limit.now += 6.9
    assert await limit.take() == pytest.approx(0.1)
    limit.now += 0.1
    assert await at_once(limit) == 1
    assert await limit.take() == pytest.approx(1), "what becomes of the first one is seen before there are more"
    limit.now += 1
    assert await at_once(limit) == 1
    assert await within(10, limit) == 50


@pytest.mark.parametrize(("said", "seconds"), [(None, 5), (0.0, 0.2), (-3.0, 0.2), (1e9, 3600)])
async def test_a_429_that_says_nothing_of_use_is_obeyed_within_reason(
    said: float | None, seconds: float, limit: Limit
) -> None:
    await limit.slow_down(said)
    assert await limit.take() == pytest.approx(seconds)


async def test_the_rate_becomes_what_a_429_names(limit: Limit) -> None:
    await fill(limit)
    await limit.slow_down(5, 6, 1)
    assert await limit.take() == pytest.approx(10)  # six a minute, since the last one was refused
    limit.now += 10
    assert await within(49, limit) == 5
    await limit.slow_down(1, 120, 3)
    limit.now += 30
    assert await at_once(limit) == 3
    assert await limit.take() == pytest.approx(0.5)


async def test_a_429_never_makes_the_rate_more_than_the_full_one(limit: Limit) -> None:
    await limit.slow_down(1, 6000, 500)
    limit.now += 60
    assert await at_once(limit) == 10
    assert await within(10, limit) == 100


@pytest.mark.parametrize("retry_after", [0.0, 4.0])
async def test_429s_of_requests_in_flight_together_lower_the_rate_once(retry_after: float, limit: Limit) -> None:
    await fill(limit)
    await at_once(limit)
    await asyncio.gather(*(limit.slow_down(retry_after) for _ in range(5)))
    limit.now += retry_after + 0.3
    assert await limit.take() == 0
    await asyncio.gather(*(limit.slow_down(retry_after) for _ in range(5)))
    assert (await kept()).rate == 300


async def test_a_429_after_something_was_accepted_lowers_the_rate_again(limit: Limit) -> None:
    rates = []
    for _ in range(3):
        await within(3, limit)
        await limit.slow_down(0)
        rates.append((await kept()).rate)
    assert rates == [300, 150, 75]


async def test_a_run_of_429s_is_waited_out_as_long_as_each_says_and_lowers_the_rate_once(limit: Limit) -> None:
    await fill(limit)
    for _ in range(8):
        assert await limit.take() == 0
        await limit.slow_down(1)
        assert await limit.take() == pytest.approx(1)
        limit.now += 1
    assert (await kept()).rate >= 300
    limit.now += 5 * 60
    await within(10, limit)
    assert await within(60, limit) == 600


async def test_a_run_of_429s_that_take_their_time_lowers_the_rate_once(limit: Limit) -> None:
    """Each is answered after half a second, which is enough to send several more."""
    await within(10, limit)
    refused = await run_through_an_outage(limit, seconds=20)
    assert (await kept()).rate >= 300
    assert refused <= 5 + 20, "those in flight at first, then one for each second that was asked for"


async def run_through_an_outage(limit: Limit, seconds: float) -> int:
    """Create predictions while each is answered with a 429 that asks for a second. Returns how many were refused."""
    back, refused = limit.now + seconds, 0
    answers: list[float] = []
    while limit.now < back or answers:
        wait = await limit.take()
        if wait == 0:
            if limit.now < back:
                heappush(answers, limit.now + ANSWERED_IN)
        elif answers and answers[0] <= limit.now + wait:
            limit.now = heappop(answers)
            await limit.slow_down(1)
            refused += 1
        else:
            limit.now += wait
    return refused


async def test_a_right_that_was_given_back_was_accepted_by_nobody(limit: Limit) -> None:
    await limit.take()
    await limit.slow_down(1)
    for _ in range(3):
        limit.now += 2
        assert await limit.take() == 0
        await limit.give_back()
        limit.now += 1
        assert await limit.take() == 0
        await limit.slow_down(1)
    assert (await kept()).rate == 300


async def test_where_nothing_is_said_each_further_pause_is_twice_as_long_up_to_a_minute(limit: Limit) -> None:
    pauses = []
    for _ in range(7):
        await limit.take()
        await limit.slow_down(None)
        pauses.append(round(await limit.take()))
        limit.now += pauses[-1]
    assert pauses == [5, 10, 20, 40, 60, 60, 60]
    await within(10, limit)
    await limit.slow_down(None)
    assert await limit.take() == pytest.approx(5), "something was accepted in between"


async def test_of_429s_in_flight_together_the_longest_wait_counts(limit: Limit) -> None:
    await limit.slow_down(2)
    await limit.slow_down(9)
    await limit.slow_down(4)
    assert await limit.take() == pytest.approx(9)


async def test_without_a_named_rate_it_is_never_less_than_six_a_minute(limit: Limit) -> None:
    for _ in range(12):
        await within(60, limit)
        await limit.slow_down(1)
    assert (await kept()).rate == 6


async def test_without_a_named_rate_one_that_was_named_before_is_not_raised(limit: Limit) -> None:
    await limit.slow_down(0, 4, 1)
    await within(60, limit)
    await limit.slow_down(0)
    assert (await kept()).rate == 4


async def test_the_rate_recovers_by_a_half_a_minute_after_a_quiet_one(limit: Limit) -> None:
    limit.per_minute = 120
    await limit.slow_down(0, 60, 1)
    minutes = [await within(60, limit) for _ in range(4)]
    assert minutes[0] == pytest.approx(60, abs=1)
    assert minutes == sorted(minutes)
    assert 60 < minutes[1] <= 90 < minutes[2] < 120
    assert minutes[3] == 120
    limit.now += 60
    assert await at_once(limit) == 2  # the named burst is forgotten, too


async def test_each_further_lowering_makes_the_recovery_begin_later(limit: Limit) -> None:
    quiet = []
    for _ in range(4):
        await within(3, limit)
        await limit.slow_down(1, 60, 1)
        start = limit.now
        while (await kept()).rate == 60:
            limit.now += 20
            await limit.take()
        quiet.append(round((limit.now - start) / 60))
    assert quiet == [1, 2, 4, 4]


async def test_where_nothing_remains_nothing_is_given_until_the_reset(limit: Limit) -> None:
    await fill(limit)
    await limit.heed(0, 4)
    assert await limit.take() == pytest.approx(4)
    limit.now += 4
    assert await within(1, limit) == 20  # the full bucket, and what came in since: a reset is not a refusal


async def test_a_reset_is_waited_for_a_minute_at_most(limit: Limit) -> None:
    await limit.heed(0, 86_400)
    assert await limit.take() == pytest.approx(60)


async def test_a_reset_does_not_slow_down_what_is_slow_already(limit: Limit) -> None:
    await limit.slow_down(0, 6, 1)
    limit.now += 10
    for _ in range(4):
        assert await limit.take() == 0
        await limit.heed(0, 10)
        limit.now += 10


async def test_while_something_remains_redis_is_not_asked(limit: Limit) -> None:
    await limit.heed(1, 60)
    assert limit.reads == 0
    await limit.heed(0, 60)
    assert limit.reads == 1


async def test_an_emptied_redis_only_starts_a_new_bucket(limit: Limit) -> None:
    await limit.slow_down(600)
    await events.redis().flushall()
    assert await at_once(limit) == 1
    assert await within(10, limit) == 100


async def test_the_bucket_is_forgotten_after_an_hour_without_use(limit: Limit) -> None:
    await limit.take()
    assert 3590 < await events.redis().ttl(BUCKET_KEY) <= 3600


async def test_without_redis_each_process_limits_itself(limit: Limit, take_redis_away: Callable[[], None]) -> None:
    take_redis_away()
    assert await at_once(limit) == 1
    assert await within(10, limit) == 100
    await limit.slow_down(5, 6, 1)
    assert await limit.take() == pytest.approx(10)
    limit.now += 10
    assert await limit.take() == 0
    await limit.give_back()
    await limit.heed(0, 3)
    assert await limit.take() == pytest.approx(3)


async def test_without_redis_what_was_last_known_goes_on_to_hold(
    limit: Limit, take_redis_away: Callable[[], None]
) -> None:
    await limit.slow_down(30, 12, 1)
    limit.now += 10
    take_redis_away()
    assert await limit.take() == pytest.approx(20)
    limit.now += 20
    assert await within(60, limit) == 13


async def test_a_redis_that_hangs_holds_up_all_together_as_long_as_one(
    limit: Limit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def read_and_say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(events, "TIMEOUT", 0.1)
    point_at(tmp_path / "mute.sock", monkeypatch)
    async with await asyncio.start_unix_server(read_and_say_nothing, tmp_path / "mute.sock"):
        async with asyncio.timeout(3):
            answers = await asyncio.gather(*(limit.take() for _ in range(60)))
        await events.close()
    assert answers.count(0) == 1


async def test_a_bucket_of_another_shape_stops_nobody(limit: Limit) -> None:
    await events.redis().set(BUCKET_KEY, '{"level": "full"}')
    assert await at_once(limit) == 1


class EarlierBucket(msgspec.Struct):
    """A bucket of a process that started before rights were counted."""

    at: float
    rate: float
    tokens: float = 1.0
    burst: int | None = None
    lowerings: int = 0
    lowered_until: float = 0.0


async def test_an_earlier_process_and_this_one_read_each_others_bucket(limit: Limit) -> None:
    earlier = EarlierBucket(limit.now, 300, 1.0, None, 1, limit.now)
    await events.redis().set(BUCKET_KEY, msgspec.json.encode(earlier))
    assert await limit.take() == 0
    assert (await kept()).rate == 300
    read = msgspec.json.decode(await events.redis().get(BUCKET_KEY) or b"", type=EarlierBucket)
    assert (read.rate, read.lowerings) == (300, 1)


@pytest.mark.parametrize(
    ("per_minute", "burst", "headers", "words", "most"),
    [
        (60, None, True, False, 12),
        (60, None, False, False, 12),
        (60, 1, False, False, 16),  # no headers and no burst: one refusal for each time that the rate recovered
        (60, 10, True, True, 12),
        (6, 1, True, True, 12),
    ],
)
async def test_a_thousand_jobs_at_once_meet_only_a_handful_of_429s(
    per_minute: int, burst: int | None, headers: bool, words: bool, most: int, limit: Limit
) -> None:
    budget = Budget(per_minute, burst)
    start = limit.now
    refused = await run_thousand(budget, headers, words, limit)
    minutes = (limit.now - start) / 60
    assert refused <= most
    assert minutes < 2 * 1000 / per_minute


async def run_thousand(budget: Budget, headers: bool, words: bool, limit: Limit) -> int:
    """Create 1,000 predictions within a budget. Returns how many requests were refused."""
    waiting, refused = 1000, 0
    answers: list[tuple[float, int, int, float]] = []  # time of arrival, seconds to wait, and both headers
    while waiting or answers:
        wait = await limit.take() if waiting else 3600.0
        if wait == 0:
            seconds = budget.take(round(limit.now * 10**9))
            told = budget.headers()
            remaining, reset = int(told["ratelimit-remaining"]), float(told["ratelimit-reset"])
            heappush(answers, (limit.now + ANSWERED_IN, seconds, remaining, reset))
            waiting -= 1
            continue
        if answers and answers[0][0] <= limit.now + wait:
            limit.now, seconds, remaining, reset = heappop(answers)
            if headers:
                await limit.heed(remaining, reset)
            if seconds:
                refused += 1
                waiting += 1
                await limit.slow_down(seconds, *((budget.per_minute, budget.burst) if words else ()))
        else:
            limit.now += wait
    return refused


async def kept() -> Bucket:
    return msgspec.json.decode(await events.redis().get(BUCKET_KEY) or b"", type=Bucket)

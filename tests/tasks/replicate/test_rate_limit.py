"""The rate limit that all workers share: fair to Replicate, quick to obey it, and effective without Redis, too."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from pathlib import Path

import msgspec
import pytest

from tasks.messaging import events
from tasks.replicate import rate_limit
from tasks.replicate.rate_limit import BUCKET_KEY, Bucket
from tasks.settings import settings
from tasks.standin.budget import Budget

pytestmark = pytest.mark.once

ANSWERED_IN = 0.5  # seconds


class Clock:
    """Redis's clock as limits.py sees it. It stands still until a test moves it."""

    now = 1_800_000_000.0


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return a clock for a new bucket of 600 per minute.

    This process's own clock shows another time, and runs at the same speed.
    """
    configure(monkeypatch, 600)
    clock, read = Clock(), rate_limit._read

    async def read_at_that_time() -> tuple[float, bytes]:
        return clock.now, (await read())[1]

    monkeypatch.setattr(rate_limit, "_read", read_at_that_time)
    monkeypatch.setattr(rate_limit, "monotonic", lambda: clock.now - 1_700_000_000)
    monkeypatch.setattr(rate_limit, "_own", None)
    monkeypatch.setattr(rate_limit, "_ahead", 0.0)
    await events.redis().delete(BUCKET_KEY)
    return clock


@pytest.fixture
def take_redis_away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[], None]:
    """Return a function that takes Redis away."""
    return lambda: point_at(tmp_path / "nobody.sock", monkeypatch)


def configure(monkeypatch: pytest.MonkeyPatch, creates_per_minute: int) -> None:
    monkeypatch.setattr(rate_limit, "settings", settings.model_copy(update={"creates_per_minute": creates_per_minute}))


def point_at(socket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this process look for Redis at this socket."""
    monkeypatch.setattr(events, "_clients", {})
    monkeypatch.setattr(events, "settings", settings.model_copy(update={"redis_url": f"unix://{socket}"}))


async def fill(clock: Clock) -> None:
    """Let ten rights accumulate, as many as a full bucket holds at 600 per minute."""
    await rate_limit.take()
    clock.now += 2


async def at_once() -> int:
    """Take all available rights. Returns how many there were."""
    taken = 0
    while await rate_limit.take() == 0:
        taken += 1
    return taken


async def within(seconds: float, clock: Clock) -> int:
    """Take all rights that become available within `seconds`. Returns how many there were."""
    taken, end = 0, clock.now + seconds
    while True:
        wait = await rate_limit.take()
        if wait == 0:
            taken += 1
        elif clock.now + wait > end:
            clock.now = end
            return taken
        clock.now += wait


async def test_rights_come_in_evenly_and_a_seconds_worth_may_wait(clock: Clock) -> None:
    assert await rate_limit.take() == 0
    assert await rate_limit.take() == pytest.approx(0.1)
    clock.now += 0.1
    assert await at_once() == 1
    clock.now += 0.5
    assert await at_once() == 5
    clock.now += 60
    assert await at_once() == 10
    assert await within(60, clock) == 600


async def test_whoever_waits_as_long_as_told_gets_a_right(clock: Clock) -> None:
    for _ in range(50):
        await at_once()
        clock.now += await rate_limit.take()
        assert await rate_limit.take() == 0


async def test_the_setting_says_how_many_come_in_a_minute(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, 30)
    assert await within(60, clock) == 31  # one at the start, one after the last two seconds
    clock.now += 60
    assert await at_once() == 1


async def test_nobody_is_told_to_come_back_within_a_twentieth_of_a_second(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, 60_000)
    await at_once()
    assert await rate_limit.take() == 0.05


async def test_processes_that_ask_at_once_get_together_what_one_would_get(clock: Clock) -> None:
    async def ask() -> list[float]:
        return await asyncio.gather(*(rate_limit.take() for _ in range(20)))

    async def ask_and_leave() -> list[float]:
        answers = await ask()
        await events.close()
        return answers

    await fill(clock)
    here, there = await asyncio.gather(ask(), asyncio.to_thread(lambda: asyncio.run(ask_and_leave())))
    assert (here + there).count(0) == 10


async def test_the_time_is_redis_own() -> None:
    await events.redis().delete(BUCKET_KEY)
    await rate_limit.take()
    seconds, _ = await events.redis().time()
    assert (await kept()).at == pytest.approx(seconds, abs=10)


async def test_a_right_that_is_given_back_can_be_taken(clock: Clock) -> None:
    await at_once()
    await rate_limit.give_back()
    assert await at_once() == 1


async def test_rights_given_back_do_not_make_more_than_a_full_bucket(clock: Clock) -> None:
    await fill(clock)
    await rate_limit.give_back()
    assert await at_once() == 10


async def test_after_a_429_nothing_is_given_for_as_long_as_it_says_and_then_half(clock: Clock) -> None:
    await fill(clock)
    await rate_limit.slow_down(7)
    assert await rate_limit.take() == pytest.approx(7)
    clock.now += 6.9
    assert await rate_limit.take() == pytest.approx(0.1)
    clock.now += 0.1
    assert await at_once() == 1
    assert await rate_limit.take() == pytest.approx(1), "what becomes of the first one is seen before there are more"
    clock.now += 1
    assert await at_once() == 1
    assert await within(10, clock) == 50


@pytest.mark.parametrize(("said", "seconds"), [(None, 5), (0.0, 0.2), (-3.0, 0.2), (1e9, 3600)])
async def test_a_429_that_says_nothing_of_use_is_obeyed_within_reason(
    said: float | None, seconds: float, clock: Clock
) -> None:
    await rate_limit.slow_down(said)
    assert await rate_limit.take() == pytest.approx(seconds)


async def test_the_rate_becomes_what_a_429_names(clock: Clock) -> None:
    await fill(clock)
    await rate_limit.slow_down(5, 6, 1)
    assert await rate_limit.take() == pytest.approx(10)  # six a minute, since the last one was refused
    clock.now += 10
    assert await within(49, clock) == 5
    await rate_limit.slow_down(1, 120, 3)
    clock.now += 30
    assert await at_once() == 3
    assert await rate_limit.take() == pytest.approx(0.5)


async def test_a_429_never_makes_the_rate_more_than_the_full_one(clock: Clock) -> None:
    await rate_limit.slow_down(1, 6000, 500)
    clock.now += 60
    assert await at_once() == 10
    assert await within(10, clock) == 100


@pytest.mark.parametrize("retry_after", [0.0, 4.0])
async def test_429s_of_requests_in_flight_together_lower_the_rate_once(retry_after: float, clock: Clock) -> None:
    await fill(clock)
    await at_once()
    await asyncio.gather(*(rate_limit.slow_down(retry_after) for _ in range(5)))
    clock.now += retry_after + 0.3
    assert await rate_limit.take() == 0
    await asyncio.gather(*(rate_limit.slow_down(retry_after) for _ in range(5)))
    assert (await kept()).rate == 300


async def test_a_429_after_something_was_accepted_lowers_the_rate_again(clock: Clock) -> None:
    rates = []
    for _ in range(3):
        await within(3, clock)
        await rate_limit.slow_down(0)
        rates.append((await kept()).rate)
    assert rates == [300, 150, 75]


async def test_a_run_of_429s_is_waited_out_as_long_as_each_says_and_lowers_the_rate_once(clock: Clock) -> None:
    await fill(clock)
    for _ in range(8):
        assert await rate_limit.take() == 0
        await rate_limit.slow_down(1)
        assert await rate_limit.take() == pytest.approx(1)
        clock.now += 1
    assert (await kept()).rate >= 300
    clock.now += 5 * 60
    await within(10, clock)
    assert await within(60, clock) == 600


async def test_a_run_of_429s_that_take_their_time_lowers_the_rate_once(clock: Clock) -> None:
    """Each is answered after half a second, which is enough to send several more."""
    await within(10, clock)
    refused = await run_through_an_outage(clock, seconds=20)
    assert (await kept()).rate >= 300
    assert refused <= 5 + 20, "those in flight at first, then one for each second that was asked for"


async def run_through_an_outage(clock: Clock, seconds: float) -> int:
    """Create predictions while each is answered with a 429 that asks for a second. Returns how many were refused."""
    back, refused = clock.now + seconds, 0
    answers: list[float] = []
    while clock.now < back or answers:
        wait = await rate_limit.take()
        if wait == 0:
            if clock.now < back:
                heappush(answers, clock.now + ANSWERED_IN)
        elif answers and answers[0] <= clock.now + wait:
            clock.now = heappop(answers)
            await rate_limit.slow_down(1)
            refused += 1
        else:
            clock.now += wait
    return refused


async def test_a_right_that_was_given_back_was_accepted_by_nobody(clock: Clock) -> None:
    await rate_limit.take()
    await rate_limit.slow_down(1)
    for _ in range(3):
        clock.now += 2
        assert await rate_limit.take() == 0
        await rate_limit.give_back()
        clock.now += 1
        assert await rate_limit.take() == 0
        await rate_limit.slow_down(1)
    assert (await kept()).rate == 300


async def test_where_nothing_is_said_each_further_pause_is_twice_as_long_up_to_a_minute(clock: Clock) -> None:
    pauses = []
    for _ in range(7):
        await rate_limit.take()
        await rate_limit.slow_down(None)
        pauses.append(round(await rate_limit.take()))
        clock.now += pauses[-1]
    assert pauses == [5, 10, 20, 40, 60, 60, 60]
    await within(10, clock)
    await rate_limit.slow_down(None)
    assert await rate_limit.take() == pytest.approx(5), "something was accepted in between"


async def test_of_429s_in_flight_together_the_longest_wait_counts(clock: Clock) -> None:
    await rate_limit.slow_down(2)
    await rate_limit.slow_down(9)
    await rate_limit.slow_down(4)
    assert await rate_limit.take() == pytest.approx(9)


async def test_without_a_named_rate_it_is_never_less_than_six_a_minute(clock: Clock) -> None:
    for _ in range(12):
        await within(60, clock)
        await rate_limit.slow_down(1)
    assert (await kept()).rate == 6


async def test_without_a_named_rate_one_that_was_named_before_is_not_raised(clock: Clock) -> None:
    await rate_limit.slow_down(0, 4, 1)
    await within(60, clock)
    await rate_limit.slow_down(0)
    assert (await kept()).rate == 4


async def test_the_rate_recovers_by_a_half_a_minute_after_a_quiet_one(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, 120)
    await rate_limit.slow_down(0, 60, 1)
    minutes = [await within(60, clock) for _ in range(4)]
    assert minutes[0] == pytest.approx(60, abs=1)
    assert minutes == sorted(minutes)
    assert 60 < minutes[1] <= 90 < minutes[2] < 120
    assert minutes[3] == 120
    clock.now += 60
    assert await at_once() == 2  # the named burst is forgotten, too


async def test_each_further_lowering_makes_the_recovery_begin_later(clock: Clock) -> None:
    quiet = []
    for _ in range(4):
        await within(3, clock)
        await rate_limit.slow_down(1, 60, 1)
        start = clock.now
        while (await kept()).rate == 60:
            clock.now += 20
            await rate_limit.take()
        quiet.append(round((clock.now - start) / 60))
    assert quiet == [1, 2, 4, 4]


async def test_where_nothing_remains_nothing_is_given_until_the_reset(clock: Clock) -> None:
    await fill(clock)
    await rate_limit.heed(0, 4)
    assert await rate_limit.take() == pytest.approx(4)
    clock.now += 4
    assert await within(1, clock) == 20  # the full bucket, and what came in since: a reset is not a refusal


async def test_a_reset_is_waited_for_a_minute_at_most(clock: Clock) -> None:
    await rate_limit.heed(0, 86_400)
    assert await rate_limit.take() == pytest.approx(60)


async def test_a_reset_does_not_slow_down_what_is_slow_already(clock: Clock) -> None:
    await rate_limit.slow_down(0, 6, 1)
    clock.now += 10
    for _ in range(4):
        assert await rate_limit.take() == 0
        await rate_limit.heed(0, 10)
        clock.now += 10


async def test_while_something_remains_redis_is_not_asked(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, read = [], rate_limit._read

    async def counted() -> tuple[float, bytes]:
        asked.append(clock.now)
        return await read()

    monkeypatch.setattr(rate_limit, "_read", counted)
    await rate_limit.heed(1, 60)
    assert asked == []
    await rate_limit.heed(0, 60)
    assert len(asked) == 1


async def test_an_emptied_redis_only_starts_a_new_bucket(clock: Clock) -> None:
    await rate_limit.slow_down(600)
    await events.redis().flushall()
    assert await at_once() == 1
    assert await within(10, clock) == 100


async def test_the_bucket_is_forgotten_after_an_hour_without_use(clock: Clock) -> None:
    await rate_limit.take()
    assert 3590 < await events.redis().ttl(BUCKET_KEY) <= 3600


async def test_without_redis_each_process_limits_itself(clock: Clock, take_redis_away: Callable[[], None]) -> None:
    take_redis_away()
    assert await at_once() == 1
    assert await within(10, clock) == 100
    await rate_limit.slow_down(5, 6, 1)
    assert await rate_limit.take() == pytest.approx(10)
    clock.now += 10
    assert await rate_limit.take() == 0
    await rate_limit.give_back()
    await rate_limit.heed(0, 3)
    assert await rate_limit.take() == pytest.approx(3)


async def test_without_redis_what_was_last_known_goes_on_to_hold(
    clock: Clock, take_redis_away: Callable[[], None]
) -> None:
    await rate_limit.slow_down(30, 12, 1)
    clock.now += 10
    take_redis_away()
    assert await rate_limit.take() == pytest.approx(20)
    clock.now += 20
    assert await within(60, clock) == 13


async def test_a_redis_that_hangs_holds_up_all_together_as_long_as_one(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def read_and_say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(events, "TIMEOUT", 0.1)
    point_at(tmp_path / "mute.sock", monkeypatch)
    async with await asyncio.start_unix_server(read_and_say_nothing, tmp_path / "mute.sock"):
        async with asyncio.timeout(3):
            answers = await asyncio.gather(*(rate_limit.take() for _ in range(60)))
        await events.close()
    assert answers.count(0) == 1


async def test_a_bucket_of_another_shape_stops_nobody(clock: Clock) -> None:
    await events.redis().set(BUCKET_KEY, '{"level": "full"}')
    assert await at_once() == 1


class EarlierBucket(msgspec.Struct):
    """A bucket of a process that started before rights were counted."""

    at: float
    rate: float
    tokens: float = 1.0
    burst: int | None = None
    lowerings: int = 0
    lowered_until: float = 0.0


async def test_an_earlier_process_and_this_one_read_each_others_bucket(clock: Clock) -> None:
    earlier = EarlierBucket(clock.now, 300, 1.0, None, 1, clock.now)
    await events.redis().set(BUCKET_KEY, msgspec.json.encode(earlier))
    assert await rate_limit.take() == 0
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
    per_minute: int, burst: int | None, headers: bool, words: bool, most: int, clock: Clock
) -> None:
    budget = Budget(per_minute, burst)
    start = clock.now
    refused = await run_thousand(budget, headers, words, clock)
    minutes = (clock.now - start) / 60
    assert refused <= most
    assert minutes < 2 * 1000 / per_minute


async def run_thousand(budget: Budget, headers: bool, words: bool, clock: Clock) -> int:
    """Create 1,000 predictions within a budget. Returns how many requests were refused."""
    waiting, refused = 1000, 0
    answers: list[tuple[float, int, int, float]] = []  # time of arrival, seconds to wait, and both headers
    while waiting or answers:
        wait = await rate_limit.take() if waiting else 3600.0
        if wait == 0:
            seconds = budget.take(round(clock.now * 10**9))
            told = budget.headers()
            remaining, reset = int(told["ratelimit-remaining"]), float(told["ratelimit-reset"])
            heappush(answers, (clock.now + ANSWERED_IN, seconds, remaining, reset))
            waiting -= 1
            continue
        if answers and answers[0][0] <= clock.now + wait:
            clock.now, seconds, remaining, reset = heappop(answers)
            if headers:
                await rate_limit.heed(remaining, reset)
            if seconds:
                refused += 1
                waiting += 1
                await rate_limit.slow_down(seconds, *((budget.per_minute, budget.burst) if words else ()))
        else:
            clock.now += wait
    return refused


async def kept() -> Bucket:
    return msgspec.json.decode(await events.redis().get(BUCKET_KEY) or b"", type=Bucket)

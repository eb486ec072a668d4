"""The rate limit that all workers share: one token bucket in Redis for the right to create predictions.

Each verb reads the bucket, reckons, and writes it back if nobody else wrote meanwhile; the clock is Redis's own. While
Redis is away, each process goes on with the bucket as it last saw it.
"""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

import msgspec
from redis.exceptions import RedisError

from tasks import events
from tasks.rounds import Rounds
from tasks.settings import settings

log = logging.getLogger(__name__)

KEY = "darkroom:limit"
FORGOTTEN = 3600  # seconds without use after which the bucket starts anew; nothing is closed for longer
SOONEST = 0.05  # seconds; to ask again earlier is not worth it
PAUSE = 5.0  # seconds, where a 429 does not say how long to wait; they double with each further one
LONGEST_PAUSE = 60.0  # seconds
AT_ONCE = 100  # verbs in a round
ANSWERED = 1.0  # seconds until the answer to a create is there, almost always
LONGEST_RESET = 60.0  # seconds; Replicate counts by the minute
SLOWEST = 6.0  # a minute: what Replicate leaves to an account almost without credit (its docs, rate limits)
RECOVERY = 1.5  # a minute
QUIET = 60.0  # seconds without a 429 before the rate recovers; they double with each further lowering, up to 4 minutes

WRITE_IF_UNCHANGED = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""

Verb = Callable[["Bucket", float], float | None]
"""What to do to the bucket at a moment. Answers the seconds to wait where it did nothing."""

_own: "Bucket | None" = None  # the bucket as this process last saw it
_ahead = 0.0  # seconds from this process's monotonic clock to Redis's


async def take() -> float:
    """Take the right to create one prediction.

    0.0: it is taken. Else nothing is taken, and the answer is the seconds until it is worth asking again (0.05 or
    more). Never raises, also when Redis is away.
    """
    return await _change(lambda bucket, now: bucket.take(now))


async def give_back() -> None:
    """Return a right that was not used. Never raises."""
    await _change(lambda bucket, _: bucket.give_back())


async def slow_down(retry_after: float | None, per_minute: float | None = None, burst: int | None = None) -> None:
    """Replicate answered a create with 429. Never raises.

    No right is given for `retry_after` seconds (an hour at most; where it did not say, for 5, and up to 60 when it
    happens again). The rate becomes `per_minute`, with `burst` at once, where Replicate named them; else it is halved,
    to 6 a minute at the lowest, but once for all the 429s between which no create was accepted. After a quiet minute
    it recovers, by a half each minute.
    """
    wait = None if retry_after is None else min(max(retry_after, 0.0), FORGOTTEN)
    await _change(lambda bucket, now: bucket.slow_down(now, wait, per_minute, burst))


async def heed(remaining: int, reset: float) -> None:
    """Obey the headers ratelimit-remaining and ratelimit-reset (seconds) of the answer to a create. Never raises.

    Where nothing remains, no right is given until the reset, for a minute at most; else this costs nothing.
    """
    if remaining <= 0:
        await _change(lambda bucket, now: bucket.pour(now + min(reset, LONGEST_RESET)))


async def _change_all(verbs: list[Verb]) -> list[float]:
    """Do verbs to the shared bucket, or to this process's own. Gives the seconds to wait where one did nothing."""
    try:
        async with asyncio.timeout(events.TIMEOUT):
            return await _change_shared(verbs)
    except (RedisError, OSError, msgspec.DecodeError) as error:
        log.debug("this process limits itself: %s", error)
        return [_change_own(verb) for verb in verbs]


_change = Rounds(_change_all, AT_ONCE)  # so that only processes get in each other's way


async def _change_shared(verbs: list[Verb]) -> list[float]:
    global _own, _ahead
    write = events.redis().register_script(WRITE_IF_UNCHANGED)
    while True:  # one writer gets through each time
        now, found = await _read()
        bucket = msgspec.json.decode(found, type=Bucket) if found else Bucket(now, settings.creates_per_minute)
        bucket.catch_up(now, settings.creates_per_minute)
        waits = [verb(bucket, now) or 0.0 for verb in verbs]
        if all(waits) or await write(keys=[KEY], args=[found, msgspec.json.encode(bucket), FORGOTTEN]):
            _own, _ahead = bucket, now - monotonic()
            return waits


def _change_own(verb: Verb) -> float:
    global _own
    now = monotonic() + _ahead
    if _own is None:
        _own = Bucket(now, settings.creates_per_minute)
    _own.catch_up(now, settings.creates_per_minute)
    return verb(_own, now) or 0.0


async def _read() -> tuple[float, bytes]:
    """Redis's time, and the bucket as it is kept: empty, where there is none."""
    async with events.redis().pipeline(transaction=False) as pipeline:
        pipeline.time()
        pipeline.get(KEY)
        (seconds, microseconds), found = await pipeline.execute()
    return seconds + microseconds / 1e6, found or b""


class Bucket(msgspec.Struct):
    """What the workers share. Times are Unix seconds.

    tokens: rights to be had at the moment `at`; where that is still to come, none is given before it. rate: tokens that
    come in a minute. burst: how many it holds, where Replicate named a number. lowerings: how often the rate was
    lowered since it was the full one. lowered_until: when the pause after the last 429 ends. given, refused: rights
    since the last lowering, and how many of them met a 429; the others were accepted, or have no answer yet. trying:
    what becomes of the next one is seen before there are more.
    """

    at: float
    rate: float
    tokens: float = 1.0  # not a full bucket: Redis may have been emptied while Replicate still counts
    burst: int | None = None
    lowerings: int = 0
    lowered_until: float = 0.0
    given: int = 0
    refused: int = 0
    trying: bool = False

    def catch_up(self, now: float, full_rate: float) -> None:
        """Let the time until now pass. Every verb needs this first."""
        if self.lowerings == 0 or self.rate >= full_rate:
            self.rate, self.burst, self.lowerings = full_rate, None, 0
        recovers_from = self.lowered_until + QUIET * 2.0 ** (self.lowerings - 1)
        quiet = min(now - max(self.at, recovers_from), FORGOTTEN)
        self.pour(now)
        if quiet > 0:
            self.rate = min(self.rate * RECOVERY ** (quiet / 60), full_rate)

    def take(self, now: float) -> float:
        """Take a token, or answer the seconds until there may be one."""
        wait = self.at - now + max(0.0, 1 - self.tokens) * 60 / self.rate
        if wait > 1e-4:  # less is an error of rounding
            return max(wait, SOONEST)
        self.tokens -= 1
        self.given += 1
        if self.trying:
            self.trying = False
            self._hold(now + ANSWERED)
        return 0.0

    def give_back(self) -> None:
        """Put a token back."""
        self.tokens = min(self.tokens + 1, self._size())
        self.given = max(self.given - 1, self.refused)

    def slow_down(self, now: float, wait: float | None, per_minute: float | None, burst: int | None) -> None:
        """Give nothing for `wait` seconds, and then less than before, if anything was accepted at this rate.

        Requests that were in flight at a lowering are counted by nobody: what they are answered belongs to it.
        """
        self.refused = min(self.refused + 1, self.given)
        if self.lowerings == 0 or self.given > self.refused:
            self.lowerings = min(self.lowerings + 1, 3)
            self.rate = min(self.rate, max(self.rate / 2, SLOWEST))
            self.tokens, self.given, self.refused = 0.0, 0, 0
        self.trying = per_minute is None
        if per_minute is not None:
            self.rate, self.burst = max(per_minute, 1.0), burst
        if wait is None:
            wait = min(PAUSE * 2 ** min(self.refused, 10), LONGEST_PAUSE)
        self._hold(now + wait)
        self.lowered_until = max(self.lowered_until, now + wait)

    def pour(self, until: float) -> None:
        """Let tokens come in until then, and give none before."""
        if until > self.at:
            self.tokens = min(self.tokens + (until - self.at) * self.rate / 60, self._size())
            self.at = until

    def _hold(self, until: float) -> None:
        """Give nothing until then, and one at first."""
        self.pour(until)
        self.tokens = min(self.tokens, 1.0)

    def _size(self) -> float:
        return max(1.0, self.rate / 60) if self.burst is None else max(1.0, self.burst)

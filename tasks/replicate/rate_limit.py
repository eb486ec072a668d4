"""The rate limit that all workers share: one token bucket in Redis for the right to create predictions.

Each verb reads the bucket, computes, and writes it back unless another process wrote meanwhile. The clock is Redis's
own. While Redis is away, each process continues with the bucket as it last saw it.
"""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic

import msgspec
from redis.exceptions import RedisError

from tasks.db.coalesce import Rounds
from tasks.messaging import events
from tasks.settings import settings

log = logging.getLogger(__name__)

BUCKET_KEY = "darkroom:limit"
BUCKET_TTL_SECONDS = 3600  # seconds without use after which the bucket starts from scratch; no pause is longer
MIN_WAIT_SECONDS = 0.05  # seconds; an earlier retry is not worth it
DEFAULT_PAUSE_SECONDS = 5.0  # seconds, when a 429 does not say how long to wait; doubles with each further one
MAX_PAUSE_SECONDS = 60.0  # seconds
MAX_COALESCED = 100  # verbs per round
ANSWER_SECONDS = 1.0  # seconds within which a create is almost always answered
MAX_RESET_SECONDS = 60.0  # seconds; Replicate counts by the minute
MIN_RATE_PER_MINUTE = 6.0  # per minute: what Replicate allows an account with almost no credit (its docs, rate limits)
RECOVERY_FACTOR = 1.5  # factor per minute
# Seconds without a 429 before the rate recovers; doubles with each further lowering, up to 4 minutes.
QUIET_SECONDS = 60.0

WRITE_IF_UNCHANGED = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""

Verb = Callable[["Bucket", float], float | None]
"""A change to the bucket at a given time. Returns the seconds to wait when it did nothing."""


async def level() -> tuple[float, float] | None:
    """Return how many predictions may be created now, below 0 for none yet, and how many in a minute.

    Returns None when no worker has created any for an hour, or Redis is away.
    """
    try:
        now, found = await read_bucket()
        bucket = msgspec.json.decode(found, type=Bucket) if found else None
    except (RedisError, OSError, msgspec.DecodeError):
        return None
    if bucket is None:
        return None
    bucket.catch_up(now, settings.creates_per_minute)
    return bucket.tokens if bucket.at <= now else -1.0, bucket.rate


async def read_bucket() -> tuple[float, bytes]:
    """Return Redis's time, in Unix seconds, and the stored bucket: empty when there is none."""
    async with events.redis().pipeline(transaction=False) as pipeline:
        pipeline.time()
        pipeline.get(BUCKET_KEY)
        (seconds, microseconds), found = await pipeline.execute()
    return seconds + microseconds / 1e6, found or b""


class RateLimit:
    """The rate limit as one process knows it. Its methods never raise, even when Redis is away.

    per_minute: creates per minute while Replicate refuses none. clock: this process's own, in seconds. waiting: held by
    the one coroutine of this process that waits for a token.
    """

    def __init__(self, per_minute: float = settings.creates_per_minute, clock: Callable[[], float] = monotonic) -> None:
        self.per_minute, self._clock = per_minute, clock
        self.waiting = asyncio.Lock()
        self._change = Rounds(self._change_all, MAX_COALESCED)  # so that writes conflict only between processes
        self._own: Bucket | None = None  # the bucket as this process last saw it
        self._ahead = 0.0  # seconds that Redis's clock is ahead of this process's

    async def take(self) -> float:
        """Take one token: the right to create one prediction.

        Returns 0.0 when it is taken. Otherwise takes nothing, and returns the seconds until it is worth trying again
        (0.05 or more).
        """
        return await self._change(lambda bucket, now: bucket.take(now))

    async def give_back(self) -> None:
        """Put back a token that was not used."""
        await self._change(lambda bucket, _: bucket.give_back())

    async def slow_down(
        self, retry_after: float | None, per_minute: float | None = None, burst: int | None = None
    ) -> None:
        """Slow down after Replicate answered a create with 429.

        No token is given for `retry_after` seconds: an hour at most. When Replicate named no time, the pause is 5
        seconds, and up to 60 when this happens again. The rate becomes `per_minute`, with `burst` at once, when
        Replicate named them. Otherwise it is halved, to 6 per minute at the lowest, but only once for all the 429s
        between which no create was accepted. After a quiet minute it recovers, by a half each minute.
        """
        wait = None if retry_after is None else min(max(retry_after, 0.0), BUCKET_TTL_SECONDS)
        await self._change(lambda bucket, now: bucket.slow_down(now, wait, per_minute, burst))

    async def heed(self, remaining: int, reset: float) -> None:
        """Obey the headers ratelimit-remaining and ratelimit-reset (seconds) of the response to a create.

        When nothing remains, no token is given until the reset, for a minute at most. Otherwise this costs nothing.
        """
        if remaining <= 0:
            await self._change(lambda bucket, now: bucket.pour(now + min(reset, MAX_RESET_SECONDS)))

    async def _change_all(self, verbs: list[Verb]) -> list[float]:
        """Apply verbs to the shared bucket, or to this process's own. Returns the wait for each, 0.0 if it is done."""
        try:
            async with asyncio.timeout(events.TIMEOUT):
                return await self._change_shared(verbs)
        except (RedisError, OSError, msgspec.DecodeError) as error:
            log.debug("using this process's own rate limit: %s", error)
            return [self._change_own(verb) for verb in verbs]

    async def _change_shared(self, verbs: list[Verb]) -> list[float]:
        write = events.redis().register_script(WRITE_IF_UNCHANGED)
        while True:  # of conflicting writers, one succeeds each time
            now, found = await self._read()
            bucket = msgspec.json.decode(found, type=Bucket) if found else Bucket(now, self.per_minute)
            bucket.catch_up(now, self.per_minute)
            waits = [verb(bucket, now) or 0.0 for verb in verbs]
            after = msgspec.json.encode(bucket)
            if all(waits) or await write(keys=[BUCKET_KEY], args=[found, after, BUCKET_TTL_SECONDS]):
                self._own, self._ahead = bucket, now - self._clock()
                return waits

    def _change_own(self, verb: Verb) -> float:
        now = self._clock() + self._ahead
        if self._own is None:
            self._own = Bucket(now, self.per_minute)
        self._own.catch_up(now, self.per_minute)
        return verb(self._own, now) or 0.0

    async def _read(self) -> tuple[float, bytes]:
        return await read_bucket()


class Bucket(msgspec.Struct):
    """The token bucket that the workers share. Times are Unix seconds.

    tokens: the tokens available at the time `at`; while that is in the future, none is given. rate: tokens added per
    minute. burst: how many tokens the bucket holds, when Replicate named a number. lowerings: how often the rate was
    lowered since it was the full rate. lowered_until: when the pause after the last 429 ends. given, refused: the
    tokens given since the last lowering, and how many of them met a 429; the others were accepted, or have no answer
    yet. trying: whether to see the outcome of the next token before giving more.
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
        """Advance the bucket to the time `now`. Every verb needs this first."""
        if self.lowerings == 0 or self.rate >= full_rate:
            self.rate, self.burst, self.lowerings = full_rate, None, 0
        recovers_from = self.lowered_until + QUIET_SECONDS * 2.0 ** (self.lowerings - 1)
        quiet = min(now - max(self.at, recovers_from), BUCKET_TTL_SECONDS)
        self.pour(now)
        if quiet > 0:
            self.rate = min(self.rate * RECOVERY_FACTOR ** (quiet / 60), full_rate)

    def take(self, now: float) -> float:
        """Take a token, or return the seconds until there may be one."""
        wait = self.at - now + max(0.0, 1 - self.tokens) * 60 / self.rate
        if wait > 1e-4:  # less is a rounding error
            return max(wait, MIN_WAIT_SECONDS)
        self.tokens -= 1
        self.given += 1
        if self.trying:
            self.trying = False
            self._hold(now + ANSWER_SECONDS)
        return 0.0

    def give_back(self) -> None:
        """Put a token back."""
        self.tokens = min(self.tokens + 1, self._size())
        self.given = max(self.given - 1, self.refused)

    def slow_down(self, now: float, wait: float | None, per_minute: float | None, burst: int | None) -> None:
        """Give nothing for `wait` seconds, and then less than before if anything was accepted at this rate.

        Requests that were in flight at a lowering are not counted: their answers belong to that lowering.
        """
        self.refused = min(self.refused + 1, self.given)
        if self.lowerings == 0 or self.given > self.refused:
            self.lowerings = min(self.lowerings + 1, 3)
            self.rate = min(self.rate, max(self.rate / 2, MIN_RATE_PER_MINUTE))
            self.tokens, self.given, self.refused = 0.0, 0, 0
        self.trying = per_minute is None
        if per_minute is not None:
            self.rate, self.burst = max(per_minute, 1.0), burst
        if wait is None:
            wait = min(DEFAULT_PAUSE_SECONDS * 2 ** min(self.refused, 10), MAX_PAUSE_SECONDS)
        self._hold(now + wait)
        self.lowered_until = max(self.lowered_until, now + wait)

    def pour(self, until: float) -> None:
        """Add the tokens that come in up to the time `until`, and give none before it."""
        if until > self.at:
            self.tokens = min(self.tokens + (until - self.at) * self.rate / 60, self._size())
            self.at = until

    def _hold(self, until: float) -> None:
        """Give no token before the time `until`, and only one at first."""
        self.pour(until)
        self.tokens = min(self.tokens, 1.0)

    def _size(self) -> float:
        return max(1.0, self.rate / 60) if self.burst is None else max(1.0, self.burst)

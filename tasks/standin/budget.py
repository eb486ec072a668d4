"""A rate limit for requests: a token bucket that refills over a minute."""

from dataclasses import dataclass
from math import ceil

from tasks.standin.predictions import SECOND


@dataclass
class Budget:
    """A limit of `per_minute` requests a minute, `burst` of them at once (all of them when `burst` is None)."""

    per_minute: int
    burst: int | None = None
    spent: float = 0.0
    _since: int = 0

    def take(self, now: int) -> int:
        """Spend one request at `now` (Unix nanoseconds). Returns 0, or the seconds to wait when none is left."""
        rate = self.per_minute / 60
        self.spent = max(0.0, self.spent - (now - self._since) / SECOND * rate)
        self._since = now
        if self.spent + 1 > self.size:
            return max(1, ceil((self.spent + 1 - self.size) / rate))
        self.spent += 1
        return 0

    @property
    def size(self) -> int:
        """The number of requests that may come at once."""
        return self.per_minute if self.burst is None else self.burst

    def headers(self) -> dict[str, str]:
        """Return Replicate's rate limit headers: the remaining requests and the seconds until the reset."""
        reset = ceil(self.spent / (self.per_minute / 60))
        return {"ratelimit-remaining": str(int(self.size - self.spent)), "ratelimit-reset": str(reset)}

"""How many jobs a key may submit within a minute: SUBMISSIONS_PER_MINUTE, so that a program in a loop does no harm.

Each process counts the jobs of a key once a second, and adds those that it has accepted since. When several processes
accept jobs in the same second, slightly more are accepted than is allowed.
"""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from uuid import UUID

from async_lru import alru_cache

from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Job
from tasks.jobs import backlog
from tasks.jobs.backlog import QueueFull
from tasks.settings import settings

WINDOW = timedelta(minutes=1)
COUNT_TTL_SECONDS = 1.0  # for which this process caches the count of a key
MAX_CACHED_KEYS = 1000
COUNT = "SELECT count(*) AS jobs FROM job WHERE api_key = {} AND id >= {}"


@dataclass
class Recent:
    """The number of jobs that were submitted with a key within the last minute."""

    jobs: int


@dataclass(frozen=True, slots=True)
class Quota:
    """What is left of a limit. seconds: the time that the limit is for; None for a limit at any moment."""

    name: str
    limit: int
    left: int
    seconds: int | None = None


async def keep_to(key: UUID | None, jobs: int) -> None:
    """Count new jobs of a key. Raises QueueFull when they are too many for this minute."""
    if key is None:
        return
    lately, most = await recent(key), settings.submissions_per_minute
    beyond = lately.jobs + jobs - most
    if beyond > 0:
        sentence = f"This key has submitted {lately.jobs:,} jobs within a minute; the limit is {most:,}."
        raise QueueFull(sentence, max(1, min(60, ceil(60 * beyond / most))))
    lately.jobs += jobs


async def quotas(key: UUID | None, client: str) -> list[Quota]:
    """Return what is left for a key: of the jobs that it may submit in a minute, and of those that may wait."""
    if key is None:
        return []
    most = settings.submissions_per_minute
    submissions = Quota("submissions", most, max(0, most - (await recent(key)).jobs), int(WINDOW.total_seconds()))
    waiting = settings.max_waiting_per_client
    return [submissions, Quota("waiting", waiting, max(0, waiting - await backlog.of_peer(client)))]


@alru_cache(maxsize=MAX_CACHED_KEYS, ttl=COUNT_TTL_SECONDS)
async def recent(key: UUID) -> Recent:
    """Return how many jobs of a key this process knows of."""
    [row] = await Job.raw(COUNT, key, ids.first_at(now() - WINDOW))
    return Recent(row["jobs"])

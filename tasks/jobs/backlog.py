"""Limits on waiting jobs, MAX_WAITING in all and MAX_WAITING_PER_CLIENT per peer, and the client each job waits as.

A client is the address of the requesting peer, followed by a space and the name that the peer gives itself, if any. A
name costs nothing to invent, unlike an address. So the names of a peer share its limit, and at most MAX_NAMES_PER_PEER
of them take turns of their own.

Each process counts the waiting jobs once a second, and adds those that it has accepted since. When several processes
accept jobs in the same second, slightly more jobs may wait than is allowed.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import ceil

from async_lru import alru_cache

from tasks.db.database import now
from tasks.db.tables import Job
from tasks.jobs import estimates
from tasks.settings import settings

COUNT_TTL_SECONDS = 1.0  # for which this process caches the count of waiting jobs
MAX_NAMES_PER_PEER = 8  # of one peer that take turns of their own; all its other names take turns as one client
DEFAULT_RETRY_AFTER_SECONDS = 60  # the retry_after when the wait cannot be estimated
MAX_RETRY_AFTER_SECONDS = 3600

COUNT_WAITING = "SELECT client, count(*) AS jobs FROM job WHERE status = 'queued' GROUP BY client"


class QueueFull(Exception):  # the domain's term, like Rejected
    """The error for jobs that the queue has no room for.

    message: a sentence. retry_after: whole seconds until there likely is room.
    """

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.message, self.retry_after = message, retry_after


@dataclass
class Waiting:
    """A count of the waiting jobs, in all and per peer, and the clients of each peer."""

    jobs: int = 0
    of_peer: Counter[str] = field(default_factory=Counter)
    clients: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, client: str, jobs: int) -> None:
        """Add jobs of a client to the count."""
        self.jobs += jobs
        self.of_peer[_peer(client)] += jobs
        self.clients[_peer(client)].add(client)


async def client_in_line(client: str) -> str:
    """Return the client that a job waits as.

    Returns `client` itself, or the peer without a name when MAX_NAMES_PER_PEER other clients of the peer have jobs
    waiting.
    """
    peer = _peer(client)
    in_line = (await count_waiting()).clients.get(peer, set())
    return client if client in in_line or len(in_line) < MAX_NAMES_PER_PEER else _nameless(peer)


async def make_room(jobs: Mapping[str, int], models: Collection[str] = ()) -> None:
    """Add new jobs of some clients to the count of waiting jobs: all of them, or none.

    models: the models of the jobs, for the estimate. Raises QueueFull.
    """
    waiting, wanted = await count_waiting(), Counter[str]()
    for client, count in jobs.items():
        wanted[_peer(client)] += count
    beyond = waiting.jobs + wanted.total() - settings.max_waiting
    if beyond > 0:
        sentence = f"{waiting.jobs:,} jobs are already waiting; the limit is {settings.max_waiting:,}."
        raise QueueFull(sentence, await _seconds_until_started(beyond, models))
    for peer, count in wanted.items():
        beyond = waiting.of_peer[peer] + count - settings.max_waiting_per_client
        if beyond > 0:
            most = settings.max_waiting_per_client
            sentence = f"{waiting.of_peer[peer]:,} of your jobs are already waiting; the limit is {most:,}."
            raise QueueFull(sentence, await _seconds_until_started(beyond * len(waiting.of_peer), models))
    for client, count in jobs.items():
        waiting.add(client, count)


async def of_peer(client: str) -> int:
    """Return how many jobs of a client's peer wait."""
    return (await count_waiting()).of_peer[_peer(client)]


@alru_cache(maxsize=1, ttl=COUNT_TTL_SECONDS)
async def count_waiting() -> Waiting:
    """Return the count of waiting jobs as this process knows it."""
    waiting = Waiting()
    for row in await Job.raw(COUNT_WAITING):
        waiting.add(row["client"], row["jobs"])
    return waiting


async def _seconds_until_started(jobs: int, models: Collection[str]) -> int:
    """Return the seconds until `jobs` jobs have left the queue. All waiting peers take turns."""
    models = models or [settings.default_model]
    outlook = await estimates.outlook(models)
    starts = [start for model in models if (start := outlook.start(model, jobs)) is not None]
    if not starts:
        return DEFAULT_RETRY_AFTER_SECONDS
    return min(MAX_RETRY_AFTER_SECONDS, max(1, ceil((max(starts) - now()).total_seconds())))


def _peer(client: str) -> str:
    return client.rpartition(" ")[0]


def _nameless(peer: str) -> str:
    return f"{peer} " if peer else ""

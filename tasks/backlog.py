"""How much may wait: MAX_WAITING jobs in all, MAX_WAITING_PER_CLIENT of one peer; and as which client a job waits.

A client is the peer that asks, by its address, and behind a space the name that it gives itself, if any: names are
invented for nothing, addresses are not. So the names of a peer share its bound, and no more than NAMES of them take
turns of their own.

Each process counts once a second what waits, and what it accepted since. Where several accept jobs in the same second,
a little more may wait than is allowed.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import ceil

from tasks import estimates
from tasks.database import now
from tasks.lookups import Lookups
from tasks.settings import settings
from tasks.tables import Job

COUNTED_SECONDS = 1.0  # that this process remembers how much waits
NAMES = 8  # of one peer that take turns of their own; all others of it take turns as one
UNTOLD_SECONDS = 60  # to try again after, where nobody can tell when there is room
LONGEST_SECONDS = 3600

WAITING = "SELECT client, count(*) AS jobs FROM job WHERE status = 'queued' GROUP BY client"


class QueueFull(Exception):  # as Rejected: the domain's word
    """There is no room for more jobs. message: a sentence. retry_after: whole seconds until there likely is."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.message, self.retry_after = message, retry_after


@dataclass
class Waiting:
    """What waits: how many jobs in all and of each peer, and which clients each peer has."""

    jobs: int = 0
    of_peer: Counter[str] = field(default_factory=Counter)
    clients: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, client: str, jobs: int) -> None:
        """Count more jobs of a client."""
        self.jobs += jobs
        self.of_peer[_peer(client)] += jobs
        self.clients[_peer(client)].add(client)


_counted: Lookups[Waiting] = Lookups(COUNTED_SECONDS, COUNTED_SECONDS, most=1)


async def client_in_line(client: str) -> str:
    """As which client a job waits: itself or, where its peer has NAMES others in line, the peer without a name."""
    peer = _peer(client)
    in_line = (await _known()).clients.get(peer, set())
    return client if client in in_line or len(in_line) < NAMES else _nameless(peer)


async def make_room(jobs: Mapping[str, int], models: Collection[str] = ()) -> None:
    """Count more jobs of some clients among those that wait: all of them, or none.

    models: what they are made with, for the estimate. Raises QueueFull.
    """
    waiting, wanted = await _known(), Counter[str]()
    for client, count in jobs.items():
        wanted[_peer(client)] += count
    beyond = waiting.jobs + wanted.total() - settings.max_waiting
    if beyond > 0:
        sentence = f"{waiting.jobs:,} jobs wait already; {settings.max_waiting:,} may wait at once."
        raise QueueFull(sentence, await _seconds_until_started(beyond, models))
    for peer, count in wanted.items():
        beyond = waiting.of_peer[peer] + count - settings.max_waiting_per_client
        if beyond > 0:
            most = settings.max_waiting_per_client
            sentence = f"{waiting.of_peer[peer]:,} of your jobs wait already; {most:,} may wait at once."
            raise QueueFull(sentence, await _seconds_until_started(beyond * len(waiting.of_peer), models))
    for client, count in jobs.items():
        waiting.add(client, count)


def forget() -> None:
    """Remember nothing, as a new process does."""
    _counted.forget()


async def _known() -> Waiting:
    return await _counted.find("", _count) or Waiting()


async def _count() -> Waiting:
    waiting = Waiting()
    for row in await Job.raw(WAITING):
        waiting.add(row["client"], row["jobs"])
    return waiting


async def _seconds_until_started(jobs: int, models: Collection[str]) -> int:
    """Seconds until so many jobs have left the queue: all peers that wait take turns."""
    models = models or [settings.default_model]
    outlook = await estimates.outlook(models)
    starts = [start for model in models if (start := outlook.start(model, jobs)) is not None]
    if not starts:
        return UNTOLD_SECONDS
    return min(LONGEST_SECONDS, max(1, ceil((max(starts) - now()).total_seconds())))


def _peer(client: str) -> str:
    return client.rpartition(" ")[0]


def _nameless(peer: str) -> str:
    return f"{peer} " if peer else ""

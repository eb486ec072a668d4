"""When a waiting job will likely start: told from its place, the workers there are, and how long its model takes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from statistics import median
from time import monotonic

from piccolo.querystring import QueryString
from redis.exceptions import RedisError

from tasks import events, halts
from tasks.database import now
from tasks.queue import RUNNING
from tasks.settings import settings
from tasks.tables import Attempt, Job

COMPLETED = QueryString("'completed'")  # a literal, so that the index of the completed jobs is found

SAMPLE = 20  # completed jobs of a model, the latest
KEPT = 30.0  # seconds that this process remembers how long a model takes
GLANCE = 1.0  # seconds that it remembers how busy the workers are

_durations: dict[str, tuple[float, float | None]] = {}  # model -> until when it is remembered, and the seconds
_workers: tuple[float, int, int] = (0.0, 0, 0)  # until when it is remembered, slots, and how many are taken


@dataclass(frozen=True, slots=True)
class Outlook:
    """How the queue moves.

    slots: jobs that the workers carry at once; 0 where nothing can be told. busy: how many they carry now. durations:
    seconds that a job of a model typically takes, of those models that are known.
    """

    slots: int
    busy: int
    durations: Mapping[str, float]

    def start(self, model: str, place: int) -> datetime | None:
        """When the waiting job at this place (1 for the next) will likely start. None where nobody can tell."""
        if not self.slots or model not in self.durations:
            return None
        seconds = wait(place, self.slots, self.busy, self.durations[model], settings.creates_per_minute)
        return now() + timedelta(seconds=seconds)


def wait(place: int, slots: int, busy: int, duration: float, per_minute: float) -> float:
    """Seconds until the job at this place starts.

    The free slots are filled at once. Then all slots are taken in rounds, each as long as a job takes. But no more jobs
    start than may be created in a minute.
    """
    behind = max(0, place - max(0, slots - busy))
    return max(ceil(behind / slots) * duration, place * 60 / per_minute)


async def outlook(models: Collection[str]) -> Outlook:
    """How the queue moves now, for jobs of these models. It asks little of the database: answers are remembered."""
    slots, busy = await _glance()
    found = {model: await _duration(model) for model in models} if slots else {}
    return Outlook(slots, busy, {model: seconds for model, seconds in found.items() if seconds is not None})


def forget() -> None:
    """Remember nothing, as a new process does."""
    global _workers
    _durations.clear()
    _workers = (0.0, 0, 0)


async def _glance() -> tuple[int, int]:
    """The slots of the workers and how many are taken. No slots: no worker, no Redis to ask, or a halted queue."""
    global _workers
    until, slots, busy = _workers
    if monotonic() >= until:
        try:
            slots = 0 if await halts.current() else await events.slots()
        except (RedisError, OSError):
            slots = 0
        busy = await Job.count().where(Job.status == RUNNING) if slots else 0
        _workers = monotonic() + GLANCE, slots, busy
    return slots, busy


async def _duration(model: str) -> float | None:
    moment = monotonic()
    until, seconds = _durations.get(model, (0.0, None))
    if moment >= until:
        seconds = await _typical_duration(model)
        for old in [name for name, (until, _) in _durations.items() if moment >= until]:
            del _durations[old]
        _durations[model] = moment + KEPT, seconds
    return seconds


async def _typical_duration(model: str) -> float | None:
    """The median of the latest attempts that ended well, from before the request to the last file in storage."""
    of_model = (Job.model == model) & (Job.status == COMPLETED) & Job.deleted_at.is_null()
    latest = await Job.select(Job.id).where(of_model).order_by(Job.id, ascending=False).limit(SAMPLE)
    if not latest:
        return None
    well = Attempt.finished_at.is_not_null() & Attempt.error.is_null()
    theirs = Attempt.job.is_in([row["id"] for row in latest])
    rows = await Attempt.select(Attempt.created_at, Attempt.finished_at).where(theirs & well)
    return median((row["finished_at"] - row["created_at"]).total_seconds() for row in rows) if rows else None

"""Estimate when a waiting job will start, from its place, the number of worker slots, and how long its model takes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from statistics import median

from async_lru import alru_cache
from piccolo.querystring import QueryString

from tasks.db.database import now
from tasks.db.tables import Attempt, Job
from tasks.jobs import workers
from tasks.jobs.queue import RUNNING
from tasks.replicate import circuit
from tasks.settings import settings

COMPLETED = QueryString("'completed'")  # a literal: a bound value would not match the partial index of completed jobs

SAMPLE_JOBS = 20  # the latest completed jobs of a model
DURATION_TTL_SECONDS = 30.0  # seconds that this process caches how long a model takes
MAX_MODELS = 256  # whose durations this process caches
WORKERS_TTL_SECONDS = 1.0  # seconds that it caches how busy the workers are


@dataclass(frozen=True, slots=True)
class Outlook:
    """How fast the queue moves.

    slots: how many jobs the workers run at once; 0 when no estimate is possible. busy: how many jobs they run now.
    durations: the seconds that a job of each model typically takes, for the models where this is known.
    """

    slots: int
    busy: int
    durations: Mapping[str, float]

    def start(self, model: str, place: int) -> datetime | None:
        """Return when the waiting job at this place (1 for the next) will likely start, or None when unknown."""
        if not self.slots or model not in self.durations:
            return None
        seconds = wait(place, self.slots, self.busy, self.durations[model], settings.creates_per_minute)
        return now() + timedelta(seconds=seconds)


def wait(place: int, slots: int, busy: int, duration: float, per_minute: float) -> float:
    """Return the seconds until the job at this place starts.

    The free slots fill immediately. After that, all slots fill in rounds, and each round lasts as long as a job takes.
    No more than `per_minute` jobs start in a minute.
    """
    behind = max(0, place - max(0, slots - busy))
    return max(ceil(behind / slots) * duration, place * 60 / per_minute)


async def outlook(models: Collection[str]) -> Outlook:
    """Return how fast the queue moves now for jobs of these models. Answers are cached to spare the database."""
    slots, busy = await occupancy()
    found = {model: await typical_duration(model) for model in models} if slots else {}
    return Outlook(slots, busy, {model: seconds for model, seconds in found.items() if seconds is not None})


@alru_cache(maxsize=1, ttl=WORKERS_TTL_SECONDS)
async def occupancy() -> tuple[int, int]:
    """Return the workers' slots and how many are taken: (0, 0) without workers, or in a halted queue."""
    slots = 0 if await circuit.current() else await workers.slots()
    return slots, await number_running() if slots else 0


@alru_cache(maxsize=1, ttl=WORKERS_TTL_SECONDS)
async def number_running() -> int:
    """Return how many jobs run."""
    return int(await Job.count().where(Job.status == RUNNING))


@alru_cache(maxsize=MAX_MODELS, ttl=DURATION_TTL_SECONDS)
async def typical_duration(model: str) -> float | None:
    """Return the median duration of the latest successful attempts, from before the request to the last file stored.

    Returns None when there are none.
    """
    of_model = (Job.model == model) & (Job.status == COMPLETED) & Job.deleted_at.is_null()
    latest = await Job.select(Job.id).where(of_model).order_by(Job.id, ascending=False).limit(SAMPLE_JOBS)
    if not latest:
        return None
    well = Attempt.finished_at.is_not_null() & Attempt.error.is_null()
    theirs = Attempt.job.is_in([row["id"] for row in latest])
    rows = await Attempt.select(Attempt.created_at, Attempt.finished_at).where(theirs & well)
    return median((row["finished_at"] - row["created_at"]).total_seconds() for row in rows) if rows else None

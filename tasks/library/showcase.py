"""What the page of models shows of the library: for each model an example, and how many prints it has made."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from async_lru import alru_cache
from piccolo.columns import Column
from piccolo.columns.combination import WhereRaw

from tasks.db.tables import Condition, Job
from tasks.jobs.estimates import COMPLETED
from tasks.library.filters import VISIBLE

COUNT_TTL_SECONDS = 30.0  # for which this process caches the numbers
MAX_LOOKED_AT = 1000  # favorites, and rated jobs, among which an example is looked for

MADE = "SELECT model, count(*) AS jobs FROM job WHERE status = 'completed' GROUP BY model"
DONE = (Job.status == COMPLETED) & VISIBLE


@alru_cache(maxsize=1, ttl=COUNT_TTL_SECONDS)
async def made() -> Mapping[str, int]:
    """Return how many jobs of each model were completed, even if they were deleted since. It may be a little old.

    This counts in an index alone: a million jobs take a tenth of a second.
    """
    return {row["model"]: row["jobs"] for row in await Job.raw(MADE)}


async def examples(models: Iterable[str]) -> dict[str, UUID]:
    """Return the job that shows best what each model makes, for those that have made anything that is still there.

    That is its newest favorite, else its best rated job, else its newest one.
    """
    favorites = await _first_of_each(Job.favorite.eq(True), Job.id)
    rated = await _first_of_each(WhereRaw("job.rating > 0"), Job.rating, Job.id)
    chosen = {}
    for model in models:
        example = favorites.get(model) or rated.get(model) or await _newest(model)
        if example is not None:
            chosen[model] = example
    return chosen


async def latest(model: str, count: int) -> list[UUID]:
    """Return the newest completed jobs of a model, newest first, without those in the trash."""
    rows = await Job.select(Job.id).where((Job.model == model) & DONE).order_by(Job.id, ascending=False).limit(count)
    return [row["id"] for row in rows]


async def _first_of_each(condition: Condition, *order: Column) -> dict[str, UUID]:
    found = Job.select(Job.id, Job.model).where(condition & DONE).order_by(*order, ascending=False)
    first: dict[str, UUID] = {}
    for row in await found.limit(MAX_LOOKED_AT):
        first.setdefault(row["model"], row["id"])
    return first


async def _newest(model: str) -> UUID | None:
    return next(iter(await latest(model, 1)), None)

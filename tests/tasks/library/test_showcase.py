"""What the page of models shows of the library."""

from uuid import UUID

from tasks.curation import edits
from tasks.db.database import DB
from tasks.db.tables import Job
from tasks.jobs import lifecycle
from tasks.library import showcase
from tests import factories
from tests.tasks import plans
from tests.tasks.library.test_plans import library_of_months
from tests.tasks.states import an_output

SDXL, FLUX = factories.SDXL, factories.FLUX


async def done(model: str) -> UUID:
    """Create a completed job of a model. Returns its id."""
    await factories.submitted(model=model)
    job = await lifecycle.claim(30)
    assert job is not None
    assert await lifecycle.complete(job, [an_output(f"{job.id}.png")]) is not None
    return job.id


async def test_the_example_is_the_newest_favorite_else_the_best_rated_else_the_newest() -> None:
    first, second, third, fourth = [await done(SDXL) for _ in range(4)]
    flux = await done(FLUX)
    assert await showcase.examples([SDXL, FLUX, "never/used"]) == {SDXL: fourth, FLUX: flux}
    await edits.rate(edits.by_ids([first]), 4)
    await edits.rate(edits.by_ids([third]), 3)
    assert (await showcase.examples([SDXL]))[SDXL] == first
    await edits.rate(edits.by_ids([second]), 4)
    assert (await showcase.examples([SDXL]))[SDXL] == second
    await edits.favorite(edits.by_ids([third]), True)
    assert (await showcase.examples([SDXL]))[SDXL] == third
    await edits.trash(edits.by_ids([second, third, fourth]))
    assert await showcase.examples([SDXL, FLUX]) == {SDXL: first, FLUX: flux}
    assert await showcase.latest(SDXL, 5) == [first]


async def test_all_that_were_completed_are_counted() -> None:
    jobs = [await done(SDXL), await done(SDXL), await done(FLUX)]
    await factories.submitted(model=FLUX)
    await edits.trash(edits.by_ids(jobs[:1]))
    assert await showcase.made() == {SDXL: 2, FLUX: 1}


async def test_nothing_of_it_scans_all_jobs() -> None:
    await library_of_months()
    assert await plans.troubles(showcase.examples(["m/1", SDXL])) == []
    async with DB.transaction():
        if DB.engine_type == "postgres":
            await Job.raw("SET LOCAL enable_seqscan = off")  # reading a few thousand short rows is faster
        assert "job_completed" in await plans.plan(showcase.made.__wrapped__())

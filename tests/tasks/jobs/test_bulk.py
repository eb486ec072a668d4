"""Changes to many jobs at once."""

from tasks.db.tables import Job, Status
from tasks.jobs import attempts, bulk, lifecycle
from tasks.jobs.queue import waiting
from tests.tasks.states import LEASE, row, submitted

EVERY = Job.id.is_not_null()


async def test_canceling_all_that_wait_ends_those_without_a_prediction_and_leaves_what_runs() -> None:
    running = await submitted()
    assert await lifecycle.claim(LEASE) is not None
    jobs = [await submitted() for _ in range(3)]
    assert await bulk.cancel_waiting(EVERY) == 3
    assert {(await row(job)).status for job in jobs} == {Status.CANCELED}
    kept = await row(running)
    assert (kept.status, kept.cancel_requested) == (Status.RUNNING, False)
    assert await bulk.cancel_waiting(EVERY) == 0


async def test_a_job_that_waits_with_a_prediction_is_left_to_a_worker_to_cancel() -> None:
    await submitted()
    job = await lifecycle.claim(LEASE)
    assert job is not None
    attempt = await attempts.begin(job, "m/m", {})
    assert attempt is not None
    assert await attempts.record_prediction(job, attempt, "p1")
    await Job.update({Job.status: Status.QUEUED, Job.lease_token: None, Job.lease_until: None}).where(Job.id == job.id)
    assert await bulk.cancel_waiting(EVERY) == 1
    kept = await row(job)
    assert (kept.status, kept.cancel_requested) == (Status.QUEUED, True)


async def test_canceling_all_that_wait_changes_only_those_that_the_condition_finds() -> None:
    foxes, owl = [await asks("fox"), await asks("fox")], await asks("owl")
    assert await bulk.cancel_waiting(Job.prompt == "fox") == 2
    assert {(await row(fox)).status for fox in foxes} == {Status.CANCELED}
    assert await Job.exists().where(waiting() & (Job.id == owl.id))


async def asks(prompt: str) -> Job:
    return await lifecycle.submit(prompt, "m/m", {})

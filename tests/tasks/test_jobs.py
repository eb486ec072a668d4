"""The state machine: what each verb promises, from any state, for any number of workers."""

import asyncio
import json
from uuid import uuid4

import pytest

from tasks import attempts, jobs, library
from tasks.database import now
from tasks.failures import Failure
from tasks.tables import Attempt, Job, Output, Stage, new_id

LEASE = 30.0
PASSING = Failure("provider_timeout", "API timeout while calling Replicate.", passing=True)
FINAL = Failure("moderated", "The model's safety filter refused this prompt or its result.")


async def submitted() -> Job:
    return await jobs.submit("a fox in the snow", "stability-ai/sdxl", {"width": 512})


async def claimed() -> Job:
    await submitted()
    job = await jobs.claim(LEASE)
    assert job is not None
    return job


async def row(job: Job) -> Job:
    found = await Job.objects().get(Job.id == job.id)
    assert found is not None
    return found


def an_output(key: str = "a.png") -> Output:
    return Output(id=new_id(), position=0, key=key, kind="image", media_type="image/png", bytes=3, sha256="0" * 64)


def nothing(*values: object) -> bool:
    """Whether all of these are None. (Piccolo types columns that may be null as if they could not.)"""
    return all(value is None for value in values)


async def test_a_submitted_job_is_in_the_database_and_waits() -> None:
    job = await submitted()
    kept = await row(job)
    assert (kept.status, kept.prompt, json.loads(kept.parameters)) == ("queued", "a fox in the snow", {"width": 512})
    assert kept.due_at <= now()


async def test_ids_sort_by_the_time_they_were_made() -> None:
    ids = [(await submitted()).id for _ in range(20)]
    assert ids == sorted(ids)
    assert all(job_id.version == 7 for job_id in ids)


async def test_the_oldest_due_job_is_claimed_first() -> None:
    first, second = await submitted(), await submitted()
    claims = [await jobs.claim(LEASE), await jobs.claim(LEASE), await jobs.claim(LEASE)]
    assert [job and job.id for job in claims] == [first.id, second.id, None]


async def test_of_many_workers_each_job_goes_to_one() -> None:
    submitted_ids = {(await submitted()).id for _ in range(10)}
    claims = await asyncio.gather(*(jobs.claim(LEASE) for _ in range(30)))
    won = [job.id for job in claims if job]
    assert sorted(won) == sorted(set(won))
    while job := await jobs.claim(LEASE):  # on PostgreSQL two claims may meet at one row, and one goes without
        won.append(job.id)
    assert set(won) == submitted_ids


async def test_a_job_that_is_not_due_yet_is_left_alone() -> None:
    job = await claimed()
    await jobs.postpone(job, PASSING, 60.0)
    assert await jobs.claim(LEASE) is None


async def test_a_job_whose_lease_ran_out_goes_to_another_worker_and_its_old_one_can_write_nothing() -> None:
    old = await jobs_claimed_with_a_lease_in_the_past()
    assert await jobs.claim(LEASE) is None
    new = await jobs.take_over(LEASE)
    assert new is not None
    assert new.id == old.id
    assert new.lease_token != old.lease_token
    before = await row(old)
    assert await jobs.report(old, Stage.PROCESSING, 0.5) is None
    assert await jobs.complete(old, [an_output()], 1.0) is None
    assert await jobs.fail(old, FINAL) is None
    assert await jobs.postpone(old, PASSING, 0.0) is None
    assert await jobs.end_canceled(old) is None
    assert await attempts.begin(old, "owner/name", {}) is None
    assert await jobs.renew([old.lease_token], LEASE) == {}
    assert (await row(old)).to_dict() == before.to_dict()
    assert await Output.count() == 0
    assert await Attempt.count() == 0


async def jobs_claimed_with_a_lease_in_the_past() -> Job:
    await submitted()
    job = await jobs.claim(-1)
    assert job is not None
    return job


async def test_claiming_again_is_no_failure() -> None:
    await jobs_claimed_with_a_lease_in_the_past()
    again = await jobs.take_over(LEASE)
    assert again is not None
    assert again.retry_count == 0


async def test_a_lease_that_is_renewed_holds() -> None:
    job = await jobs_claimed_with_a_lease_in_the_past()
    assert await jobs.renew([job.lease_token, uuid4()], LEASE) == {job.lease_token: False}
    assert await jobs.take_over(LEASE) is None


async def test_a_lease_given_back_is_free_at_once() -> None:
    job = await claimed()
    await jobs.release([job.lease_token])
    again = await jobs.take_over(LEASE)
    assert again is not None
    assert again.id == job.id


async def test_an_attempt_is_found_again_with_its_prediction() -> None:
    job = await claimed()
    attempt = await attempts.begin(job, "owner/name", {"prompt": "p", "seed": 7})
    assert attempt is not None
    unsent = await attempts.under_way(job)
    assert unsent is not None
    assert unsent.prediction_id is None
    assert await attempts.record_prediction(job, attempt, "abc")
    sent = await attempts.under_way(job)
    assert sent is not None
    assert (sent.prediction_id, json.loads(sent.input)) == ("abc", {"prompt": "p", "seed": 7})
    assert await attempts.recorded(["abc", "def"]) == {"abc"}


async def test_a_completed_job_has_its_outputs_and_no_lease() -> None:
    job = await claimed()
    await attempts.begin(job, "owner/name", {})
    await jobs.report(job, Stage.PROCESSING, 0.5)
    done = await jobs.complete(job, [an_output()], 2.5)
    assert done is not None
    assert done.status == "completed"
    assert nothing(done.stage, done.progress, done.lease_token)
    assert done.finished_at is not None
    assert [output.key for output in await Output.objects()] == ["a.png"]
    [attempt] = await library.attempts(job.id)
    assert attempt.finished_at is not None
    assert attempt.predict_time == 2.5


async def test_started_is_when_the_model_began_to_work() -> None:
    job = await claimed()
    waiting = await jobs.report(job, Stage.STARTING, None)
    assert waiting is not None
    assert waiting.started_at is None
    working = await jobs.report(job, Stage.PROCESSING, 0.1)
    assert working is not None
    assert working.started_at is not None
    later = await jobs.report(working, Stage.PROCESSING, 0.9)
    assert later is not None
    assert later.started_at == working.started_at


async def test_a_postponed_job_waits_with_its_reason_and_its_failure_counted() -> None:
    job = await claimed()
    await attempts.begin(job, "owner/name", {})
    waiting = await jobs.postpone(job, PASSING, 60.0)
    assert waiting is not None
    assert (waiting.status, waiting.retry_count) == ("queued", 1)
    assert 55 < (waiting.due_at - now()).total_seconds() <= 60
    assert waiting.error_code == "provider_timeout"
    assert nothing(waiting.finished_at)
    [attempt] = await library.attempts(job.id)
    assert (attempt.error_code, attempt.error) == (PASSING.code, PASSING.message)


async def test_a_job_that_resumes_later_goes_on_with_the_same_attempt() -> None:
    job = await claimed()
    attempt = await attempts.begin(job, "owner/name", {})
    assert attempt is not None
    await attempts.record_prediction(job, attempt, "abc")
    waiting = await jobs.resume_later(job, PASSING, 0.0)
    assert waiting is not None
    assert (waiting.status, waiting.retry_count) == ("queued", 1)
    assert nothing(waiting.lease_token)
    assert await jobs.claim(LEASE) is None
    again = await jobs.take_over(LEASE)
    assert again is not None
    same = await attempts.under_way(again)
    assert same is not None
    assert same.prediction_id == "abc"


async def test_a_failed_job_says_why_and_may_be_retried_with_its_count_anew() -> None:
    job = await claimed()
    failed = await jobs.fail(job, FINAL)
    assert failed is not None
    assert (failed.status, failed.error, failed.error_code) == ("failed", FINAL.message, FINAL.code)
    waiting = await jobs.retry(job.id)
    assert waiting is not None
    assert (waiting.status, waiting.retry_count) == ("queued", 0)
    assert nothing(waiting.error, waiting.finished_at)


async def test_a_waiting_job_is_canceled_at_once() -> None:
    job = await submitted()
    canceled = await jobs.cancel(job.id)
    assert canceled is not None
    assert canceled.status == "canceled"
    assert canceled.finished_at is not None
    assert await jobs.claim(LEASE) is None


async def test_a_running_job_is_asked_to_end_and_its_worker_learns_of_it() -> None:
    job = await claimed()
    asked = await jobs.cancel(job.id)
    assert asked is not None
    assert (asked.status, asked.cancel_requested) == ("running", True)
    assert await jobs.renew([job.lease_token], LEASE) == {job.lease_token: True}
    ended = await jobs.end_canceled(job)
    assert ended is not None
    assert ended.status == "canceled"


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
async def test_an_ended_job_can_be_neither_canceled_nor_claimed(end: str) -> None:
    job = await claimed()
    if end == "complete":
        await jobs.complete(job, [an_output()], None)
    elif end == "fail":
        await jobs.fail(job, FINAL)
    else:
        await jobs.end_canceled(job)
    assert await jobs.cancel(job.id) is None
    assert await jobs.claim(LEASE) is None


async def test_only_what_ended_badly_is_retried() -> None:
    waiting = await submitted()
    assert await jobs.retry(waiting.id) is None
    running = await jobs.claim(LEASE)
    assert running is not None
    assert await jobs.retry(running.id) is None
    await jobs.complete(running, [an_output()], None)
    assert await jobs.retry(running.id) is None
    assert await jobs.retry(uuid4()) is None


async def test_a_deleted_job_leaves_a_tombstone_without_words_and_names_its_files() -> None:
    job = await claimed()
    assert await jobs.delete(job.id) is None
    output = an_output()
    output.preview_key = "a-0.preview.webp"
    await attempts.begin(job, "owner/name", {"prompt": "a fox"})
    await jobs.complete(job, [output], None)
    assert await jobs.delete(job.id) == ["a.png", "a-0.preview.webp"]
    card = await library.card(job.id)
    assert card is not None
    assert card.deleted
    assert (card.job.prompt, card.parameters, card.outputs) == ("", {}, [])
    assert await Attempt.count() == 0
    assert await library.newest(10) == []
    assert await jobs.delete(job.id) is None
    assert await jobs.retry(job.id) is None

"""The state machine: what each verb promises, from any state, for any number of workers."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from tasks.curation import trash
from tasks.db.database import now
from tasks.db.tables import Attempt, Job, Output, Stage
from tasks.jobs import attempts, lifecycle, transitions
from tasks.library import cards
from tasks.settings import settings
from tests.newest import newest
from tests.tasks.states import (
    FINAL,
    LEASE,
    P1,
    PASSING,
    an_output,
    begun,
    claimed,
    kept,
    left,
    nothing,
    passes,
    row,
    submitted,
    taken_over,
    with_a_prediction,
)


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
    claims = [await lifecycle.claim(LEASE), await lifecycle.claim(LEASE), await lifecycle.claim(LEASE)]
    assert [job and job.id for job in claims] == [first.id, second.id, None]


async def test_of_many_workers_each_job_goes_to_one() -> None:
    submitted_ids = {(await submitted()).id for _ in range(10)}
    claims = await asyncio.gather(*(lifecycle.claim(LEASE) for _ in range(30)))
    won = [job.id for job in claims if job]
    assert sorted(won) == sorted(set(won))
    while job := await lifecycle.claim(
        LEASE
    ):  # on PostgreSQL two claims may meet at one row, and one of them gets nothing
        won.append(job.id)
    assert set(won) == submitted_ids


async def test_a_job_that_is_not_due_yet_is_left_alone() -> None:
    job = await claimed()
    await lifecycle.postpone(job, PASSING, 60.0)
    assert await lifecycle.claim(LEASE) is None


@pytest.mark.parametrize("attempt", [True, False])
async def test_a_job_whose_lease_ran_out_goes_to_another_worker_and_its_old_one_can_write_nothing(
    attempt: bool,
) -> None:
    old = await left(attempt)
    assert await lifecycle.claim(LEASE) is None
    if attempt:
        new: Job | None = await taken_over()
    else:
        await lifecycle.requeue()
        new = await lifecycle.claim(LEASE)
    assert new is not None
    assert new.id == old.id
    assert new.lease_token != old.lease_token
    before = await row(old)
    assert not await lifecycle.report(old, Stage.PROCESSING, 0.5)
    assert await lifecycle.complete(old, [an_output()]) is None
    assert await lifecycle.fail(old, FINAL) is None
    assert await lifecycle.postpone(old, PASSING, 0.0) is None
    assert await lifecycle.unclaim(old, PASSING) is None
    assert await lifecycle.resume_later(old, PASSING, 0.0) is None
    assert await lifecycle.end_canceled(old) is None
    assert await attempts.begin(old, "owner/name", {}) is None
    assert await lifecycle.renew([old.lease_token], LEASE) == {}
    await lifecycle.release([old.lease_token])
    assert (await row(old)).to_dict() == before.to_dict()
    assert await Output.count() == 0
    assert await Attempt.count() == int(attempt)
    assert await Attempt.count().where(Attempt.finished_at.is_not_null()) == 0


async def test_to_be_taken_over_is_no_failure() -> None:
    await left()
    assert (await taken_over()).retry_count == 0


async def test_a_job_that_was_left_before_its_attempt_goes_back_to_the_queue_and_is_not_taken_over() -> None:
    job = await left(attempt=False)
    assert await lifecycle.take_over(LEASE) is None
    [back] = await lifecycle.requeue()
    assert (back.id, back.status, back.turn, back.retry_count) == (job.id, "queued", 0, 0)
    assert nothing(back.stage, back.lease_token, back.lease_until, back.error_code, back.finished_at)
    assert await lifecycle.take_over(LEASE) is None
    assert await lifecycle.requeue() == []
    again = await lifecycle.claim(LEASE)
    assert again is not None
    assert (again.id, again.retry_count) == (job.id, 0)


async def test_only_a_job_that_was_left_before_its_attempt_goes_back_to_the_queue() -> None:
    held, with_attempt, waiting = await claimed(), await left(), await submitted()
    assert await lifecycle.requeue() == []
    assert [(await row(job)).status for job in (held, with_attempt, waiting)] == ["running", "running", "queued"]


async def test_of_many_workers_that_look_for_jobs_that_were_left_one_finds_each() -> None:
    left_ids = [(await left(attempt=False)).id for _ in range(5)]
    found = [job.id for back in await asyncio.gather(*(lifecycle.requeue() for _ in range(5))) for job in back]
    assert sorted(found) == sorted(left_ids)


@pytest.mark.parametrize("attempt", [True, False])
async def test_a_lease_that_is_renewed_holds(attempt: bool) -> None:
    job = await left(attempt)
    assert await lifecycle.renew([job.lease_token, uuid4()], LEASE) == {job.lease_token: False}
    assert await lifecycle.take_over(LEASE) is None
    assert await lifecycle.requeue() == []


async def test_a_job_given_back_with_its_attempt_is_taken_over_at_once() -> None:
    job, attempt = await begun()
    await lifecycle.release([job.lease_token])
    again = await taken_over()
    assert (again.id, again.attempt, again.retry_count) == (job.id, attempt.id, 0)


async def test_a_job_given_back_before_its_attempt_is_claimed_at_once() -> None:
    job = await claimed()
    await lifecycle.release([job.lease_token])
    back = await row(job)
    assert (back.status, back.turn, back.retry_count) == ("queued", 0, 0)
    assert nothing(back.lease_token, back.lease_until)
    again = await lifecycle.claim(LEASE)
    assert again is not None
    assert again.id == job.id


async def test_of_jobs_given_back_those_of_others_stay_where_they_are() -> None:
    given_back, (with_attempt, _), other, (others_attempt, _) = (
        await claimed(), await begun(), await claimed(), await begun()
    )  # fmt: skip
    await lifecycle.release([given_back.lease_token, with_attempt.lease_token])
    for job in (other, others_attempt):
        assert (await row(job)).to_dict() == job.to_dict()
    assert (await taken_over()).id == with_attempt.id
    assert await lifecycle.take_over(LEASE) is None


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


async def test_a_completed_job_has_its_outputs_and_no_lease() -> None:
    job = await claimed()
    await attempts.begin(job, "owner/name", {})
    await lifecycle.report(job, Stage.PROCESSING, 0.5)
    done = await lifecycle.complete(job, [an_output()], P1)
    assert done is not None
    assert done.status == "completed"
    assert nothing(done.stage, done.progress, done.lease_token)
    assert done.finished_at is not None
    assert [output.key for output in await Output.objects()] == ["a.png"]
    [attempt] = await cards.attempts(job.id)
    assert attempt.finished_at is not None
    assert attempt.predict_time == 2.5


async def test_started_is_when_the_model_began_to_work() -> None:
    job = await claimed()
    assert await lifecycle.report(job, Stage.STARTING, None)
    assert (await row(job)).started_at is None
    assert await lifecycle.report(job, Stage.PROCESSING, 0.1)
    started_at = (await row(job)).started_at
    assert started_at is not None
    assert await lifecycle.report(job, Stage.PROCESSING, 0.9)
    assert (await row(job)).started_at == started_at


async def test_a_postponed_job_waits_with_its_reason_and_its_failure_counted() -> None:
    job = await claimed()
    await attempts.begin(job, "owner/name", {})
    waiting = await lifecycle.postpone(job, PASSING, 60.0)
    assert waiting is not None
    assert (waiting.status, waiting.retry_count) == ("queued", 1)
    assert 55 < (waiting.due_at - now()).total_seconds() <= 60
    assert waiting.error_code == "provider_timeout"
    assert nothing(waiting.finished_at)
    [attempt] = await cards.attempts(job.id)
    assert (attempt.error_code, attempt.error) == (PASSING.code, PASSING.message)


async def test_a_job_that_resumes_later_goes_on_with_the_same_attempt() -> None:
    job = await claimed()
    attempt = await attempts.begin(job, "owner/name", {})
    assert attempt is not None
    await attempts.record_prediction(job, attempt, "abc")
    waiting = await lifecycle.resume_later(job, PASSING, 0.0)
    assert waiting is not None
    assert (waiting.status, waiting.retry_count) == ("queued", 0)
    assert nothing(waiting.lease_token)
    assert await lifecycle.claim(LEASE) is None
    again = await lifecycle.take_over(LEASE)
    assert again is not None
    same = await attempts.under_way(again)
    assert same is not None
    assert (same.prediction_id, same.failures) == ("abc", 1)


async def test_a_failed_job_says_why_and_may_be_retried_with_its_count_anew() -> None:
    await lifecycle.postpone(await claimed(), PASSING, 0.0)
    job = await lifecycle.claim(LEASE)
    assert job is not None
    assert job.retry_count == 1
    failed = await lifecycle.fail(job, FINAL)
    assert failed is not None
    assert (failed.status, failed.error, failed.error_code) == ("failed", FINAL.message, FINAL.code)
    waiting = await lifecycle.retry(job.id)
    assert waiting is not None
    assert (waiting.status, waiting.retry_count) == ("queued", 0)
    assert nothing(waiting.error, waiting.finished_at)


async def test_a_waiting_job_is_canceled_at_once() -> None:
    job = await submitted()
    canceled = await lifecycle.cancel(job.id)
    assert canceled is not None
    assert canceled.status == "canceled"
    assert canceled.finished_at is not None
    assert await lifecycle.claim(LEASE) is None


async def test_a_running_job_is_asked_to_end_and_its_worker_learns_of_it() -> None:
    job = await claimed()
    asked = await lifecycle.cancel(job.id)
    assert asked is not None
    assert (asked.status, asked.cancel_requested) == ("running", True)
    assert await lifecycle.renew([job.lease_token], LEASE) == {job.lease_token: True}
    ended = await lifecycle.end_canceled(job)
    assert ended is not None
    assert ended.status == "canceled"


@pytest.mark.parametrize("end", ["complete", "fail", "cancel"])
async def test_an_ended_job_can_be_neither_canceled_nor_claimed(end: str) -> None:
    job = await claimed()
    if end == "complete":
        await lifecycle.complete(job, [an_output()])
    elif end == "fail":
        await lifecycle.fail(job, FINAL)
    else:
        await lifecycle.end_canceled(job)
    assert await lifecycle.cancel(job.id) is None
    assert await lifecycle.claim(LEASE) is None


async def test_only_what_ended_badly_is_retried() -> None:
    waiting = await submitted()
    assert await lifecycle.retry(waiting.id) is None
    running = await lifecycle.claim(LEASE)
    assert running is not None
    assert await lifecycle.retry(running.id) is None
    await lifecycle.complete(running, [an_output()])
    assert await lifecycle.retry(running.id) is None
    assert await lifecycle.retry(uuid4()) is None


async def test_a_deleted_job_leaves_a_tombstone_without_words_and_names_its_files() -> None:
    job = await claimed()
    assert await lifecycle.delete(job.id) is None
    output = an_output()
    output.preview_key, output.stored_preview_key = "a-0.preview.webp", "stored-a-0.preview.webp"
    output.stored_thumbnail_key = "stored-a-0.thumbnail.webp"
    await attempts.begin(job, "owner/name", {"prompt": "a fox"})
    await lifecycle.complete(job, [output])
    assert await lifecycle.delete(job.id) is not None
    stored = ["stored-a.png", "stored-a-0.preview.webp", "stored-a-0.thumbnail.webp"]
    assert await trash.files_of([job.id]) == stored
    card = await cards.by_id(job.id)
    assert card is not None
    assert card.deleted
    assert (card.job.prompt, card.parameters) == ("", {})
    assert await Attempt.count() == 0
    assert await newest(10) == []
    assert await lifecycle.delete(job.id) is None
    assert await lifecycle.retry(job.id) is None


# Waiting, and coming back.


def seconds_until(moment: Any) -> float:
    seconds: float = (moment - now()).total_seconds()
    return seconds


async def test_a_job_that_is_put_back_is_as_if_it_had_not_been_tried() -> None:
    job, attempt = await begun()
    waiting = await lifecycle.unclaim(job, FINAL)
    assert waiting is not None
    assert (waiting.status, waiting.retry_count, waiting.deadline_at) == ("queued", 0, job.deadline_at)
    assert nothing(waiting.error, waiting.error_code, waiting.attempt, waiting.lease_token, waiting.lease_until)
    ended = await kept(attempt)
    assert ended.finished_at is not None
    assert ended.error_code == FINAL.code
    again = await lifecycle.claim(LEASE)
    assert again is not None
    assert again.id == job.id


async def test_a_job_that_is_put_back_runs_before_those_that_came_after_it() -> None:
    first = await submitted()
    for _ in range(3):
        await submitted()
    job = await lifecycle.claim(LEASE)
    assert job is not None
    await lifecycle.unclaim(job, FINAL)
    again = await lifecycle.claim(LEASE)
    assert again is not None
    assert again.id == first.id


@pytest.mark.parametrize("counts", [True, False])
async def test_going_on_later_is_a_failed_try_only_where_it_counts(counts: bool) -> None:
    job = await with_a_prediction()
    waiting = await lifecycle.resume_later(job, PASSING, 60.0, counts=counts)
    assert waiting is not None
    assert waiting.retry_count == int(counts)
    assert (waiting.status, waiting.error_code, waiting.attempt) == ("queued", PASSING.code, job.attempt)
    assert 55 < seconds_until(waiting.due_at) <= 60


async def test_a_job_that_goes_on_later_is_taken_over_when_its_wait_is_over_and_never_claimed() -> None:
    job = await with_a_prediction()
    await lifecycle.resume_later(job, PASSING, 60.0)
    assert await lifecycle.take_over(LEASE) is None
    await passes(job.id, Job.due_at)
    assert await lifecycle.claim(LEASE) is None
    again = await taken_over()
    assert (again.id, again.attempt) == (job.id, job.attempt)
    assert await lifecycle.take_over(LEASE) is None


async def test_a_job_that_goes_on_later_before_it_has_an_attempt_waits_its_turn() -> None:
    job = await claimed()
    await lifecycle.resume_later(job, PASSING, 0.0)
    assert await lifecycle.take_over(LEASE) is None
    again = await lifecycle.claim(LEASE)
    assert again is not None
    assert again.id == job.id


async def test_a_lease_that_holds_is_not_taken_over() -> None:
    await claimed()
    assert await lifecycle.take_over(LEASE) is None


async def test_of_many_workers_each_job_that_was_left_goes_to_one() -> None:
    left_ids = {(await left()).id for _ in range(5)}
    taken = [job for job in await asyncio.gather(*(lifecycle.take_over(LEASE) for _ in range(15))) if job]
    assert len({job.id for job in taken}) == len(taken)
    while job := await lifecycle.take_over(
        LEASE
    ):  # on PostgreSQL two may meet at one row, and one of them gets nothing
        taken.append(job)
    assert {job.id for job in taken} == left_ids


# Deadlines.


async def test_a_job_has_the_time_of_the_setting_or_its_own() -> None:
    usual, hurried = await submitted(), await submitted(finish_within=60)
    assert settings.finish_within - 5 < seconds_until(usual.deadline_at) <= settings.finish_within
    assert 55 < seconds_until(hurried.deadline_at) <= 60


async def test_a_job_that_still_waits_at_its_deadline_fails() -> None:
    late, early = await submitted(), await submitted()
    await passes(late.id, Job.deadline_at)
    assert [job.id for job in await lifecycle.expire()] == [late.id]
    failed = await row(late)
    assert (failed.status, failed.error_code) == ("failed", "deadline")
    assert failed.finished_at is not None
    assert (await row(early)).status == "queued"
    assert await lifecycle.expire() == []


async def test_a_job_in_its_backoff_fails_at_its_deadline_too() -> None:
    job = await claimed()
    await lifecycle.postpone(job, PASSING, 60.0)
    await passes(job.id, Job.deadline_at)
    [expired] = await lifecycle.expire()
    assert (expired.status, expired.error_code) == ("failed", "deadline")


@pytest.mark.parametrize("where", ["running", "waiting to go on"])
async def test_what_has_a_prediction_is_left_to_a_worker_which_calls_it_off(where: str) -> None:
    job = await with_a_prediction()
    if where == "waiting to go on":
        await lifecycle.resume_later(job, PASSING, 60.0)
    await passes(job.id, Job.deadline_at)
    assert await lifecycle.expire() == []
    assert (await row(job)).attempt == job.attempt


async def test_a_retried_job_has_its_time_anew() -> None:
    job = await submitted(finish_within=60)
    await passes(job.id, Job.deadline_at)
    await lifecycle.expire()
    again = await lifecycle.retry(job.id)
    assert again is not None
    assert 55 < seconds_until(again.deadline_at) <= 60
    assert await lifecycle.expire() == []
    assert await lifecycle.claim(LEASE) is not None


async def test_a_job_that_ended_does_not_expire() -> None:
    job = await claimed()
    await lifecycle.complete(job, [])
    await passes(job.id, Job.deadline_at)
    assert await lifecycle.expire() == []


# Cancel.


async def test_a_job_that_waits_to_go_on_is_canceled_by_a_worker_at_once() -> None:
    """The job has a prediction, which must be canceled as well."""
    job = await with_a_prediction()
    await lifecycle.resume_later(job, PASSING, 60.0)
    asked = await lifecycle.cancel(job.id)
    assert asked is not None
    assert (asked.status, asked.cancel_requested, asked.attempt) == ("queued", True, job.attempt)
    again = await taken_over()
    assert again.cancel_requested
    ended = await lifecycle.end_canceled(again, P1)
    assert ended is not None
    assert ended.status == "canceled"


async def test_to_cancel_twice_is_to_cancel_once() -> None:
    running = await claimed()
    assert (first := await lifecycle.cancel(running.id)) is not None
    assert (second := await lifecycle.cancel(running.id)) is not None
    assert (first.status, first.cancel_requested) == (second.status, second.cancel_requested) == ("running", True)
    waiting = await submitted()
    assert await lifecycle.cancel(waiting.id) is not None
    assert await lifecycle.cancel(waiting.id) is None


async def test_a_retried_job_is_not_canceled_any_more() -> None:
    job = await claimed()
    await lifecycle.cancel(job.id)
    await lifecycle.end_canceled(job)
    again = await lifecycle.retry(job.id)
    assert again is not None
    assert again.cancel_requested is False


# Two operations at once: each job ends in one consistent state.

ROUNDS = 15


async def test_cancel_against_claim() -> None:
    for _ in range(ROUNDS):
        job = await submitted()
        asked, claim = await asyncio.gather(lifecycle.cancel(job.id), lifecycle.claim(LEASE))
        kept = await row(job)
        assert asked is not None
        assert (claim is None) == (kept.status == "canceled")
        if claim is not None:
            assert (kept.status, kept.cancel_requested) == ("running", True)
            await lifecycle.end_canceled(claim)


async def test_cancel_against_completion() -> None:
    for _ in range(ROUNDS):
        job = await with_a_prediction()
        asked, done = await asyncio.gather(lifecycle.cancel(job.id), lifecycle.complete(job, [an_output()]))
        kept = await row(job)
        assert done is not None
        assert (kept.status, kept.cancel_requested) == ("completed", asked is not None)
        assert nothing(kept.attempt, kept.lease_token)


async def test_claim_against_the_deadline() -> None:
    for _ in range(ROUNDS):
        job = await submitted()
        await passes(job.id, Job.deadline_at)
        claim, expired = await asyncio.gather(lifecycle.claim(LEASE), lifecycle.expire())
        assert (claim is None) == (len(expired) == 1)
        assert (await row(job)).status == ("failed" if claim is None else "running")


async def test_retry_against_deletion_and_against_itself() -> None:
    for _ in range(ROUNDS):
        job = await submitted()
        await lifecycle.cancel(job.id)
        first, second, deleted = await asyncio.gather(
            lifecycle.retry(job.id), lifecycle.retry(job.id), lifecycle.delete(job.id)
        )
        assert [first, second, deleted].count(None) == 2
        assert ((await row(job)).deleted_at is not None) == (deleted is not None)
        await lifecycle.cancel(job.id)


async def test_of_two_workers_that_end_a_job_one_does() -> None:
    for _ in range(ROUNDS):
        job = await with_a_prediction()
        answers = await asyncio.gather(
            lifecycle.complete(job, [an_output()]),
            lifecycle.fail(job, FINAL, P1),
            lifecycle.postpone(job, PASSING, 60.0, P1),
        )
        [answer] = [answer for answer in answers if answer]
        assert (await row(job)).status == answer.status
        assert await Output.count().where(Output.job == job.id) == (answer.status == "completed")
        assert await Attempt.count().where(Attempt.finished_at.is_null()) == 0


async def test_after_a_retry_the_old_worker_changes_nothing_while_the_new_one_works() -> None:
    old = await with_a_prediction()
    await passes(old.id, Job.lease_until)
    assert await lifecycle.fail(await taken_over(), FINAL, P1) is not None
    await lifecycle.retry(old.id)
    assert await lifecycle.complete(old, [an_output()]) is None
    new = await lifecycle.claim(LEASE)
    assert new is not None
    assert await lifecycle.complete(old, [an_output()]) is None
    assert await lifecycle.renew([old.lease_token], LEASE) == {}
    await lifecycle.release([old.lease_token])
    assert await lifecycle.take_over(LEASE) is None
    assert (await row(old)).lease_token == new.lease_token
    assert await lifecycle.complete(new, [an_output()]) is not None
    assert await Output.count() == 1


async def test_a_late_worker_brings_nothing_back_of_a_deleted_job() -> None:
    old = await with_a_prediction()
    await passes(old.id, Job.lease_until)
    assert await lifecycle.fail(await taken_over(), FINAL, P1) is not None
    assert await lifecycle.delete(old.id) is not None
    assert await lifecycle.complete(old, [an_output()]) is None
    assert await attempts.begin(old, "m/m:1", {}) is None
    assert await Output.count() == await Attempt.count() == 0


async def goes_back(back: str, job: Job) -> Job | None:
    """Send a job back to the queue in one of the possible ways."""
    if back == "postponed":
        return await lifecycle.postpone(job, PASSING, 60.0, P1)
    if back == "put back":
        return await lifecycle.unclaim(job, PASSING)
    if back == "going on later":
        return await lifecycle.resume_later(job, PASSING, 60.0)
    if back == "given back":
        await lifecycle.release([job.lease_token])
    else:
        await passes(job.id, Job.lease_until)
        await lifecycle.requeue()
    return await row(job)


BACK = ["postponed", "put back", "left", "given back"]


@pytest.mark.parametrize("back", [*BACK, "going on later"])
async def test_a_job_that_goes_back_to_the_queue_is_not_too_late_to_cancel(
    back: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker changes the job between the statements of `cancel`."""
    job = await with_a_prediction() if back in ("postponed", "going on later") else await claimed()
    change = transitions.change

    async def then_the_worker_comes_between(where: Any, changes: Any) -> Job | None:
        answer = await change(where, changes)
        monkeypatch.setattr(lifecycle, "change", change)
        assert await goes_back(back, job) is not None
        return answer

    monkeypatch.setattr(lifecycle, "change", then_the_worker_comes_between)
    assert await lifecycle.cancel(job.id) is not None
    went_back = await row(job)
    assert went_back.cancel_requested
    assert went_back.status == ("queued" if back == "going on later" else "canceled")


@pytest.mark.parametrize("back", BACK)
async def test_cancel_against_a_job_that_goes_back_to_the_queue(back: str) -> None:
    for _ in range(ROUNDS):
        job = await with_a_prediction() if back == "postponed" else await claimed()
        asked, _ = await asyncio.gather(lifecycle.cancel(job.id), goes_back(back, job))
        assert asked is not None
        canceled = await row(job)
        assert (canceled.status, canceled.finished_at is None) == ("canceled", False)
        assert nothing(canceled.attempt, canceled.lease_token, canceled.lease_until)
        await Attempt.delete(force=True)


@pytest.mark.parametrize("back", BACK)
async def test_a_job_that_is_to_be_canceled_does_not_go_back_to_wait_for_another_prediction(back: str) -> None:
    """The worker does not know this yet: the hint was lost, or the lease brings it ten seconds later."""
    job = await with_a_prediction() if back == "postponed" else await claimed()
    await lifecycle.cancel(job.id)
    answer = await goes_back(back, job)
    assert answer is not None
    assert (answer.status, (await row(job)).status) == ("canceled", "canceled")
    assert answer.finished_at is not None
    assert await lifecycle.claim(LEASE) is None


async def test_no_attempt_is_begun_at_a_job_that_is_to_be_canceled() -> None:
    job = await claimed()
    await lifecycle.cancel(job.id)
    assert await attempts.begin(job, "m/m:1", {}) is None
    assert await Attempt.count() == 0
    assert nothing((await row(job)).attempt)


@pytest.mark.parametrize("attempt", [True, False])
async def test_a_lease_that_was_given_back_is_not_renewed(attempt: bool) -> None:
    job = (await begun())[0] if attempt else await claimed()
    await lifecycle.release([job.lease_token])
    assert await lifecycle.renew([job.lease_token], LEASE) == {}
    again = await (lifecycle.take_over(LEASE) if attempt else lifecycle.claim(LEASE))
    assert again is not None
    assert again.id == job.id


async def test_without_leases_there_is_nothing_to_renew_or_release() -> None:
    job = await claimed()
    assert await lifecycle.renew([], LEASE) == {}
    await lifecycle.release([])
    assert (await row(job)).to_dict() == job.to_dict()


async def test_a_job_that_is_to_be_canceled_and_has_no_prediction_does_not_wait_to_be_gone_on_with() -> None:
    job = await claimed()
    await lifecycle.cancel(job.id)
    await lifecycle.resume_later(job, PASSING, 60.0)
    assert (await row(job)).status == "canceled"

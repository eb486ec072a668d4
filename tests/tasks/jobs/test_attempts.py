"""Attempts: stored before the request that may cost money, one at a time, and each with its own prediction."""

import asyncio
import json

import pytest

from tasks.db.database import now
from tasks.db.tables import Attempt, Job
from tasks.jobs import attempts, lifecycle
from tasks.replicate.client import Prediction
from tests.tasks.states import (
    FINAL,
    LEASE,
    P1,
    PASSING,
    begun,
    claimed,
    kept,
    nothing,
    passes,
    row,
    submitted,
    taken_over,
)


async def ending(end: str, job: Job, known: Prediction | None) -> Job | None:
    """End the attempt at a job in one of the possible ways."""
    if end == "complete":
        return await lifecycle.complete(job, [], known)
    if end == "fail":
        return await lifecycle.fail(job, FINAL, known)
    if end == "postpone":
        return await lifecycle.postpone(job, PASSING, 0.0, known)
    if end == "unclaim":
        return await lifecycle.unclaim(job, PASSING)
    return await lifecycle.end_canceled(job, known)


async def test_an_attempt_is_written_down_before_anything_is_sent() -> None:
    job, attempt = await begun()
    written = await kept(attempt)
    assert (written.job, written.number, written.version) == (job.id, 1, "owner/name:1")
    assert json.loads(written.input) == {"prompt": "a fox", "seed": 7}
    assert nothing(written.finished_at, written.prediction_id, written.error_code)
    assert written.created_at <= now()
    assert (await row(job)).attempt == attempt.id == job.attempt


async def test_no_other_attempt_is_begun_while_one_is_under_way() -> None:
    job, attempt = await begun()
    assert await attempts.begin(job, "owner/name:1", {}) is None
    assert [other.id for other in await Attempt.objects()] == [attempt.id]


async def test_of_attempts_begun_at_once_there_is_one() -> None:
    job = await claimed()
    answers = await asyncio.gather(*(attempts.begin(job, "owner/name:1", {}) for _ in range(5)))
    [attempt] = [answer for answer in answers if answer]
    assert (await row(job)).attempt == attempt.id
    assert await Attempt.count() == 1


async def test_who_takes_a_job_over_goes_on_with_its_attempt_and_begins_none() -> None:
    job, attempt = await begun()
    await attempts.record_prediction(job, attempt, "p1")
    await passes(job.id, Job.lease_until)
    new = await taken_over()
    found = await attempts.under_way(new)
    assert found is not None
    assert (found.id, found.prediction_id) == (attempt.id, "p1")
    assert await attempts.begin(new, "owner/name:1", {}) is None


async def test_attempts_are_numbered_within_their_job() -> None:
    job = await submitted()
    for number in (1, 2, 3):
        claim = await lifecycle.claim(LEASE)
        assert claim is not None
        attempt = await attempts.begin(claim, "owner/name:1", {})
        assert attempt is not None
        assert attempt.number == number
        await lifecycle.postpone(claim, PASSING, 0.0)
    await lifecycle.cancel(job.id)
    _, other = await begun()
    assert other.number == 1


async def test_without_an_attempt_none_is_under_way() -> None:
    job = await claimed()
    assert await attempts.under_way(job) is None


async def test_a_worker_whose_lease_was_taken_records_and_notes_nothing() -> None:
    old, attempt = await begun()
    await passes(old.id, Job.lease_until)
    await taken_over()
    assert await attempts.record_prediction(old, attempt, "p1") is False
    assert await attempts.adopt(old, attempt, "p1") is None
    assert await attempts.note(old, attempt, PASSING) is False
    untouched = await kept(attempt)
    assert nothing(untouched.prediction_id, untouched.error_code)


async def test_a_lease_that_ran_out_and_was_not_taken_still_records_what_was_paid_for() -> None:
    job, attempt = await begun()
    await passes(job.id, Job.lease_until)
    assert await attempts.record_prediction(job, attempt, "p1") is True
    assert (await kept(attempt)).prediction_id == "p1"


async def test_what_an_attempt_met_is_noted_and_does_not_end_it() -> None:
    job, attempt = await begun()
    assert await attempts.note(job, attempt, PASSING)
    noted = await kept(attempt)
    assert (noted.error_code, noted.error) == (PASSING.code, PASSING.message)
    assert nothing(noted.finished_at)
    assert (await row(job)).attempt == attempt.id


@pytest.mark.parametrize("end", ["complete", "fail", "postpone", "unclaim", "end_canceled"])
async def test_an_attempt_ends_with_what_becomes_of_its_job(end: str) -> None:
    job, attempt = await begun()
    if end != "unclaim":  # unclaim is for a prediction that was refused
        await attempts.record_prediction(job, attempt, P1.id)
    assert await ending(end, job, P1) is not None
    ended = await kept(attempt)
    assert ended.finished_at is not None
    assert ended.predict_time == (None if end == "unclaim" else 2.5)
    assert ended.metrics == (None if end == "unclaim" else json.dumps(P1.metrics))
    assert (ended.error_code is None) == (end == "complete")
    assert nothing((await row(job)).attempt)


# Webhooks assign predictions to their attempts.


async def test_a_webhook_tells_the_prediction_of_an_attempt_whose_answer_was_lost() -> None:
    job, attempt = await begun()
    assert await attempts.claim_prediction(attempt.id, "p1") == job.id
    assert (await kept(attempt)).prediction_id == "p1"


async def test_a_webhook_that_comes_again_names_the_job_again_and_changes_nothing() -> None:
    job, attempt = await begun()
    await attempts.record_prediction(job, attempt, "p1")
    before = (await kept(attempt)).to_dict()
    assert await attempts.claim_prediction(attempt.id, "p1") == job.id
    assert (await kept(attempt)).to_dict() == before


async def test_another_prediction_does_not_take_the_place_of_the_one_that_is_known() -> None:
    job, attempt = await begun()
    await attempts.record_prediction(job, attempt, "p1")
    assert await attempts.claim_prediction(attempt.id, "p2") is None
    assert (await kept(attempt)).prediction_id == "p1"


async def test_what_the_answer_to_the_request_names_is_the_prediction_whatever_was_told_before() -> None:
    job, attempt = await begun()
    assert await attempts.claim_prediction(attempt.id, "p2") == job.id
    assert await attempts.record_prediction(job, attempt, "p1")
    assert (await kept(attempt)).prediction_id == "p1"


async def test_a_webhook_does_not_give_an_attempt_the_prediction_of_another() -> None:
    (first, its), (_, others) = await begun(), await begun()
    await attempts.record_prediction(first, its, "p1")
    assert await attempts.claim_prediction(others.id, "p1") is None
    assert nothing((await kept(others)).prediction_id)


async def test_a_late_webhook_does_not_touch_an_attempt_that_has_ended() -> None:
    job, attempt = await begun()
    await lifecycle.fail(job, FINAL)
    assert await attempts.claim_prediction(attempt.id, "p1") is None
    assert nothing((await kept(attempt)).prediction_id)


async def test_a_webhook_for_an_attempt_that_was_deleted_or_never_was_is_nobodys() -> None:
    job, attempt = await begun()
    await lifecycle.complete(job, [])
    await lifecycle.delete(job.id)
    assert await attempts.claim_prediction(attempt.id, "p1") is None


async def test_when_webhook_and_worker_learn_of_the_prediction_at_once_both_are_right() -> None:
    for _ in range(10):
        job, attempt = await begun()
        told, recorded = await asyncio.gather(
            attempts.claim_prediction(attempt.id, "p1"), attempts.record_prediction(job, attempt, "p1")
        )
        assert (told, recorded) == (job.id, True)
        assert (await kept(attempt)).prediction_id == "p1"
        await lifecycle.complete(job, [])
        await lifecycle.delete(job.id)


@pytest.mark.parametrize("end", ["fail", "postpone", "unclaim", "end_canceled"])
async def test_an_attempt_whose_prediction_was_told_meanwhile_does_not_end_without_it(end: str) -> None:
    """The worker finds no prediction and settles the attempt, but during its search a webhook named one."""
    job, attempt = await begun()
    assert await attempts.claim_prediction(attempt.id, "p1") == job.id  # the worker does not know it
    before = (await row(job)).to_dict(), (await kept(attempt)).to_dict()
    assert await ending(end, job, None) is None
    if end != "unclaim":
        assert await ending(end, job, Prediction("p2", "failed")) is None
    assert ((await row(job)).to_dict(), (await kept(attempt)).to_dict()) == before


@pytest.mark.parametrize("end", ["fail", "postpone", "unclaim", "end_canceled"])
async def test_when_a_webhook_names_a_prediction_as_its_attempt_ends_either_counts(end: str) -> None:
    for _ in range(10):
        job, attempt = await begun()
        told, ended = await asyncio.gather(attempts.claim_prediction(attempt.id, "p1"), ending(end, job, None))
        written = await kept(attempt)
        assert (told is None) == (ended is not None) == (written.finished_at is not None)
        assert written.prediction_id == ("p1" if told else None)
        assert (await row(job)).attempt == (attempt.id if told else None)
        await Attempt.delete(force=True)
        await Job.delete(force=True)


# Searches find predictions, which may belong to other attempts.


async def test_a_prediction_that_was_found_is_the_attempts_own_from_then_on() -> None:
    job, attempt = await begun()
    adopted = await attempts.adopt(job, attempt, "p1")
    assert adopted is not None
    assert (adopted.id, adopted.prediction_id) == (attempt.id, "p1")
    assert (await kept(attempt)).prediction_id == "p1"
    again = await attempts.adopt(job, attempt, "p1")
    assert again is not None
    assert again.prediction_id == "p1"


async def test_a_prediction_that_was_found_does_not_take_the_place_of_the_one_that_a_webhook_told() -> None:
    """The worker finds a prediction that looks the same, but a webhook has named the right one, which is paid for."""
    job, attempt = await begun()
    assert await attempts.claim_prediction(attempt.id, "the right one") == job.id
    adopted = await attempts.adopt(job, attempt, "one that looks the same")
    assert adopted is not None
    assert adopted.prediction_id == "the right one"
    assert (await kept(attempt)).prediction_id == "the right one"


async def test_when_webhook_and_search_name_predictions_at_once_both_learn_which_it_is() -> None:
    for _ in range(10):
        job, attempt = await begun()
        told, adopted = await asyncio.gather(
            attempts.claim_prediction(attempt.id, "told"), attempts.adopt(job, attempt, "found")
        )
        written = await kept(attempt)
        assert adopted is not None
        assert adopted.prediction_id == written.prediction_id == ("told" if told else "found")
        await Attempt.delete(force=True)


@pytest.mark.parametrize("ended", [False, True])
async def test_a_prediction_belongs_to_one_attempt(ended: bool) -> None:
    """Two responses of a model without a seed were lost. Both searches list both predictions and choose the first."""
    (first, its), (second, others) = await begun(), await begun()
    assert await attempts.adopt(first, its, "p1") is not None
    if ended:
        await lifecycle.complete(first, [])
    adopted = await attempts.adopt(second, others, "p1")
    assert adopted is not None
    assert nothing(adopted.prediction_id, (await kept(others)).prediction_id)
    other = await attempts.adopt(second, others, "p2")
    assert other is not None
    assert other.prediction_id == "p2"


async def test_of_two_searches_at_once_one_adopts_the_prediction() -> None:
    for number in range(10):
        (first, its), (second, others) = await begun(), await begun()
        name = f"p{number}"
        adopted = await asyncio.gather(attempts.adopt(first, its, name), attempts.adopt(second, others, name))
        assert sorted(str(attempt and attempt.prediction_id) for attempt in adopted) == ["None", name]


@pytest.mark.parametrize("end", ["complete", "fail", "postpone"])
async def test_the_end_of_what_the_model_wrote_is_kept_whatever_it_wrote(end: str) -> None:
    job, attempt = await begun()
    known = Prediction("p1", "failed", logs="the beginning" + "x" * 20_000 + "\0\ud800 the end")
    assert await ending(end, job, known)
    logs = (await kept(attempt)).logs
    assert logs.endswith(" the end")
    assert "\0" not in logs
    assert "the beginning" not in logs
    assert len(logs) <= 16_384

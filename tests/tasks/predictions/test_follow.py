"""Following a prediction to its end: by polling or by news, at its deadline, and when it is canceled."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from tasks.backoff import DEFAULT_TIMINGS, Timings
from tasks.db.database import now
from tasks.db.tables import Job, Stage, Status
from tasks.errors import DatabaseAway, Failure
from tasks.jobs import attempts, lifecycle
from tasks.jobs.insert import Terms
from tasks.jobs.leases import Lease, Leases
from tasks.messaging.events import News
from tasks.models import registry
from tasks.predictions import follow
from tasks.predictions.polling import Poller
from tasks.replicate.client import UNSEEN, Prediction, Replicate
from tasks.settings import settings
from tests.conftest import Faults
from tests.tasks.work import SDXL, Counted, ended, existing, submitted, until
from tests.waiting import eventually

pytestmark = pytest.mark.once

LONG_BEFORE_THE_SAFETY_POLL = 20.0  # seconds
LONG_BEFORE_ITS_OWN_END = 30.0  # seconds; the prediction takes 60


@dataclass
class Following:
    """A prediction that is followed. has_ended() does not count as a look at it."""

    job: Job
    lease: Lease
    replicate: Counted
    prediction: Prediction
    timings: Timings = DEFAULT_TIMINGS

    async def to_the_end(self) -> Prediction:
        """Follow the prediction to its end."""
        return await follow.to_the_end(self.lease, self.prediction, Poller(self.replicate), self.timings)

    def hear(self, status: str, progress: float | None = None) -> None:
        """Deliver news of the prediction to the worker."""
        self.lease.hear(News(self.job.id, status, progress))

    async def has_ended(self) -> bool:
        """Return whether the prediction has ended at Replicate."""
        return (await Replicate.get(self.replicate, self.prediction.id)).ended


@pytest.fixture
async def following(faults: Faults, request: pytest.FixtureRequest) -> AsyncIterator[Following]:
    """Yield a prediction just created for a claimed job.

    It runs for the seconds in the fixture's parameter, or for one second.
    """
    await faults.script({"on": "create", "do": "run", "seconds": getattr(request, "param", 1)})
    model = registry.built_in(SDXL)
    assert model is not None
    await lifecycle.submit("a followed fox", SDXL, {})
    job = await lifecycle.claim(30)
    assert job is not None
    arguments = model.arguments(job.prompt, {"width": 64, "height": 64})
    attempt = await attempts.begin(job, model.reference, arguments)
    assert attempt is not None
    replicate = Counted()
    prediction = await replicate.create(model.reference, arguments, 60)
    await attempts.record_prediction(job, attempt, prediction.id)
    async with Leases().hold(job) as lease:
        yield Following(job, lease, replicate, prediction)
    await replicate.aclose()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Turn webhooks on."""
    monkeypatch.setattr(follow, "settings", settings.model_copy(update={"public_url": "https://darkroom.test"}))


@pytest.mark.parametrize("following", [3], indirect=True)
async def test_without_webhooks_it_is_looked_at_from_time_to_time(following: Following) -> None:
    assert (await following.to_the_end()).status == "succeeded"
    assert following.replicate.looks[following.prediction.id] > 1


@pytest.mark.usefixtures("told")
async def test_word_that_it_has_ended_leads_to_a_look_at_once(following: Following) -> None:
    end = asyncio.create_task(following.to_the_end())
    await eventually(following.has_ended)
    assert not following.replicate.looks
    following.hear("succeeded")
    async with asyncio.timeout(LONG_BEFORE_THE_SAFETY_POLL):
        assert (await end).status == "succeeded"
    assert following.replicate.looks[following.prediction.id] == 1


@pytest.mark.usefixtures("told")
async def test_that_it_has_ended_is_not_forgotten_over_older_news_that_come_later(following: Following) -> None:
    await eventually(following.has_ended)
    following.hear("succeeded")
    following.hear("processing", 0.5)
    async with asyncio.timeout(LONG_BEFORE_THE_SAFETY_POLL):
        assert (await following.to_the_end()).status == "succeeded"


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("following", [3], indirect=True)
async def test_an_end_that_replicate_does_not_confirm_is_looked_for_again_soon(following: Following) -> None:
    following.hear("succeeded")
    async with asyncio.timeout(LONG_BEFORE_THE_SAFETY_POLL):
        assert (await following.to_the_end()).status == "succeeded"
    assert following.replicate.looks[following.prediction.id] > 1


@pytest.mark.usefixtures("told")
async def test_an_end_that_replicate_cannot_confirm_for_now_is_looked_for_again_soon(
    following: Following, faults: Faults
) -> None:
    await eventually(following.has_ended)
    await faults.script({"on": "get", "do": "reset"}, {"on": "get", "do": "status", "status": 500})
    following.hear("succeeded")
    async with asyncio.timeout(LONG_BEFORE_THE_SAFETY_POLL):
        assert (await following.to_the_end()).status == "succeeded"


@pytest.mark.usefixtures("told")
async def test_without_news_the_safety_poll_finds_the_end(following: Following) -> None:
    following.timings = Timings(webhook_poll=1.5)
    assert (await following.to_the_end()).status == "succeeded"
    assert following.replicate.looks[following.prediction.id] <= 2


@pytest.mark.usefixtures("told")
async def test_a_prediction_known_by_its_id_alone_is_looked_at_at_once(following: Following) -> None:
    await eventually(following.has_ended)
    following.prediction = Prediction(following.prediction.id, UNSEEN)
    async with asyncio.timeout(LONG_BEFORE_THE_SAFETY_POLL):
        assert (await following.to_the_end()).status == "succeeded"


@pytest.mark.parametrize("following", [60], indirect=True)
@pytest.mark.usefixtures("told")
async def test_how_far_it_is_stands_in_the_row(following: Following, monkeypatch: pytest.MonkeyPatch) -> None:
    async def shows(stage: Stage, progress: float | None) -> bool:
        job = (await existing(following.job.id)).job
        return (job.stage, job.progress) == (stage, progress)

    end = asyncio.create_task(following.to_the_end())
    await eventually(lambda: shows(Stage.STARTING, None))
    following.hear("processing", 0.25)
    await eventually(lambda: shows(Stage.PROCESSING, 0.25))
    real = lifecycle.report

    async def away(*_: Any) -> bool:
        monkeypatch.setattr(lifecycle, "report", real)
        raise DatabaseAway("The database is not responding")

    monkeypatch.setattr(lifecycle, "report", away)
    following.hear("processing", 0.5)
    await eventually(lambda: _is(lifecycle.report, real))
    following.hear("processing", 0.5)
    await eventually(lambda: shows(Stage.PROCESSING, 0.5))
    assert not following.replicate.looks
    end.cancel()
    await asyncio.gather(end, return_exceptions=True)


async def _is(one: object, other: object) -> bool:
    return one is other


@pytest.mark.parametrize("following", [60], indirect=True)
@pytest.mark.parametrize("webhooks", [True, False])
async def test_what_was_called_off_before_it_is_followed_is_canceled_at_once(
    following: Following, webhooks: bool, request: pytest.FixtureRequest
) -> None:
    if webhooks:
        request.getfixturevalue("told")
    following.lease.cancel_requested = True
    async with asyncio.timeout(LONG_BEFORE_ITS_OWN_END):
        assert (await following.to_the_end()).status == "canceled"


@pytest.mark.parametrize("following", [60], indirect=True)
@pytest.mark.usefixtures("told")
async def test_a_cancel_that_fails_is_sent_again(following: Following, faults: Faults) -> None:
    await faults.script({"on": "cancel", "do": "status", "status": 500}, {"on": "cancel", "do": "reset"})
    end = asyncio.create_task(following.to_the_end())
    following.lease.call_off()
    async with asyncio.timeout(LONG_BEFORE_ITS_OWN_END):
        assert (await end).status == "canceled"


@pytest.mark.parametrize("following", [60], indirect=True)
@pytest.mark.usefixtures("told")
async def test_at_the_deadline_it_is_canceled_although_news_keep_coming(following: Following) -> None:
    following.job.deadline_at = now() + timedelta(seconds=1)
    end = asyncio.create_task(following.to_the_end())
    async with asyncio.timeout(LONG_BEFORE_ITS_OWN_END):
        while not end.done():
            following.hear("processing", 0.5)
            await asyncio.wait([end], timeout=0.4)
    assert (await end).status == "canceled"


async def test_a_prediction_that_replicate_has_forgotten_is_lost(following: Following) -> None:
    following.timings = Timings(missing=1.0)
    following.prediction = Prediction("neverheardof", UNSEEN)
    with pytest.raises(Failure) as raised:
        await following.to_the_end()
    assert (raised.value.code, raised.value.passing) == ("prediction_lost", False)


@pytest.mark.parametrize("following", [60], indirect=True)
async def test_long_after_replicates_own_deadline_it_is_given_up(following: Following) -> None:
    following.timings = Timings(grace=1.0 - settings.prediction_timeout)
    with pytest.raises(Failure) as raised:
        await following.to_the_end()
    assert (raised.value.code, raised.value.passing) == ("provider_timeout", True)


async def test_a_job_past_its_deadline_is_canceled_at_replicate_and_fails_with_that_reason(working: Faults) -> None:
    await working.script({"on": "create", "match": "late fox", "do": "run", "seconds": 60})
    job = await lifecycle.submit("a late fox", SDXL, {"width": 64, "height": 64}, Terms(finish_within=5))
    card = await ended(job)
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "deadline")
    [prediction] = await working.created("a late fox")
    assert prediction["status"] == "canceled"


async def test_a_deadline_that_replicate_keeps_by_itself_is_told_as_one(working: Faults) -> None:
    await working.script(
        {"on": "create", "match": "punctual", "do": "run", "seconds": 60},
        {"on": "cancel", "do": "status", "status": 500, "times": 0},
    )
    job = await lifecycle.submit("a punctual fox", SDXL, {"width": 64, "height": 64}, Terms(finish_within=7))
    card = await ended(job)
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "deadline")


async def test_a_prediction_that_succeeds_before_it_could_be_called_off_is_kept(working: Faults) -> None:
    await working.script(
        {"on": "create", "match": "racing", "do": "run", "seconds": 1.5},
        {"on": "cancel", "match": "racing", "do": "status", "status": 500, "times": 0},
    )
    job = await submitted("a racing fox")
    await until(job.id, lambda card: card.job.stage in (Stage.STARTING, Stage.PROCESSING))
    asked = await lifecycle.cancel(job.id)
    assert asked is not None
    assert asked.cancel_requested
    assert (await ended(job)).job.status == Status.COMPLETED

"""Another worker continues what a worker leaves behind."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import IO

import httpx
import pytest
from obstore.store import ObjectStore

from tasks.db import database
from tasks.db.database import DB, now
from tasks.db.tables import Attempt, Job, Status
from tasks.files import pending_files
from tasks.files.storage import Storage
from tasks.jobs import attempts, insert, lifecycle, transitions
from tasks.library import cards
from tasks.library.cards import Card
from tasks.messaging import events
from tasks.messaging.broker import broker
from tasks.models import registry
from tasks.replicate.client import Prediction, Replicate
from tasks.settings import settings
from tasks.worker import rescuer
from tests.conftest import Faults
from tests.tasks.states import FINAL, passes, taken_over
from tests.tasks.work import SDXL, a_worker, at_work, ended, existing, files_of, submitted, until
from tests.waiting import eventually


async def test_a_worker_that_stops_hands_its_jobs_to_the_next_which_goes_on_with_the_same_prediction(
    faults: Faults,
) -> None:
    await faults.script({"on": "create", "match": "handed", "do": "run", "seconds": 3})
    job = await submitted("a fox handed on")
    async with at_work():
        await until(job.id, lambda card: card.job.stage == "processing")
    left = await cards.by_id(job.id)
    assert left is not None
    assert left.job.status == Status.RUNNING
    async with at_work():
        card = await ended(job)
    assert card.job.status == Status.COMPLETED
    assert len(await faults.created("a fox handed on")) == 1


async def test_a_job_that_a_crash_left_is_taken_up_where_it_was(faults: Faults) -> None:
    """The crash leaves a lease that is not renewed, and an attempt whose answer was never stored."""
    model = registry.built_in(SDXL)
    assert model is not None
    job = await submitted("a fox left behind")
    crashed = await lifecycle.claim(-1)
    assert crashed is not None
    arguments = model.arguments(crashed.prompt, {"width": 64, "height": 64})
    await attempts.begin(crashed, model.reference, arguments)
    replicate = Replicate()
    await replicate.create(model.reference, arguments, 60)
    await replicate.aclose()
    async with at_work():
        card = await ended(job)
    assert card.job.status == Status.COMPLETED
    assert len(await faults.created("a fox left behind")) == 1


async def test_a_job_runs_when_its_hint_was_lost(working: Faults) -> None:
    await events.redis().flushall()
    moment = now()
    job = Job(
        prompt="a forgotten fox",
        model=SDXL,
        parameters='{"width":64,"height":64}',
        created_at=moment,
        changed_at=moment,
        due_at=moment,
    )
    await job.save()
    assert (await ended(job)).job.status == Status.COMPLETED


async def hints_are(count: int) -> bool:
    return await broker.waiting(most=10) == count


async def test_rescue_gives_one_hint_for_each_due_job_and_none_twice(database: None, new_queue: None) -> None:
    moment = now()
    for due in (moment, moment, moment + timedelta(hours=1)):
        await Job(prompt="p", model=SDXL, created_at=moment, changed_at=moment, due_at=due).save()

    async with a_worker() as worker:
        assert await rescuer.rescue(worker) == 2
        await eventually(lambda: hints_are(2))
        assert await rescuer.rescue(worker) == 0


async def test_no_attempt_is_left_open_when_all_is_done(working: Faults) -> None:
    many: list[Awaitable[Card]] = [ended(await submitted(f"tidy {number}")) for number in range(5)]
    await asyncio.gather(*many)
    assert await Attempt.count().where(Attempt.finished_at.is_null()) == 0
    assert await Job.count().where(Job.lease_token.is_not_null()) == 0


async def test_a_hint_that_died_with_its_worker_does_not_stand_for_work(database: None, new_queue: None) -> None:
    await lifecycle.submit("a fox whose hint was read and never deleted", SDXL, {})
    await eventually(lambda: hints_are(1))
    await broker._make_group()  # what the killed worker did: read, and not deleted
    read = await events.redis().xreadgroup("workers", "killed", {broker.queue_name: ">"}, count=1)
    assert len(read) == 1
    assert await broker.waiting(most=10) == 0
    async with a_worker() as worker:
        assert await rescuer.rescue(worker) == 1


async def test_a_worker_that_stops_waits_for_the_answer_to_a_request_that_is_out(faults: Faults) -> None:
    await faults.script({"on": "create", "match": "posted", "do": "slow", "seconds": 2})
    job = await submitted("a fox that was just posted")
    async with at_work():
        await eventually(lambda: posted(faults, "a fox that was just posted"))
    [attempt] = await cards.attempts(job.id)
    [prediction] = await faults.created("a fox that was just posted")
    assert attempt.prediction_id == prediction["id"]


async def test_a_worker_that_wakes_when_the_job_has_ended_otherwise_changes_no_file(
    faults: Faults, web: httpx.AsyncClient
) -> None:
    """The worker freezes while it stores its result. Meanwhile another one fails the job, and a third completes it."""
    job, frozen = await submitted("a fox put down twice"), Frozen.open(settings.storage_url)
    async with a_worker(frozen) as worker, a_worker() as third:
        async with worker.leases.hold(await claimed()) as lease:
            carrying = asyncio.create_task(worker.carry(lease))
            await frozen.reached.wait()
        lease.until = monotonic()
        await passes(job.id, Job.lease_until)
        [attempt] = await cards.attempts(job.id)
        known = Prediction(str(attempt.prediction_id), "succeeded")
        assert await lifecycle.fail(await taken_over(), FINAL, known) is not None
        assert await lifecycle.retry(job.id) is not None
        async with third.leases.hold(await claimed()) as another:
            await third.carry(another)
        frozen.thawed.set()
        await asyncio.wait([carrying])
    [output] = (await existing(job.id)).outputs
    served = await web.get(f"/media/{job.id}.png")
    assert sha256(served.content).hexdigest() == output.sha256
    await pending_files.sweep(frozen)
    assert files_of(job.id) == {output.stored_key, output.stored_preview_key, output.stored_thumbnail_key} - {None}


async def claimed() -> Job:
    job = await lifecycle.claim(30)
    assert job is not None
    return job


class Frozen(Storage):
    """Storage whose first write waits until it is thawed."""

    def __init__(self, store: ObjectStore | Path, name: str = "storage") -> None:
        super().__init__(store, name)
        self.reached, self.thawed = asyncio.Event(), asyncio.Event()

    async def put(self, key: str, content: IO[bytes] | bytes) -> None:
        self.reached.set()
        await self.thawed.wait()
        await super().put(key, content)


async def posted(faults: Faults, prompt: str) -> bool:
    return bool(await faults.created(prompt))


@pytest.mark.skipif(DB.engine_type != "postgres", reason="SQLite has the clock of this machine")
async def test_leases_are_reckoned_by_the_databases_clock_whatever_the_workers_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fast() -> datetime:
        return datetime.now(UTC) + timedelta(hours=1)

    for module in (database, lifecycle, attempts, transitions):
        monkeypatch.setattr(module, "now", fast)
    await submitted("a fox out of time")
    job = await lifecycle.claim(30)
    assert job is not None
    assert 25 < (job.lease_until - datetime.now(UTC)).total_seconds() < 35
    assert await attempts.begin(job, "m/m:1", {}) is not None
    assert await lifecycle.take_over(30) is None
    assert await lifecycle.renew([job.lease_token], 30) == {job.lease_token: False}


async def test_a_refusal_stays_known_when_its_worker_is_gone_before_it_ended_the_attempt(working: Faults) -> None:
    """Otherwise the next worker would search for a prediction that never existed, and end in doubt."""
    async with DB.transaction():
        job = insert.new_job("a fox that was refused", SDXL, {"width": 64, "height": 64}, insert.DEFAULTS, 1)
        await Job.insert(job)
        attempt = Attempt(job=job.id, number=1, version="m/m:1", input="{}", created_at=now())
        attempt.error, attempt.error_code = "Replicate refused the input.", "invalid_input"
        await attempt.save()
        await Job.update({Job.attempt: attempt.id}).where(Job.id == job.id)
    card = await ended(job)
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 0)
    assert len(await working.created("a fox that was refused")) == 1

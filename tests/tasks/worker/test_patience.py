"""How long a job may take, and the conditions that it waits for however long they last."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import IO

import msgspec
import pytest

from tasks.db.database import now
from tasks.db.tables import Job, Status
from tasks.errors import Failure
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.jobs.insert import Terms
from tasks.library import cards
from tasks.messaging import events
from tasks.replicate.client import Prediction, Replicate
from tasks.settings import settings
from tests.conftest import Faults
from tests.tasks.work import QUICK, at_work, ended, submitted, until

pytestmark = pytest.mark.once

SDXL = "stability-ai/sdxl"


async def test_a_job_that_runs_past_its_deadline_is_canceled_upstream_and_fails_with_deadline(working: Faults) -> None:
    await working.script({"on": "create", "match": "a fox that takes its time", "do": "run", "seconds": 60})
    job = await lifecycle.submit("a fox that takes its time", SDXL, {"width": 64, "height": 64}, Terms(finish_within=5))
    card = await ended(job)
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "deadline")
    assert (now() - job.created_at).total_seconds() < 11
    [prediction] = await working.created("a fox that takes its time")
    assert prediction["status"] == "canceled"


async def test_replicate_is_told_the_deadline_so_that_an_orphan_ends_by_itself(working: Faults) -> None:
    job = await lifecycle.submit("a fox in time", SDXL, {"width": 64, "height": 64}, Terms(finish_within=100))
    await ended(job)
    [prediction] = await working.created("a fox in time")
    assert datetime.fromisoformat(prediction["deadline"]) <= job.created_at + timedelta(seconds=110)


async def test_a_job_that_still_waits_at_its_deadline_fails_without_being_paid_for(working: Faults) -> None:
    await events.redis().flushall()
    moment = now()
    job = Job(
        prompt="a fox too late", model=SDXL, created_at=moment, changed_at=moment, due_at=moment + timedelta(hours=1),
        deadline_at=moment + timedelta(seconds=0.2),
    )  # fmt: skip
    await job.save()
    card = await ended(job)
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "deadline")
    assert await working.created("a fox too late") == []


async def test_a_result_that_came_in_time_is_fetched_also_after_the_deadline(working: Faults) -> None:
    await working.script({"on": "file", "match": "a fox in the post", "do": "status", "status": 503, "times": 1})
    job = await submitted("a fox in the post")
    await until(job.id, lambda card: card.job.error_code is not None or card.job.status in lifecycle.ENDED)
    await Job.update({Job.deadline_at: now() - timedelta(seconds=1)}).where(Job.id == job.id)
    assert (await ended(job)).job.status == Status.COMPLETED


async def test_a_cold_boot_is_shown_and_no_failure(working: Faults) -> None:
    await working.script({"on": "create", "match": "a cold fox", "do": "boot", "seconds": 2})
    job = await submitted("a cold fox")
    await until(job.id, lambda card: card.job.stage == "starting")
    card = await ended(job)
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 0)


class Disk(Storage):
    """Storage that is full until `full` is False. refusals: how many files it has not taken."""

    full, refusals = True, 0

    async def put(self, key: str, content: IO[bytes] | bytes) -> None:
        if self.full:
            self.refusals += 1
            raise Failure("storage_unavailable", "The storage for finished files is not available.", passing=True)
        await super().put(key, content)


async def test_a_full_disk_is_waited_out_and_the_prediction_is_not_paid_for_again(faults: Faults) -> None:
    disk = Disk.open(settings.storage_url)
    async with at_work(disk):
        job = await submitted("a fox for a full disk")
        waiting = await until(job.id, lambda card: disk.refusals > 6)
        assert waiting.job.status in (Status.QUEUED, Status.RUNNING), "more tries than MAX_ATTEMPTS do not end it"
        assert (waiting.job.error_code, waiting.job.retry_count) == ("storage_unavailable", 0)
        disk.full = False
        assert (await ended(job)).job.status == Status.COMPLETED
    assert len(await faults.created("a fox for a full disk")) == 1
    assert len(await cards.attempts(job.id)) == 1


async def test_a_full_disk_is_waited_for_no_longer_than_replicate_keeps_the_output(faults: Faults) -> None:
    async with at_work(Disk.open(settings.storage_url), replace(QUICK, outputs_kept=1.0)):
        job = await submitted("a fox on a disk that stays full")
        await until(job.id, lambda card: card.job.error_code == "storage_unavailable")
        await faults.script({"on": "file", "match": "stays full", "do": "status", "status": 404, "times": 0})
        card = await ended(job)
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "output_gone")
    assert len(await faults.created("a fox on a disk that stays full")) == 1


async def test_a_job_that_waits_to_fetch_its_result_can_be_canceled(working: Faults) -> None:
    await working.script({"on": "file", "match": "is late", "do": "status", "status": 503, "times": 0})
    job = await submitted("a fox whose file is late")
    await until(job.id, lambda card: card.job.error_code is not None)
    assert await lifecycle.cancel(job.id) is not None
    card = await ended(job)
    assert card.job.status == Status.CANCELED
    assert [attempt.finished_at is not None for attempt in await cards.attempts(job.id)] == [True]


async def test_a_cancel_during_a_download_that_stalls_does_not_wait_for_it(working: Faults) -> None:
    await working.script({"on": "file", "match": "stalls", "do": "stall", "seconds": 25, "times": 0})
    job = await submitted("a fox whose file stalls")
    await until(job.id, lambda card: card.job.stage == "downloading")
    assert await lifecycle.cancel(job.id) is not None
    card = await until(job.id, lambda card: card.job.status in lifecycle.ENDED, within=15)
    assert card.job.status == Status.CANCELED


async def test_a_files_host_that_is_away_for_long_does_not_lose_a_paid_result(working: Faults) -> None:
    """Failed predictions before that do not shorten the wait for the files, either."""
    prompt = "a fox at a files host that is away"
    await working.script(
        {"on": "create", "match": prompt, "do": "fail_prediction", "error": "(code: PA)", "times": 4},
        *({"on": "file", "match": prompt, "do": "status", "status": status, "times": 4} for status in (503, 404, 401)),
    )
    card = await ended(await submitted(prompt))
    assert (card.job.status, card.job.retry_count) == (Status.COMPLETED, 4)
    assert len(await working.created(prompt)) == 5


async def test_a_file_that_comes_damaged_again_and_again_ends_the_job(working: Faults) -> None:
    damaged = {"on": "file", "do": "status", "status": 200, "body": "no picture", "times": 0}
    await working.script({"match": "damaged for good", **damaged})
    job = await submitted("a fox damaged for good")
    card = await ended(job)
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "output_unreadable")
    [attempt] = await cards.attempts(job.id)
    assert attempt.finished_at is not None


class Forgetful(Replicate):
    """A Replicate that has removed every output."""

    async def get(self, prediction_id: str) -> Prediction:
        seen = await super().get(prediction_id)
        return msgspec.structs.replace(seen, status="succeeded", output=None, data_removed=True)


async def test_a_result_that_replicate_has_deleted_is_said_to_be_gone(faults: Faults) -> None:
    """No worker ran until Replicate had removed the output. The model did produce one."""
    await faults.script({"on": "create", "match": "came too late for", "do": "output", "output": None})
    async with at_work(replicate=Forgetful()):
        card = await ended(await submitted("a fox that we came too late for"))
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "output_gone")

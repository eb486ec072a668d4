"""What a worker logs of a job has the ids of the job and its attempt, and nothing else has them."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.contextvars import get_contextvars

from tasks.db.tables import Job, Status
from tasks.files import library_mark
from tasks.jobs import lifecycle
from tasks.library import cards
from tests import factories
from tests.conftest import Faults
from tests.tasks.work import SDXL, a_worker, at_work, ended, existing, submitted
from tests.waiting import eventually

IDS = {"job_id", "attempt_id"}


class Heard(logging.Handler):
    """What is logged from INFO on: each message with the ids that are bound where it is logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.told: list[tuple[str, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        bound = get_contextvars()
        self.told.append((record.getMessage(), {name: bound[name] for name in IDS & bound.keys()}))

    def of(self, job: Job) -> list[dict[str, Any]]:
        """Return the ids that are bound where messages name a job."""
        return [ids for message, ids in self.told if str(job.id) in message]

    def beginning(self, words: str) -> list[dict[str, Any]]:
        """Return the ids that are bound where messages begin with these words."""
        return [ids for message, ids in self.told if message.startswith(words)]


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler, ours = Heard(), logging.getLogger("tasks")
    level = ours.level
    ours.addHandler(handler)
    ours.setLevel(logging.INFO)
    yield handler
    ours.setLevel(level)
    ours.removeHandler(handler)


async def ids_of(job: Job) -> dict[str, str]:
    [attempt] = await cards.attempts(job.id)
    return {"job_id": str(job.id), "attempt_id": str(attempt.id)}


async def test_each_of_the_jobs_that_run_at_once_has_its_own(faults: Faults, heard: Heard) -> None:
    await faults.script({"on": "create", "match": "broken", "do": "fail_prediction", "times": 0})
    jobs = [await submitted(f"broken fox {number}") for number in range(4)]
    async with at_work():
        for job in jobs:
            assert (await ended(job)).job.status == Status.FAILED
    for job in jobs:
        assert heard.of(job) == [await ids_of(job)]


async def test_a_refused_request_is_logged_with_its_attempt(faults: Faults, heard: Heard) -> None:
    await faults.script({"on": "create", "match": "refused", "do": "status", "status": 422, "body": {"detail": "No."}})
    job = await submitted("a refused fox")
    async with at_work():
        assert (await ended(job)).job.error_code == "invalid_input"
    assert heard.of(job) == [await ids_of(job)]


async def test_so_is_what_goes_wrong_with_its_prediction(faults: Faults, heard: Heard) -> None:
    unanswered = {"on": "get", "do": "status", "status": 500}
    await faults.script({"on": "create", "match": "unseen", "do": "fail_prediction"}, unanswered)
    job = await submitted("an unseen fox")
    async with at_work():
        await ended(job)
    assert heard.beginning("prediction ") == [await ids_of(job)]


async def test_so_is_an_attempt_that_another_worker_left(faults: Faults, heard: Heard) -> None:
    await submitted("a fox that is left")
    job = await factories.running(SDXL, "unknown-to-replicate")
    await lifecycle.release([job.lease_token])

    async def is_looked_for() -> bool:
        return bool(heard.beginning("prediction unknown-to-replicate: not found"))

    async with at_work():
        await eventually(is_looked_for)
    assert heard.beginning("prediction unknown-to-replicate: not found")[0] == await ids_of(job)


async def test_the_next_job_of_a_task_has_no_attempt_of_the_one_before(faults: Faults, heard: Heard) -> None:
    await faults.script({"on": "create", "match": "broken", "do": "fail_prediction"})
    first, second = await submitted("a broken fox"), await submitted("a fox of no model", "nobody/nothing", x=1)
    async with a_worker() as worker:
        await library_mark.begin(worker.storage)
        for job in (first, second):
            await worker.generate()
            assert (await existing(job.id)).job.status == Status.FAILED
    assert heard.of(first) == [await ids_of(first)]
    assert heard.of(second) == [{"job_id": str(second.id)}]
    assert IDS & get_contextvars().keys() == set()


async def test_what_the_model_said_is_not_logged(faults: Faults, heard: Heard) -> None:
    said = "The prompt 'a secret fox' is not allowed here."
    await faults.script({"on": "create", "match": "secret", "do": "fail_prediction", "error": said})
    job = await submitted("a secret fox")
    async with at_work():
        card = await ended(job)
    assert said in str(card.job.error)
    assert [message for message, _ in heard.told] == [f"job {job.id}: model_error"]

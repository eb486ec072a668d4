"""A job is waited for, also where Darkroom is away for a while or does not let requests wait."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.webapp.client.conftest import Pauses, answering
from webapp.client.connection import Connection
from webapp.client.exceptions import Unreachable
from webapp.client.job import FOLLOW_TRIES, Job

pytestmark = pytest.mark.once

JOB_ID = "019ab0c4-5d1e-7b36-9533-e50ac26d7632"
CUT = httpx.ReadError("The connection was cut.")


def state(status: str, **headers: str) -> httpx.Response:
    members: dict[str, Any] = {
        "job_id": JOB_ID, "status": status, "prompt": "a fox", "model": "a/b", "parameters": {}, "priority": "normal",
        "created_at": "2026-11-30T10:00:00Z", "retry_count": 0, "of_a_newer_darkroom": 1,
    }  # fmt: skip
    return httpx.Response(200, json=members, headers=headers)


def job(pauses: Pauses, *answers: httpx.Response | Exception) -> Job:
    seconds = iter(range(1000))
    connection = Connection(
        "http://there", None, answering(*answers), sleep=pauses, clock=lambda: next(seconds), chance=lambda: 1.0
    )
    return Job(connection, UUID(JOB_ID))


def test_where_requests_may_not_wait_it_is_asked_again_after_a_pause(pauses: Pauses) -> None:
    waiting = state("queued", **{"Retry-After": "7"})
    assert job(pauses, waiting, state("running"), state("completed")).wait().state.status == "completed"
    assert pauses == [7.0, 1.0]


def test_a_request_that_has_waited_is_sent_again_at_once(pauses: Pauses) -> None:
    waited = state("running", **{"Preference-Applied": "wait=20", "Retry-After": "1"})
    assert job(pauses, waited, waited, state("failed")).wait().state.status == "failed"
    assert pauses == []


def test_a_wait_ends_after_its_seconds(pauses: Pauses) -> None:
    with pytest.raises(TimeoutError):
        job(pauses, state("running", **{"Preference-Applied": "wait=20"})).wait(5)


def test_a_darkroom_that_is_away_for_a_while_is_waited_for(pauses: Pauses) -> None:
    outage = [CUT] * (FOLLOW_TRIES - 1)
    assert job(pauses, *outage, state("completed")).wait().state.status == "completed"
    assert 30 < sum(pauses) < 60


def test_one_that_stays_away_is_told(pauses: Pauses) -> None:
    with pytest.raises(Unreachable):
        job(pauses, CUT).wait()
    with pytest.raises(Unreachable):
        list(job(pauses, CUT).changes())


def test_what_is_no_event_is_asked_for_instead(pauses: Pauses) -> None:
    broken = httpx.Response(200, content=b"data: <h1>It works!</h1>\n\n")
    assert [each.status for each in job(pauses, broken, state("completed")).changes()] == ["completed"]

"""What events say: thin, and with links that are absolute if there is an address for them."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from tasks.db.tables import Status
from tasks.outbox import events
from tasks.outbox.events import EndedJob
from tasks.settings import settings

pytestmark = pytest.mark.once

JOB, BATCH = UUID(int=7), UUID(int=8)
MOMENT = datetime(2026, 11, 30, 12, 0, 0, 42000, tzinfo=UTC)


def ended(status: Status, error_code: str | None = None, batch: UUID | None = None) -> EndedJob:
    return EndedJob(JOB, status, MOMENT, error_code, batch, None, "https://own.example.org/?token=secret")


def test_an_event_of_a_job_says_which_one_and_how_it_ended() -> None:
    event = events.job_ended(ended(Status.FAILED, error_code="moderated", batch=BATCH))
    assert json.loads(event.body) == {
        "type": "job.failed",
        "timestamp": "2026-11-30T12:00:00.042000Z",
        "data": {
            "job_id": str(JOB), "status": "failed", "error_code": "moderated", "batch": str(BATCH),
            "links": {"status": f"/status/{JOB}", "page": f"/jobs/{JOB}"},
        },
    }  # fmt: skip
    assert json.loads(events.job_ended(ended(Status.COMPLETED)).body)["data"].keys() == {"job_id", "status", "links"}


def test_no_event_tells_where_it_is_sent_and_none_is_large() -> None:
    for event in (
        events.job_ended(ended(Status.COMPLETED, batch=BATCH)),
        events.batch_ended(ended(Status.CANCELED, batch=BATCH)),
    ):
        assert "secret" not in event.body
        assert len(event.body) < 1000


def test_links_are_absolute_if_there_is_a_public_url(monkeypatch: pytest.MonkeyPatch) -> None:
    public = settings.model_copy(update={"public_url": "https://darkroom.example.org"})
    monkeypatch.setattr(events, "settings", public)
    said = json.loads(events.batch_ended(ended(Status.COMPLETED, batch=BATCH)).body)
    assert said["data"] == {
        "batch_id": str(BATCH),
        "links": {
            "status": f"https://darkroom.example.org/batches/{BATCH}.json",
            "page": f"https://darkroom.example.org/batches/{BATCH}",
        },
    }


def test_a_job_with_metadata_says_it() -> None:
    job = replace(ended(Status.COMPLETED), metadata='{"order": "17"}')
    assert events.job_ended(job).data["metadata"] == {"order": "17"}
    assert "metadata" not in events.job_ended(ended(Status.COMPLETED)).data

"""Events: what webhooks tell, and what each of them says. They are thin: what is not said is a link away."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import msgspec
from piccolo.querystring import QueryString

from tasks.db.tables import Status
from tasks.settings import settings


class EventType(StrEnum):
    """What has happened."""

    JOB_COMPLETED = "job.completed"
    """A job is completed."""
    JOB_FAILED = "job.failed"
    """A job has failed."""
    JOB_CANCELED = "job.canceled"
    """A job is canceled."""
    BATCH_ENDED = "batch.ended"
    """The last job of a batch has ended; again when one of them is retried."""
    BUDGET_WARNING = "budget.warning"
    """Most of a budget is used, told once in its day or month."""
    QUEUE_HALTED = "queue.halted"
    """No predictions are created any more."""
    QUEUE_STALLED = "queue.stalled"
    """Jobs wait although the workers have room for them, told once in an hour."""
    STORAGE_LOW = "storage.low"
    """Less than a tenth of the disk is free, told once in a day."""
    WORKER_GONE = "worker.gone"
    """A worker gives no sign of life, although it was not stopped. Another one tells it."""
    TEST = "webhook.test"
    """Somebody wants to see whether an endpoint works. Sent to that endpoint only."""


SUBSCRIBABLE = tuple(kind for kind in EventType if kind != EventType.TEST)
"""The types that an endpoint can have."""
REPLICATE = "replicate"
"""The origin of jobs that came in by Replicate's door. Their `webhook` is sent predictions, as Replicate sends them."""
OF_JOBS = (EventType.JOB_COMPLETED, EventType.JOB_FAILED, EventType.JOB_CANCELED)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened, of which programs are told.

    data: what the event says. key: what tells it from other events of all times; maybe as an SQL expression. owner: the
    person whose it is, None for nobody in particular. of_all: whether it concerns everyone instead. job: which one's
    event it is: those of one job are delivered in order. webhook: another address, that the job was submitted with.
    as_prediction: whether the prediction is sent there, see tasks/webhooks/predictions.py. only_if: an SQL condition
    without which there is no event.
    """

    type: EventType
    at: datetime
    data: Mapping[str, Any]
    key: str | QueryString
    owner: UUID | None = None
    of_all: bool = False
    job: UUID | None = None
    webhook: str | None = None
    as_prediction: bool = False
    only_if: QueryString | None = None

    @property
    def body(self) -> str:
        """The JSON that is sent."""
        return msgspec.json.encode({"type": self.type, "timestamp": self.at, "data": self.data}).decode()


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that has just ended. The members are columns of its row."""

    id: UUID
    status: Status
    finished_at: datetime
    error_code: str | None
    batch: UUID | None
    owner: UUID | None
    webhook: str | None
    metadata: str | None = None
    origin: str = ""


def job_ended(job: EndedJob) -> Event:
    """Return the event of a job that has just ended."""
    kind = EventType(f"job.{job.status}")
    data: dict[str, Any] = {"job_id": job.id, "status": job.status}
    if job.status == Status.FAILED:
        data["error_code"] = job.error_code
    if job.batch is not None:
        data["batch"] = job.batch
    if job.metadata:
        data["metadata"] = msgspec.json.decode(job.metadata)
    data["links"] = {"status": link(f"/status/{job.id}"), "page": link(f"/jobs/{job.id}")}
    key = f"{kind}:{job.id}:{job.finished_at.isoformat()}"
    return Event(
        kind, job.finished_at, data, key, job.owner, job=job.id, webhook=job.webhook,
        as_prediction=job.origin == REPLICATE,
    )  # fmt: skip


def batch_ended(last: EndedJob) -> Event:
    """Return the event of a batch that ended when its last unfinished job did. last: that job."""
    path = f"/batches/{last.batch}"
    data = {"batch_id": last.batch, "links": {"status": link(f"{path}.json"), "page": link(path)}}
    key = f"{EventType.BATCH_ENDED}:{last.batch}:{last.id}:{last.finished_at.isoformat()}"
    unfinished = "SELECT 1 FROM job WHERE job.batch = {} AND job.status IN ('queued', 'running')"
    none_left = QueryString(f"NOT EXISTS ({unfinished})", last.batch)
    return Event(
        EventType.BATCH_ENDED, last.finished_at, data, key, last.owner, webhook=last.webhook, only_if=none_left
    )


def link(path: str) -> str:
    """Return the address of a page or an answer of ours: absolute if PUBLIC_URL is set, else a path."""
    return f"{settings.public_url}{path}"

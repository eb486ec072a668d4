"""The shapes of what Darkroom answers. Members that do not apply are None."""

from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

from msgspec import Struct

Status = Literal["queued", "running", "completed", "failed", "canceled"]


class Options(TypedDict, total=False):
    """What a request may have besides its prompt. model: owner/name, or the name alone where it is that of one model.

    parameters: the model's other inputs. priority: low, normal or high. finish_within: seconds.
    """

    model: str | None
    parameters: dict[str, Any] | None
    priority: str | None
    finish_within: int | None
    made_from: UUID | str | None
    metadata: dict[str, str] | None
    webhook: str | None


class Shape(Struct, omit_defaults=True):
    """An object of the API. Members that this client does not know are ignored."""


class Cost(Shape):
    """An amount in US dollars, and what it rests on."""

    usd: str
    micros: int
    basis: str


class Output(Shape, kw_only=True):
    """A file that a job made. position: which of the job's. url: its path. duration: seconds. trashed: alone."""

    position: int
    url: str
    kind: str
    media_type: str
    bytes: int
    width: int | None = None
    height: int | None = None
    duration: float | None = None
    sha256: str
    preview_url: str | None = None
    favorite: bool = False
    rating: int | None = None
    trashed: bool = False


class Job(Shape, kw_only=True):
    """A job as it was when the response was made. progress: from 0 to 1."""

    job_id: UUID
    status: Status
    result_url: str | None = None
    outputs: list[Output] | None = None
    error: str | None = None
    error_code: str | None = None
    stage: str | None = None
    progress: float | None = None
    place: int | None = None
    estimated_start: datetime | None = None
    retry_at: datetime | None = None
    last_error: str | None = None
    last_error_code: str | None = None
    deadline_at: datetime | None = None
    prompt: str
    model: str
    parameters: dict[str, Any]
    priority: str
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    retry_count: int
    seed: int | None = None
    made_from: UUID | None = None
    batch: UUID | None = None
    owner: str | None = None
    key: str | None = None
    origin: str | None = None
    favorite: bool | None = None
    rating: int | None = None
    tags: list[str] | None = None
    collections: list[str] | None = None
    notes: str | None = None
    trashed_at: datetime | None = None
    cost: Cost | None = None
    hold: Cost | None = None
    metadata: dict[str, str] | None = None
    cancel: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the job is completed, failed or canceled."""
        return self.status not in ("queued", "running")


class SubmittedJob(Shape):
    """A job of which no more is known than this."""

    job_id: UUID
    status: Status


class JobPage(Shape):
    """A page of jobs. next: the path of the next page."""

    jobs: list[Job]
    next: str | None = None


class Model(Shape):
    """A model. name: owner/name, or owner/name:version."""

    name: str
    kind: str
    official: bool
    description: str
    version: str | None = None


class ModelList(Shape):
    """The models to choose from."""

    models: list[Model]


class Upload(Shape, kw_only=True):
    """A stored file. url: its path, which a parameter that takes a file accepts."""

    url: str
    kind: str
    media_type: str
    bytes: int
    width: int | None = None
    height: int | None = None
    sha256: str


class Price(Shape):
    """A price as it is published. source: where. checked: the day when it was last read there."""

    text: str
    source: str
    checked: str


class Budget(Shape, kw_only=True):
    """A budget, and what is left of it, in US dollars."""

    scope: str
    name: str | None = None
    period: str
    limit: str | None = None
    spent: str | None = None
    held: str | None = None
    left: str
    needs: str | None = None
    resets_at: datetime | None = None


class Estimate(Shape):
    """What a request is expected to cost: from low to high, in US dollars; None if no price is known."""

    jobs: int
    basis: str
    low: str | None = None
    high: str | None = None
    price: Price | None = None
    left: Budget | None = None


class Fault(Shape):
    """An error in one place of a request. pointer: a JSON Pointer as a URI fragment."""

    pointer: str
    detail: str


class Problem(Shape):
    """An error (RFC 9457). code: stable, for programs. request_id: what the operator finds it by in the log."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[Fault] | None = None
    budget: Budget | None = None
    request_id: str | None = None

"""The shapes that Replicate's API answers with, made of ours: predictions, models, versions and files.

Source: Replicate's OpenAPI document. The official Python client refuses null in some of its members: there, what
Darkroom does not know is empty.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

from msgspec import UNSET, Struct

from tasks.db import tables
from tasks.db.tables import ENDED, Job, Status
from tasks.files import input_files, uploads
from tasks.library.cards import Card, Run
from tasks.models import registry
from tasks.models.names import bare
from webapp.schemas.members import Maybe

Row = TypeVar("Row")
State = Literal["starting", "processing", "succeeded", "failed", "canceled", "aborted"]

ROOT = "/replicate"
FILE = re.compile(rf"{ROOT}(/v1)?/files/")
STATES: Mapping[str, State] = {
    Status.QUEUED: "starting",
    Status.RUNNING: "processing",
    Status.COMPLETED: "succeeded",
    Status.FAILED: "failed",
    Status.CANCELED: "canceled",
}
HIDDEN = "hidden"  # the version of official models
NO_MOMENT = "1970-01-01T00:00:00Z"


class Page(Struct, Generic[Row]):
    """A page of a list. next, previous: the addresses of the pages beside it."""

    results: list[Row]
    next: str | None = None
    previous: str | None = None


class Prediction(Struct, kw_only=True):
    """A job."""

    id: str
    model: str
    version: str
    input: dict[str, Any]
    output: Any
    logs: str = ""
    error: str | None
    status: State
    source: str = "api"
    data_removed: bool = False
    created_at: str
    started_at: str | None
    completed_at: str | None
    deadline: Maybe[str] = UNSET
    metrics: Maybe[Any] = UNSET
    urls: dict[str, str]

    @classmethod
    def of(
        cls, card: Card, model: registry.Model | None, run: Run | None, values: Sequence[Any], origin: str
    ) -> "Prediction":
        """Return the shape of a job.

        model: None when it is not known any more. run: the last one. values: what its outputs are: addresses, texts or
        JSON. origin: of all addresses.
        """
        job, address = card.job, f"{origin}{ROOT}/v1/predictions/{card.job.id}"
        prompt = (model and model.prompt_name) or "prompt"
        inputs = {name: _with_origin(value, origin) for name, value in card.parameters.items()}
        return cls(
            id=str(job.id), model=bare(job.model), version=_version(job, model, run),
            input={prompt: job.prompt} | inputs, output=_output(values, model.output_schema if model else {}),
            error=job.error if job.status == Status.FAILED else None, status=_state(job),
            created_at=_time(job.created_at), started_at=_time(job.started_at) if job.started_at else None,
            completed_at=_time(job.finished_at) if job.finished_at else None,
            deadline=_time(job.deadline_at) if job.deadline_at and job.status not in ENDED else UNSET,
            metrics=json.loads(run.metrics) if run and run.metrics else UNSET,
            urls={"get": address, "cancel": f"{address}/cancel", "web": f"{origin}/jobs/{job.id}"},
        )  # fmt: skip


class Version(Struct):
    """A version of a model."""

    id: str
    openapi_schema: dict[str, Any]
    created_at: str = NO_MOMENT
    cog_version: str = ""

    @classmethod
    def of(cls, model: registry.Model) -> "Version | None":
        """Return the shape of the version of a model, or None when it is not known."""
        schema = {"components": {"schemas": model.schemas}, "paths": {}}
        return cls(model.version, schema) if model.version else None


class Model(Struct, kw_only=True):
    """A model on Replicate."""

    url: str
    owner: str
    name: str
    description: str
    visibility: str = "public"
    is_official: bool
    github_url: None = None
    paper_url: None = None
    license_url: None = None
    run_count: int = 0
    cover_image_url: None = None
    default_example: None = None
    latest_version: Version | None

    @classmethod
    def of(cls, model: registry.Model) -> "Model":
        """Return the shape of a model."""
        full_name = bare(model.name)
        owner, _, name = full_name.partition("/")
        return cls(
            url=f"https://replicate.com/{full_name}", owner=owner, name=name, description=model.description,
            is_official=model.official, latest_version=Version.of(model),
        )  # fmt: skip


class File(Struct, kw_only=True):
    """An upload."""

    id: str
    name: str
    content_type: str
    size: int
    etag: str
    checksums: dict[str, str]
    metadata: dict[str, Any]
    created_at: str
    expires_at: str
    urls: dict[str, str]

    @classmethod
    def of(cls, row: tables.Upload, origin: str) -> "File":
        """Return the shape of an upload. It expires unless a job uses it."""
        return cls(
            id=row.key, name=row.key, content_type=row.media_type, size=row.bytes, etag=row.sha256,
            checksums={"sha256": row.sha256}, metadata={}, created_at=_time(row.created_at),
            expires_at=_time(row.created_at + uploads.UNUSED_TTL),
            urls={"get": f"{origin}{ROOT}/v1/files/{row.key}"},
        )  # fmt: skip


class Account(Struct):
    """Who asks."""

    username: str
    name: str
    type: str = "user"
    github_url: None = None


def without_origin(value: Any, origins: Sequence[str]) -> Any:
    """Return an input with the addresses of our files as a job's parameters have them.

    They are those of results, and those of files here. origins: those by which we are known.
    """
    if isinstance(value, list):
        return [without_origin(item, origins) for item in value]
    for origin in origins if isinstance(value, str) else ():
        path = FILE.sub("/media/", value.removeprefix(origin), count=1)
        if value.startswith(f"{origin}/") and input_files.key_of(path):
            return path
    return value


def _with_origin(value: Any, origin: str) -> Any:
    if isinstance(value, list):
        return [_with_origin(item, origin) for item in value]
    return f"{origin}{value}" if input_files.key_of(value) else value


def _version(job: Job, model: registry.Model | None, run: Run | None) -> str:
    """Return the version that the job asks for, that ran, or that will run."""
    if ":" in job.model:
        return job.model.partition(":")[2]
    reference = run.version if run else model.reference if model else ""
    return reference.partition(":")[2] or HIDDEN


def _state(job: Job) -> State:
    """Return a job's state. One that ran out of time was aborted before it began, or else canceled."""
    if job.status == Status.FAILED and job.error_code == "deadline":
        return "canceled" if job.started_at else "aborted"
    return STATES[job.status]


def _output(values: Sequence[Any], schema: Mapping[str, Any]) -> Any:
    """Return the outputs in the form of the model's schema: one value, or a list. JSON has its own form."""
    if not values:
        return None
    alone = len(values) == 1 and schema.get("type") != "array"
    return values[0] if alone or not isinstance(values[0], str) else list(values)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

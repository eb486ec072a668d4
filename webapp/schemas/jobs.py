"""The shapes of jobs. Members that do not apply are absent."""

import json
from typing import Annotated, Literal, Self
from uuid import UUID

from msgspec import UNSET, Meta, Struct

from tasks.curation import edits
from tasks.db import tables
from tasks.db.operation_tables import ModelPause
from tasks.db.tables import Stage, Status
from tasks.jobs.tally import MAX_RUNNING_LISTED, MAX_WAITING_LISTED
from tasks.library.cards import Card
from tasks.library.recent import MAX_FINISHED
from tasks.models.costs import Basis, dollars
from webapp.render.views import OutputView, priority_name
from webapp.schemas.members import Count, JobId, Kind, Maybe, Parameters, Pixels, Priority, Sha256, Time, given, word
from webapp.schemas.money import Cost

Cancel = Literal["dequeued", "requested", "too_late"]
"""What came of a request to cancel."""


class Output(Struct, kw_only=True):
    """A file that a job made."""

    position: Annotated[int, Meta(ge=0, description="Which output of the job it is. It stays the same.")]
    url: str
    kind: Kind
    media_type: str
    bytes: Count
    width: Maybe[Pixels] = UNSET
    height: Maybe[Pixels] = UNSET
    duration: Maybe[Annotated[float, Meta(description="Seconds, of a video, a sound or an animated picture.")]] = UNSET
    sha256: Sha256
    preview_url: Maybe[Annotated[str, Meta(description="A WebP of at most 512 pixels.")]] = UNSET
    favorite: Maybe[Annotated[bool, Meta(description="Whether it is a favorite. Absent otherwise.")]] = UNSET
    rating: Maybe[Annotated[int, Meta(ge=1, le=5)]] = UNSET
    trashed: Maybe[
        Annotated[bool, Meta(description="Whether it is in the trash alone, without its job. Absent otherwise.")]
    ] = UNSET

    @classmethod
    def of(cls, row: tables.Output) -> "Output":
        """Return the shape of an output."""
        view = OutputView(row)
        return cls(
            position=row.position, url=view.url, kind=word(Kind, row.kind), media_type=row.media_type, bytes=row.bytes,
            width=given(row.width), height=given(row.height), duration=given(row.duration), sha256=row.sha256,
            preview_url=given(view.preview_url), favorite=row.favorite or UNSET, rating=row.rating or UNSET,
            trashed=row.trashed_at is not None or UNSET,
        )  # fmt: skip


class Job(Struct, kw_only=True):
    """A job, as every response shows it."""

    job_id: JobId
    status: Status
    result_url: Maybe[
        Annotated[str, Meta(description="The first output that is not in the trash. Completed jobs only.")]
    ] = UNSET
    outputs: Maybe[Annotated[list[Output], Meta(description="In the order of `position`. Completed jobs only.")]] = (
        UNSET
    )
    error: Maybe[Annotated[str, Meta(description="Why the job failed, for people. Failed jobs only.")]] = UNSET
    error_code: Maybe[Annotated[str, Meta(description="Why the job failed, for programs. Failed jobs only.")]] = UNSET
    stage: Maybe[Annotated[Stage, Meta(description="What a running job is doing.")]] = UNSET
    progress: Maybe[
        Annotated[float, Meta(ge=0, le=1, description="The progress of a running job, if the model reports it.")]
    ] = UNSET
    place: Maybe[
        Annotated[
            int,
            Meta(ge=1, description="The place in the queue, 1 for the next to run. Only while it waits for its turn."),
        ]
    ] = UNSET
    estimated_start: Maybe[
        Annotated[
            Time,
            Meta(
                description="When the job will likely start, estimated from its place, the workers, and the model's "
                "recent run times. Only while the job waits for its turn, and if these are known."
            ),
        ]
    ] = UNSET
    retry_at: Maybe[
        Annotated[
            Time,
            Meta(
                description="When the next try is due after a failed one: a new attempt, or the current one continued."
            ),
        ]
    ] = UNSET
    last_error: Maybe[Annotated[str, Meta(description="Why the last try failed, while another is due or running.")]] = (
        UNSET
    )
    last_error_code: Maybe[Annotated[str, Meta(description="The same, for programs.")]] = UNSET
    deadline_at: Maybe[
        Annotated[Time, Meta(description="When the job fails with `deadline`. Absent once the job has ended.")]
    ] = UNSET
    prompt: str
    model: str
    parameters: Parameters
    priority: Priority
    created_at: Time
    started_at: Maybe[Annotated[Time, Meta(description="When the model started working on it.")]] = UNSET
    finished_at: Maybe[Time] = UNSET
    retry_count: Annotated[int, Meta(ge=0, description="The number of failed tries that were followed by another.")]
    seed: Maybe[Annotated[int, Meta(description="The seed of the last attempt, if its model accepts one.")]] = UNSET
    made_from: Maybe[Annotated[UUID, Meta(description="The job whose result or settings this one is based on.")]] = (
        UNSET
    )
    batch: Maybe[Annotated[UUID, Meta(description="The batch that the job belongs to.")]] = UNSET
    owner: Maybe[Annotated[str, Meta(description="The name of the person or service that it belongs to, if any.")]] = (
        UNSET
    )
    key: Maybe[Annotated[str, Meta(description="The name of the key that it was requested with, if any.")]] = UNSET
    origin: Maybe[Annotated[str, Meta(description="The door that it came in by, if it was not our own API.")]] = UNSET
    favorite: Maybe[
        Annotated[bool, Meta(description="Whether any of its outputs is a favorite. Absent otherwise.")]
    ] = UNSET
    rating: Maybe[Annotated[int, Meta(ge=1, le=5, description="That of its best output.")]] = UNSET
    tags: Maybe[Annotated[list[str], Meta(description="Sorted.")]] = UNSET
    collections: Maybe[Annotated[list[str], Meta(description="The names of the job's collections.")]] = UNSET
    notes: Maybe[str] = UNSET
    trashed_at: Maybe[Annotated[Time, Meta(description="When the job was moved to the trash.")]] = UNSET
    cost: Maybe[Annotated[Cost, Meta(description="What all its attempts cost. Absent if that is not known.")]] = UNSET
    hold: Maybe[Annotated[Cost, Meta(description="What is set aside for it in budgets, until it has ended.")]] = UNSET
    metadata: Maybe[Annotated[dict[str, str], Meta(description="As it was sent with the request, if it was.")]] = UNSET
    cancel: Maybe[
        Annotated[
            Cancel,
            Meta(description="What came of a request to cancel. Only in the response to it."),
        ]
    ] = UNSET

    @classmethod
    def of(cls, card: Card) -> "Job":
        """Return the shape of a job."""
        row = card.job
        job = cls(
            job_id=row.id, status=word(Status, row.status), prompt=row.prompt, model=row.model,
            parameters=card.parameters, priority=Priority(priority_name(row)), created_at=row.created_at,
            started_at=given(row.started_at), finished_at=given(row.finished_at), retry_count=row.retry_count,
            seed=given(row.seed), made_from=given(row.made_from), batch=given(row.batch), owner=given(card.maker.owner),
            key=given(card.maker.key), origin=row.origin or UNSET, favorite=row.favorite or UNSET,
            rating=row.rating or UNSET, tags=list(card.marks.tags) or UNSET,
            collections=list(card.marks.collections) or UNSET, notes=row.notes or UNSET,
            trashed_at=given(row.trashed_at), metadata=json.loads(row.metadata) if row.metadata else UNSET,
        )  # fmt: skip
        if row.cost is not None and row.cost_basis is not None:
            job.cost = Cost(dollars(row.cost), row.cost, word(Basis, row.cost_basis))
        if job.status == Status.COMPLETED and card.outputs:
            job.outputs = [Output.of(output) for output in card.all_outputs]
            job.result_url = OutputView(card.outputs[0]).url
        elif job.status == Status.FAILED:
            job.error, job.error_code = given(row.error), given(row.error_code)
        elif job.status in (Status.QUEUED, Status.RUNNING):
            if row.hold is not None and row.hold_basis is not None:
                job.hold = Cost(dollars(row.hold), row.hold, word(Basis, row.hold_basis))
            job.stage = word(Stage, row.stage) if row.stage else UNSET
            job.progress, job.place = given(row.progress), given(card.place)
            job.estimated_start = card.starts_at.replace(microsecond=0) if card.starts_at else UNSET
            job.retry_at = row.due_at if card.retrying else UNSET
            job.last_error, job.last_error_code = given(row.error), given(row.error_code)
            job.deadline_at = given(row.deadline_at)
        return job


class SubmittedJob(Struct):
    """A job that was submitted."""

    job_id: JobId
    status: Status

    @classmethod
    def of(cls, job: tables.Job) -> "SubmittedJob":
        """Return the shape of a job that was just submitted."""
        return cls(job.id, Status(job.status))


class JobPage(Struct):
    """A page of jobs."""

    jobs: list[Job]
    next: Maybe[Annotated[str, Meta(description="The address of the next page. Absent on the last page.")]] = UNSET


class PausedModel(Struct, kw_only=True):
    """A model of which no predictions are created for now."""

    model: Annotated[str, Meta(description="owner/name")]
    by: Annotated[str, Meta(description="Who paused it.")]
    reason: Maybe[Annotated[str, Meta(description="Why.")]] = UNSET
    since: Annotated[Time, Meta(description="Since when.")]
    until: Maybe[Annotated[Time, Meta(description="When it ends by itself.")]] = UNSET

    @classmethod
    def of(cls, pause: ModelPause) -> Self:
        """Return the shape of a pause."""
        return cls(
            model=pause.model, by=pause.by, reason=given(pause.reason or None), since=pause.since,
            until=given(pause.until),
        )  # fmt: skip


class Queue(Struct, kw_only=True):
    """What runs and what waits."""

    running: Annotated[int, Meta(ge=0, description="How many jobs run.")]
    waiting: Annotated[int, Meta(ge=0, description="How many jobs wait.")]
    estimated_last_start: Maybe[
        Annotated[Time, Meta(description="When the last of them will likely start, if this can be estimated.")]
    ] = UNSET
    halted: Maybe[Annotated[str, Meta(description="Why no job starts. Only while the queue is halted.")]] = UNSET
    paused: Maybe[Annotated[list[PausedModel], Meta(description="The models that are paused, if any.")]] = UNSET
    jobs: Annotated[
        list[Job],
        Meta(
            description="The jobs that run, oldest first, then those that wait, the next to run first: at most "
            f"{MAX_RUNNING_LISTED} and {MAX_WAITING_LISTED}. `q=status:queued` of `/jobs.json` has all that wait."
        ),
    ]


class FinishedJob(Struct):
    """A completed job."""

    job_id: JobId
    prompt: str


class FinishedJobs(Struct):
    """The jobs that were completed since a time, oldest first."""

    until: Annotated[Time, Meta(description="The `since` of the next request.")]
    finished: Annotated[list[FinishedJob], Meta(max_length=MAX_FINISHED)]


class Outcome(Struct):
    """What came of an action on many jobs."""

    changed: Count
    left_out: Annotated[int, Meta(ge=0, description="Jobs left out: still queued or running.")]
    undo: Maybe[
        Annotated[
            str, Meta(description="The address that undoes this, by POST, within a day. Absent if it cannot be undone.")
        ]
    ] = UNSET

    @classmethod
    def of(cls, outcome: edits.Outcome) -> "Outcome":
        """Return the shape of an outcome."""
        return cls(outcome.jobs, outcome.left_out, f"/undo/{outcome.undo}" if outcome.undo else UNSET)

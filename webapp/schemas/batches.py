"""The shapes of batches."""

from typing import Annotated, Literal
from uuid import UUID

from msgspec import UNSET, Meta, Struct

from tasks.admission.matrix import MAX_PRINTS
from webapp.schemas.jobs import Job, SubmittedJob
from webapp.schemas.members import Count, Maybe, Time


class SubmittedBatch(Struct):
    """A batch that was submitted, with its jobs in the order of their places."""

    batch_id: UUID
    jobs: Annotated[list[SubmittedJob], Meta(min_length=1, max_length=MAX_PRINTS)]


class Axis(Struct):
    """One way in which the jobs of a batch differ."""

    name: Literal["prompt", "model", "seed"]
    values: list[str | int]
    random: Maybe[
        Annotated[
            bool,
            Meta(description="Whether the seeds are random: the request gave only their number. Absent otherwise."),
        ]
    ] = UNSET


class Counts(Struct):
    """The number of jobs by status."""

    queued: Count
    running: Count
    completed: Count
    failed: Count
    canceled: Count
    deleted: Count


class Batch(Struct):
    """A batch with its jobs."""

    batch_id: UUID
    prompt: Annotated[str, Meta(description="The prompt as written, with its alternatives.")]
    axes: Annotated[
        list[Axis],
        Meta(description="How the jobs differ, the slowest axis first: a job's place counts through them."),
    ]
    created_at: Time
    counts: Counts
    jobs: Annotated[list[Job], Meta(description="The jobs that are not deleted, in the order of their places.")]

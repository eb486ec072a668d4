"""What a row is: jobs, the attempts at them, their outputs, what people say of them, and the models' input schemas."""

from enum import IntEnum, StrEnum
from uuid import UUID as UUIDValue

from piccolo.columns import (
    JSON,
    UUID,
    BigInt,
    Boolean,
    DoublePrecision,
    ForeignKey,
    Integer,
    SmallInt,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.table import Table
from uuid_utils.compat import uuid7


class Status(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    """Waits for its turn, or for `due_at` after a failed attempt (then `retry_count` > 0)."""
    RUNNING = "running"
    """A worker holds its lease."""
    COMPLETED = "completed"
    """Every output is in our storage."""
    FAILED = "failed"
    """Ended without a result; `error` says why."""
    CANCELED = "canceled"
    """Somebody called it off."""


ENDED = (Status.COMPLETED, Status.FAILED, Status.CANCELED)


class Stage(StrEnum):
    """What a running job is doing."""

    SUBMITTING = "submitting"
    """The prediction is being created."""
    STARTING = "starting"
    """Replicate boots the model, or has the prediction wait."""
    PROCESSING = "processing"
    """The model runs."""
    DOWNLOADING = "downloading"
    """Its outputs come into our storage."""


class Priority(IntEnum):
    """What goes first among the jobs that wait."""

    LOW = 1
    """When nobody else waits."""
    NORMAL = 2
    """What a job has unless told otherwise."""
    HIGH = 3
    """Before all others."""


class Batch(Table, tablename="batch"):
    """Jobs that were submitted as one: every combination of what a prompt matrix lists."""

    id = UUID(primary_key=True, default=uuid7)
    prompt = Text()  # as it was written, with its {one|other}
    axes = JSON(default="[]")  # [{"name": ..., "values": [...]}, ...], the slowest first; a job's place counts them
    jobs = SmallInt()  # how many
    created_at = Timestamptz()


class Job(Table, tablename="job"):
    """One prompt to be made into media. Only tasks/jobs.py changes its status."""

    id = UUID(primary_key=True, default=uuid7)
    status = Varchar(length=16, default=Status.QUEUED)
    prompt = Text()
    model = Varchar(length=300)  # as asked for: owner/name or owner/name:version
    parameters = JSON(default="{}")
    client = Varchar(length=100, default="")  # who asked: peer and name, see tasks/backlog.py
    priority = SmallInt(default=Priority.NORMAL)
    turn = BigInt(default=0)  # its place among jobs of its priority, fair to every client; see tasks/queue.py
    finish_within = Integer(default=86400)  # seconds that it may take from being submitted, or retried, to its end
    deadline_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz()
    changed_at = Timestamptz(index=True)
    due_at = Timestamptz()
    started_at = Timestamptz(null=True, default=None)
    finished_at = Timestamptz(null=True, default=None)
    deleted_at = Timestamptz(null=True, default=None)
    stage = Varchar(length=16, null=True, default=None)
    progress = DoublePrecision(null=True, default=None)  # 0 to 1
    retry_count = SmallInt(default=0)  # failed attempts since it was last submitted
    error = Text(null=True, default=None)  # of the last failed attempt
    error_code = Varchar(length=64, null=True, default=None)
    cancel_requested = Boolean(default=False)
    attempt = UUID(null=True, default=None)  # the one under way: whoever takes the job goes on with it
    lease_token = UUID(null=True, default=None)  # made anew at each claim; fences every write of a worker
    lease_until = Timestamptz(null=True, default=None)
    held_until: float = 0.0  # no column: when a claim's lease ends by the monotonic clock of the process that made it
    kind = Varchar(length=16, null=True, default=None)  # of its first output
    seed = BigInt(null=True, default=None)  # that its last attempt was sent with
    batch = ForeignKey(references=Batch, null=True, default=None, index=False)
    batch_place = SmallInt(null=True, default=None)  # 0, 1, ... within the batch
    made_from = UUID(null=True, default=None)  # the job whose result or settings it was made from
    favourite = Boolean(default=False)
    rating = SmallInt(default=0)  # 1 to 5 stars; 0 where nobody has rated it
    notes = Text(default="")
    trashed_at = Timestamptz(null=True, default=None)  # in the trash since; some time later it is deleted


class Attempt(Table, tablename="attempt"):
    """One try at a job, written before the request that may cost money."""

    id = UUID(primary_key=True, default=uuid7)
    job = ForeignKey(references=Job, index=True)
    number = SmallInt()  # 1, 2, ... within the job
    created_at = Timestamptz()
    finished_at = Timestamptz(null=True, default=None)  # None while it is under way
    prediction_id = Varchar(length=64, null=True, default=None)  # None until Replicate has told it
    version = Varchar(length=300)  # what ran: owner/name of an official model, or owner/name:version
    input = JSON(default="{}")  # exactly as sent, with our seed
    predict_time = DoublePrecision(null=True, default=None)  # seconds of compute, as Replicate measured them
    error = Text(null=True, default=None)
    error_code = Varchar(length=64, null=True, default=None)
    details = Text(default="")  # what the model or Replicate said of the error, in its own words
    failures = SmallInt(default=0)  # how often going on with it failed: a look, a search, a download


class Output(Table, tablename="output"):
    """One file of a job's result, kept in our storage."""

    id = UUID(primary_key=True, default=uuid7)
    job = ForeignKey(references=Job, index=True)
    position = SmallInt()  # 0, 1, ... in the order of the provider
    key = Varchar(length=100)  # its name below /media/
    stored_key = Varchar(length=150, default="")  # its name in storage, never written to again; where empty: its key
    kind = Varchar(length=16)  # image, video, audio, text or file
    media_type = Varchar(length=100)
    bytes = BigInt()
    sha256 = Varchar(length=64)
    width = Integer(null=True, default=None)  # pixels
    height = Integer(null=True, default=None)  # pixels
    duration = DoublePrecision(null=True, default=None)  # seconds
    preview_key = Varchar(length=100, null=True, default=None)  # below /media/: a WebP of 512 px at most
    stored_preview_key = Varchar(length=150, null=True, default=None)
    stored_thumbnail_key = Varchar(length=150, null=True, default=None)  # 256 px at most, where the preview has more
    placeholder = Text(null=True, default=None)  # a tiny picture as a data: URL; of a text, how it begins


class PendingFile(Table, tablename="pending_file"):
    """A file that may be in storage although no output names it: written down before it is stored.

    When the job is completed, its outputs take the place of these rows. What is left otherwise is removed.
    """

    key = Varchar(length=150, primary_key=True)  # its name in storage
    job = UUID(index=True)
    claim = UUID()  # the lease token of the worker that stores it
    noted_at = Timestamptz(index=True)
    removed_at = Timestamptz(null=True, default=None)  # removed once; the row stays for a while, see pending_files.py


class JobTag(Table, tablename="job_tag"):
    """A word that somebody put on a job."""

    id = UUID(primary_key=True, default=uuid7)
    job = ForeignKey(references=Job, index=True)
    name = Varchar(length=64)


class Collection(Table, tablename="collection"):
    """Jobs that somebody put together under a name."""

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=100, unique=True)
    created_at = Timestamptz()


class CollectionItem(Table, tablename="collection_item"):
    """A job in a collection."""

    id = UUID(primary_key=True, default=uuid7)
    collection = ForeignKey(references=Collection, index=False)
    job = ForeignKey(references=Job, index=True)


class SavedSearch(Table, tablename="saved_search"):
    """A search that somebody wants to come back to."""

    id = UUID(primary_key=True, default=uuid7)
    name = Varchar(length=100, unique=True)
    query = Text()
    sort = Varchar(length=16, default="newest")  # see tasks/sorting.py
    created_at = Timestamptz()


class Upload(Table, tablename="upload"):
    """A file that somebody gave us as input for a model, kept in our storage."""

    key = Varchar(length=100, primary_key=True)  # its name in storage and below /media/
    media_type = Varchar(length=100)
    bytes = BigInt()
    sha256 = Varchar(length=64, index=True)
    width = Integer(null=True, default=None)  # pixels
    height = Integer(null=True, default=None)  # pixels
    created_at = Timestamptz()


class Undo(Table, tablename="undo"):
    """How to take back a portion of what was done to many jobs at once: which changed, and what they had before."""

    id = UUID(primary_key=True, default=uuid7)
    part_of = UUID(null=True, default=None, index=True)  # the first portion of the same action; None in that itself
    created_at = Timestamptz()
    action = Varchar(length=16)  # see tasks/tidying.py
    argument = Text(default="")  # the tag, say
    before = JSON(default="[]")  # [[job id, what it had], ...]


class Halt(Table, tablename="halt"):
    """Why no predictions are created: one row while Replicate refuses or is away, or somebody wants it, else none."""

    id = SmallInt(primary_key=True, default=1)
    code = Varchar(length=64)
    message = Text()
    since = Timestamptz()
    probe_at = Timestamptz()  # when one job may be sent to see whether it works again
    job = UUID(null=True, default=None)  # the job that met it


class Library(Table, tablename="library"):
    """This library: one row. Its storage holds the same two facts, by which a restored backup is known."""

    id = SmallInt(primary_key=True, default=1)
    uuid = UUID(default=uuid7)
    alive_at = Timestamptz()  # when a worker was last alive; 1970 until its storage has a mark
    checked_at = Timestamptz(null=True, default=None)  # when it was last written to, to see whether that is possible


class ModelSchema(Table, tablename="model_schema"):
    """A model on Replicate and what it takes, as Replicate last described it."""

    name = Varchar(length=300, primary_key=True)  # owner/name, or owner/name:version
    version = Varchar(length=64, null=True, default=None)  # the latest; None for a model that is called by name
    official = Boolean(default=False)
    description = Text(default="")
    schemas = JSON(default="{}")  # components.schemas of its OpenAPI document
    fetched_at = Timestamptz()


TABLES: list[type[Table]] = [
    Batch, Job, Attempt, Output, PendingFile, JobTag, Collection, CollectionItem, SavedSearch, Upload, Undo, Halt,
    Library, ModelSchema,
]  # fmt: skip


def new_id() -> UUIDValue:
    """A UUID of version 7: ids sort by the time they were made."""
    return uuid7()

"""The database tables: jobs, their attempts and outputs, what users note on them, and the models' input schemas."""

from enum import IntEnum, StrEnum
from typing import Any

from piccolo.columns import (
    JSON,
    UUID,
    BigInt,
    Boolean,
    Column,
    DoublePrecision,
    ForeignKey,
    Integer,
    SmallInt,
    Text,
    Timestamptz,
    Varchar,
)
from piccolo.columns.combination import And, Or, Where, WhereRaw
from piccolo.table import Table

from tasks.db import ids
from tasks.db.account_tables import ACCOUNT_TABLES
from tasks.db.model_tables import MODEL_TABLES
from tasks.db.money_tables import MONEY_TABLES
from tasks.db.operation_tables import OPERATION_TABLES
from tasks.db.request_tables import REQUEST_TABLES
from tasks.db.webhook_tables import WEBHOOK_TABLES

Condition = Where | WhereRaw | And | Or
"""What a query selects rows by."""
Values = dict[Column | str, Any]
"""What an update sets, by column."""


class Status(StrEnum):
    """The status of a job."""

    QUEUED = "queued"
    """Waits for its turn, or until `due_at` after a failed attempt (then `retry_count` > 0)."""
    RUNNING = "running"
    """A worker holds its lease."""
    COMPLETED = "completed"
    """Every output is in our storage."""
    FAILED = "failed"
    """Ended without a result; `error` says why."""
    CANCELED = "canceled"
    """Canceled by a user."""


ENDED = (Status.COMPLETED, Status.FAILED, Status.CANCELED)


class Stage(StrEnum):
    """The current step of a running job."""

    SUBMITTING = "submitting"
    """The prediction is being created."""
    STARTING = "starting"
    """Replicate boots the model, or keeps the prediction waiting."""
    PROCESSING = "processing"
    """The model runs."""
    DOWNLOADING = "downloading"
    """Its outputs are being copied into our storage."""


class Priority(IntEnum):
    """The priority of a waiting job: higher ones run first."""

    LOW = 1
    """Runs when no job of a higher priority waits."""
    NORMAL = 2
    """The default."""
    HIGH = 3
    """Runs before all others."""


class Batch(Table, tablename="batch"):
    """Jobs that were submitted together: every combination of the values that a prompt matrix lists."""

    id = UUID(primary_key=True, default=ids.new)
    prompt = Text()  # as submitted, with its {one|other}
    axes = JSON(default="[]")  # [{"name": ..., "values": [...]}, ...], slowest first; batch_place counts combinations
    jobs = SmallInt()  # number of jobs
    created_at = Timestamptz()


class Job(Table, tablename="job"):
    """A prompt to turn into media. Only tasks/jobs/lifecycle.py and tasks/jobs/bulk.py change its status."""

    id = UUID(primary_key=True, default=ids.new)
    status = Varchar(length=16, default=Status.QUEUED)
    prompt = Text()
    model = Varchar(length=300)  # as requested: owner/name or owner/name:version
    parameters = JSON(default="{}")
    client = Varchar(length=100, default="")  # whose turn it takes: peer and name, see tasks/jobs/backlog.py
    owner = UUID(null=True, default=None)  # the person or service that submitted it; None in the open house
    api_key = UUID(null=True, default=None)  # the key that it was submitted with
    origin = Varchar(length=16, default="")  # the door that it came in by; "" for our own API and pages
    priority = SmallInt(default=Priority.NORMAL)
    turn = BigInt(default=0)  # its place among jobs of its priority, fair to every client; see tasks/jobs/queue.py
    finish_within = Integer(default=86400)  # seconds that it may take from its submission, or retry, to its end
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
    attempt = UUID(null=True, default=None)  # the one under way: the next worker continues it
    lease_token = UUID(null=True, default=None)  # new at each claim; fences every write of a worker
    lease_until = Timestamptz(null=True, default=None)
    held_until: float = 0.0  # not a column: when the lease ends by the monotonic clock of the process that claimed it
    kind = Varchar(length=16, null=True, default=None)  # of its first output
    seed = BigInt(null=True, default=None)  # sent with its last attempt
    batch = ForeignKey(references=Batch, null=True, default=None, index=False)
    batch_place = SmallInt(null=True, default=None)  # 0, 1, ... within the batch
    made_from = UUID(null=True, default=None)  # the job whose result or settings it was made from
    favorite = Boolean(default=False)  # whether any of its outputs is, of those that are not in the trash
    rating = SmallInt(default=0)  # the best of these outputs: 1 to 5 stars; 0 when none is rated
    notes = Text(default="")
    trashed_at = Timestamptz(null=True, default=None)  # when it was put into the trash; deleted some time later
    hold = BigInt(null=True, default=None)  # micro-dollars held for it when it was submitted, or last retried
    hold_basis = Varchar(length=16, null=True, default=None)  # what that rests on, see costs.py
    hold_budgets = Text(null=True, default=None)  # that it was held of: their ids, separated by spaces
    is_held = Boolean(default=False)  # whether it still is
    cost = BigInt(null=True, default=None)  # micro-dollars of all its attempts so far; None when no cost is known
    cost_basis = Varchar(length=16, null=True, default=None)  # what its last known cost rests on, see costs.py
    metadata = JSON(null=True, default=None)  # pairs of strings, by which its submitter finds it; None for none
    webhook = Text(null=True, default=None)  # where its events are sent, besides endpoints; may hold secrets
    traceparent = Varchar(length=55, null=True, default=None)  # of the request for it, if that was traced


class Attempt(Table, tablename="attempt"):
    """An attempt at a job, written before the request that may cost money."""

    id = UUID(primary_key=True, default=ids.new)
    job = ForeignKey(references=Job, index=True)
    number = SmallInt()  # 1, 2, ... within the job
    created_at = Timestamptz()
    finished_at = Timestamptz(null=True, default=None)  # None while it is under way
    prediction_id = Varchar(length=64, null=True, default=None)  # None until Replicate has reported it
    version = Varchar(length=300)  # what ran: owner/name of an official model, or owner/name:version
    input = JSON(default="{}")  # exactly as sent, with our seed
    predict_time = DoublePrecision(null=True, default=None)  # seconds of compute, as Replicate measured them
    metrics = JSON(null=True, default=None)  # everything that Replicate measured: it says what the attempt cost
    logs = Text(null=True, default=None)  # the end of what the model wrote
    error = Text(null=True, default=None)
    error_code = Varchar(length=64, null=True, default=None)
    details = Text(default="")  # the error in the words of the model or of Replicate
    failures = SmallInt(default=0)  # how often continuing it failed: a poll, a search, a download
    traceparent = Varchar(length=55, null=True, default=None)  # as it was sent with the prediction, if it was traced


class Output(Table, tablename="output"):
    """A file of a job's result, kept in our storage."""

    id = UUID(primary_key=True, default=ids.new)
    job = ForeignKey(references=Job, index=True)
    position = SmallInt()  # 0, 1, ... in the provider's order
    key = Varchar(length=100)  # its name below /media/
    stored_key = Varchar(length=150, default="")  # its name in storage, never written to again; if empty, its key
    kind = Varchar(length=16)  # image, video, audio, text or file
    media_type = Varchar(length=100)
    bytes = BigInt()
    sha256 = Varchar(length=64)
    width = Integer(null=True, default=None)  # pixels
    height = Integer(null=True, default=None)  # pixels
    duration = DoublePrecision(null=True, default=None)  # seconds: of a video, a sound or an animated picture
    preview_key = Varchar(length=100, null=True, default=None)  # below /media/: a WebP of at most 512 px
    stored_preview_key = Varchar(length=150, null=True, default=None)
    stored_thumbnail_key = Varchar(length=150, null=True, default=None)  # at most 256 px, if the preview has more
    placeholder = Text(null=True, default=None)  # a tiny picture as a data: URL; for a text, its beginning
    peaks = Text(null=True, default=None)  # of a sound: 400 bytes in Base64, see tasks/files/waveform.py
    favorite = Boolean(default=False)
    rating = SmallInt(default=0)  # 1 to 5 stars; 0 when it is not rated
    trashed_at = Timestamptz(null=True, default=None)  # when it was put into the trash alone, without its job


class PendingFile(Table, tablename="pending_file"):
    """A file that may be in storage although no output names it: recorded before it is stored.

    When the job is completed, its outputs replace these rows. The files of all other rows are removed.
    """

    key = Varchar(length=150, primary_key=True)  # its name in storage
    job = UUID(index=True)
    claim = UUID()  # the lease token of the worker that stores it
    noted_at = Timestamptz(index=True)
    removed_at = Timestamptz(null=True, default=None)  # first removal; the row stays for a while, see pending_files.py


class BackupLease(Table, tablename="backup_lease"):
    """A backup under way. Until it is over, no file is removed from storage: see tasks/files/backup_leases.py."""

    id = UUID(primary_key=True, default=ids.new)
    until = Timestamptz()  # it is renewed until then, or its process is gone


class JobTag(Table, tablename="job_tag"):
    """A tag that a user put on a job."""

    id = UUID(primary_key=True, default=ids.new)
    job = ForeignKey(references=Job, index=True)
    name = Varchar(length=64)


class Collection(Table, tablename="collection"):
    """Jobs that a user grouped under a name."""

    id = UUID(primary_key=True, default=ids.new)
    name = Varchar(length=100, unique=True)
    created_at = Timestamptz()


class CollectionItem(Table, tablename="collection_item"):
    """A job in a collection."""

    id = UUID(primary_key=True, default=ids.new)
    collection = ForeignKey(references=Collection, index=False)
    job = ForeignKey(references=Job, index=True)


class SavedSearch(Table, tablename="saved_search"):
    """A search that a user saved."""

    id = UUID(primary_key=True, default=ids.new)
    name = Varchar(length=100, unique=True)
    query = Text()
    sort = Varchar(length=16, default="newest")  # see tasks/library/paging.py
    created_at = Timestamptz()


class Upload(Table, tablename="upload"):
    """A file that a user uploaded as input for a model, kept in our storage."""

    key = Varchar(length=100, primary_key=True)  # its name in storage and below /media/
    media_type = Varchar(length=100)
    bytes = BigInt()
    sha256 = Varchar(length=64, index=True)
    width = Integer(null=True, default=None)  # pixels
    height = Integer(null=True, default=None)  # pixels
    sender = UUID(null=True, default=None, index=True)  # the key or the person that it came from
    created_at = Timestamptz()


class Undo(Table, tablename="undo"):
    """The undo record of a portion of an action on many jobs: which jobs changed, and their previous values."""

    id = UUID(primary_key=True, default=ids.new)
    part_of = UUID(null=True, default=None, index=True)  # the first portion of the same action; None in the first
    created_at = Timestamptz()
    action = Varchar(length=16)  # see tasks/curation/edits.py
    argument = Text(default="")  # for example the tag
    before = JSON(default="[]")  # [[job id, its previous value], ...]


class Halt(Table, tablename="halt"):
    """The reason why no predictions are created.

    There is one row while Replicate refuses or is away, or while a user halts the queue, else none.
    """

    id = SmallInt(primary_key=True, default=1)
    code = Varchar(length=64)
    message = Text()
    since = Timestamptz()
    probe_at = Timestamptz()  # when one job may be sent to test whether Replicate works again
    job = UUID(null=True, default=None)  # the job that met the failure
    by = Varchar(length=200, default="")  # who halted it: a person, a key, "command line"; "" if it halted by itself
    until = Timestamptz(null=True, default=None)  # when it is resumed although nobody does


class Library(Table, tablename="library"):
    """The library, in one row. Its storage holds the same two facts, so that a restored backup is recognized."""

    id = SmallInt(primary_key=True, default=1)
    uuid = UUID(default=ids.new)
    alive_at = Timestamptz()  # when a worker was last alive; 1970 until its storage has a mark
    checked_at = Timestamptz(null=True, default=None)  # when a write last tested whether writes are possible
    counted_at = Timestamptz(null=True, default=None)  # when a worker last counted what was done, see tasks/operations


class ModelSchema(Table, tablename="model_schema"):
    """A model on Replicate and its input, as Replicate last described it."""

    name = Varchar(length=300, primary_key=True)  # owner/name, or owner/name:version
    version = Varchar(length=64, null=True, default=None)  # the latest; None for a model that is called by name
    official = Boolean(default=False)
    description = Text(default="")
    schemas = JSON(default="{}")  # components.schemas of its OpenAPI document
    fetched_at = Timestamptz()


TABLES: list[type[Table]] = [
    Batch, Job, Attempt, Output, PendingFile, BackupLease, JobTag, Collection, CollectionItem, SavedSearch, Upload,
    Undo, Halt, Library, ModelSchema, *MONEY_TABLES, *ACCOUNT_TABLES, *REQUEST_TABLES,
    *WEBHOOK_TABLES, *MODEL_TABLES, *OPERATION_TABLES,
]  # fmt: skip

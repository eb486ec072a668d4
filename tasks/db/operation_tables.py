"""The tables of what operators see and do: workers, what was done in each minute, pauses, dismissed failures."""

from piccolo.columns import UUID, BigInt, Boolean, Integer, SmallInt, Text, Timestamptz, Varchar
from piccolo.table import Table

from tasks.db import ids


class WorkerProcess(Table, tablename="worker_process"):
    """A worker process that is alive, or was until it was killed: one that stops removes its row."""

    id = UUID(primary_key=True, default=ids.new)
    host = Varchar(length=255)
    process = Integer()  # its number there
    version = Varchar(length=32)  # of Darkroom
    slots = SmallInt()  # how many jobs it runs at once
    jobs = SmallInt()  # how many it runs now
    draining = Boolean(default=False)  # whether it claims no more jobs
    started_at = Timestamptz()
    seen_at = Timestamptz()  # its last sign of life, by the database's clock


class Activity(Table, tablename="activity"):
    """The attempts that ended in a minute, an hour or a day, by model and by how they ended."""

    id = UUID(primary_key=True, default=ids.new)
    span = Integer()  # seconds: see tasks/operations/activity.py
    starts_at = Timestamptz()
    model = Varchar(length=300)  # owner/name
    code = Varchar(length=64)  # the error's, or "" for a success
    attempts = Integer()
    waited = Text()  # how many waited, ran and were stored how long: see tasks/operations/durations.py
    ran = Text()
    stored = Text()


class Counter(Table, tablename="counter"):
    """A number that only grows: what all workers have counted of something so far."""

    id = UUID(primary_key=True, default=ids.new)
    name = Varchar(length=64)  # see tasks/operations/counters.py
    label = Varchar(length=64, default="")  # what was counted, where there are several kinds
    total = BigInt()


class StorageUse(Table, tablename="storage_use"):
    """How many files of a kind there were at a time."""

    id = UUID(primary_key=True, default=ids.new)
    at = Timestamptz(index=True)
    kind = Varchar(length=16)  # of outputs; "inputs", and "trash" for the outputs of all kinds in it
    files = BigInt()
    bytes = BigInt()


class ModelPause(Table, tablename="model_pause"):
    """A model for which no predictions are created for now."""

    model = Varchar(length=300, primary_key=True)  # owner/name
    by = Varchar(length=200)  # who paused it: see Halt
    reason = Text(default="")
    since = Timestamptz()
    until = Timestamptz(null=True, default=None)  # None: until a user resumes it


class DismissedFailures(Table, tablename="dismissed_failures"):
    """A group of failures that an operator has dismissed. Later ones are shown again."""

    fingerprint = Varchar(length=64, primary_key=True)  # see tasks/operations/failures.py
    at = Timestamptz()


OPERATION_TABLES: list[type[Table]] = [
    WorkerProcess, Activity, Counter, StorageUse, ModelPause, DismissedFailures,
]  # fmt: skip

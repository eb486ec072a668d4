"""The tables of what programs attach to their requests: idempotency keys, and metadata to find jobs by."""

from piccolo.columns import UUID, Timestamptz, Varchar
from piccolo.table import Table

from tasks.db import ids


class IdempotencyKey(Table, tablename="idempotency_key"):
    """A request that was carried out, by the key that its sender gave it. It names what the request made."""

    id = Varchar(length=64, primary_key=True)  # SHA-256 of the sender and the key
    request = Varchar(length=64)  # SHA-256 of the method, the path and the body
    job = UUID(null=True, default=None)
    batch = UUID(null=True, default=None)
    upload = Varchar(length=100, null=True, default=None, index=True)  # its key in storage
    created_at = Timestamptz()


class JobMetadata(Table, tablename="job_metadata"):
    """A pair of a job's metadata, to find the job by. The job's row has all pairs, as they are answered."""

    id = UUID(primary_key=True, default=ids.new)
    job = UUID(index=True)
    name = Varchar(length=64)
    value = Varchar(length=500)


REQUEST_TABLES: list[type[Table]] = [IdempotencyKey, JobMetadata]

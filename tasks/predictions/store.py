"""Store a job's files, as long as its lease holds: each is noted first, and deleted later if no output names it."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import IO
from uuid import uuid4

from tasks.db.dialect import from_now
from tasks.db.tables import Job, PendingFile
from tasks.errors import Failure
from tasks.files.storage import Storage
from tasks.jobs.attempts import mine
from tasks.jobs.leases import Lease, Lost
from tasks.tracing import spans

INSERT_PENDING = (
    "INSERT INTO pending_file (key, job, claim, noted_at)"
    " SELECT file.column1, job.id, job.lease_token, {} FROM job, (VALUES %s) AS file WHERE {} RETURNING key"
)


async def store(lease: Lease, storage: Storage, files: Mapping[str, IO[bytes] | bytes]) -> dict[str, str]:
    """Put files of a job into storage, in their order, under names that are never written to again.

    files: by their names below /media/. Returns the name in storage of each. Raises Lost when the lease is over, before
    anything is stored or as soon as the loss is known. Raises Failure("storage_unavailable") when storage fails.
    """
    mark = uuid4().hex[:12]
    names = {key: _marked(key, mark) for key in files}
    with spans.span("store"):
        if not await _note(lease.job, names.values()):
            raise Lost
        for key, content in files.items():
            await _put(lease, storage, names[key], content)
    return names


def _marked(key: str, mark: str) -> str:
    stem, _, ending = key.partition(".")
    return f"{stem}-{mark}.{ending}"


async def _note(job: Job, keys: Iterable[str]) -> bool:
    """Note the files that are about to be stored. Returns False when the lease is gone."""
    listed = list(keys)
    values = ", ".join("({})" for _ in listed)
    return bool(await PendingFile.raw(INSERT_PENDING % values, from_now(), *listed, mine(job).querystring))


async def _put(lease: Lease, storage: Storage, key: str, content: IO[bytes] | bytes) -> None:
    if not lease.holds():
        raise Lost
    await storage.put(key, content)
    if not lease.holds():  # another worker may have the job by now, and `sweep` may already have run
        with suppress(Failure):
            await storage.delete([key])
        raise Lost

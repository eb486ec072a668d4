"""Which files belong to a library, by the rows that name them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from tasks.backup.rows import Rows
from tasks.files import uploads
from tasks.files.media_files import stored_names

OUTPUTS = (
    "SELECT output.id, output.job, output.key, output.stored_key, output.preview_key, output.stored_preview_key,"
    " output.stored_thumbnail_key, output.bytes, output.sha256"
    " FROM output JOIN job ON job.id = output.job WHERE job.deleted_at IS"
)
UPLOADS = "SELECT key, bytes, sha256, width FROM upload WHERE created_at"
AFTER_DELETING = "'1970-01-02'"
"""Uploads that are being removed have uploads.DELETING as their `created_at`."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that has to be in storage because a row names it.

    name: in storage. row: the id of the output, or the key of the upload. job: of the output; None for uploads. part:
    file, preview or thumbnail. bytes, sha256: as the row says; None for previews and thumbnails.
    """

    name: str
    row: str
    job: str | None
    part: str
    bytes: int | None = None
    sha256: str | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.part} of {f'job {self.job}' if self.job else 'an upload'})"


async def named(rows: Rows) -> AsyncIterator[NamedFile]:
    """Yield the files that rows name, except those of what is deleted. A file that demo jobs share comes repeatedly."""
    async for row in rows(f"{OUTPUTS} NULL"):
        for part, name in stored_names(row).items():
            facts = (row["bytes"], row["sha256"]) if part == "file" else ()
            yield NamedFile(name, str(row["id"]), str(row["job"]), part, *facts)
    async for row in rows(f"{UPLOADS} > {AFTER_DELETING}"):
        key = row["key"]
        yield NamedFile(key, key, None, "file", row["bytes"], row["sha256"])
        if row["width"] is not None:  # as media_files.py finds it
            yield NamedFile(uploads.preview_key(key), key, None, "preview")


async def leaving(rows: Rows) -> AsyncIterator[str]:
    """Yield the names of files that may be in storage until they are removed, or until a row names them."""
    async for row in rows(f"{OUTPUTS} NOT NULL"):
        for name in stored_names(row).values():
            yield name
    async for row in rows(f"{UPLOADS} < {AFTER_DELETING}"):
        yield row["key"]
        yield uploads.preview_key(row["key"])
    async for row in rows("SELECT key FROM pending_file"):
        yield row["key"]

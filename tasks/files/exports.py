"""Downloads of finished files: each with a distinctive name, and with metadata on how it was made embedded."""

import json
import unicodedata
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tasks.db.tables import Job, Output
from tasks.files.storage import Storage, Stored
from tasks.files.xmp import files
from tasks.files.xmp.packet import Imprint
from tasks.files.xmp.source import Edit, part_of, pieces, resulting_size
from tasks.settings import settings

NAME_WORDS, NAME_LENGTH = 6, 48  # words and characters of the prompt in a file's name
ID_TAIL_LENGTH = 6  # characters of the job's id


@dataclass(frozen=True, slots=True)
class Download:
    """A file as it is downloaded. stored_key: its name in storage. name: without its extension.

    etag, size: those of the content as sent.
    """

    stored_key: str
    stored: Stored
    name: str
    edits: Sequence[Edit]

    @property
    def size(self) -> int:
        """The size in bytes of the file with its edits."""
        return resulting_size(self.stored.size, self.edits)

    @property
    def etag(self) -> str:
        """The ETag: the stored file's own, and with edits one that changes with them."""
        if not self.edits:
            return self.stored.etag
        imprint = sha256(b"".join(edit.content for edit in self.edits)).hexdigest()
        return f'{self.stored.etag[:-1]}-{imprint[:16]}"'

    async def read(self, storage: Storage, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes from `start` up to but not including `end`, a few at a time."""
        for piece in part_of(pieces(self.stored.size, self.edits), start, end):
            if isinstance(piece, bytes):
                yield piece
                continue
            async for part in storage.read(self.stored_key, *piece):
                yield part


async def prepare(key: str, stored_key: str, stored: Stored, storage: Storage) -> Download | None:
    """Return a stored file, ready for download.

    Returns None when it is not the result of exactly one job: then there is nothing to say about it. key, stored_key:
    its names below /media/ and in storage. Raises Failure("storage_unavailable").
    """
    outputs = await Output.objects().where(Output.key == key).limit(2)
    if len(outputs) != 1:  # the jobs of a demo share files
        return None
    job = await Job.objects().get((Job.id == outputs[0].job) & Job.deleted_at.is_null())
    if job is None:
        return None

    async def read(start: int, end: int) -> bytes:
        return b"".join([piece async for piece in storage.read(stored_key, start, end)])

    extension = key.rpartition(".")[2]
    edits = (
        await files.edits(_imprint(job, outputs[0]), extension, stored.size, read) if settings.embed_metadata else []
    )
    return Download(stored_key, stored, _name(job, outputs[0].position), edits)


def _imprint(job: Job, output: Output) -> Imprint:
    made = (job.prompt, job.model, json.loads(job.parameters), job.id, job.created_at, job.seed)
    return Imprint(*made, output.rating, output.favorite)


def _name(job: Job, position: int) -> str:
    """Return the prompt's first words, the end of the job's id and, for every file after its first, a number."""
    # Combining marks belong to the letters before them. Without them, words of many scripts fall apart.
    kept = (letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in job.prompt.lower())
    words = "-".join("".join(kept).split()[:NAME_WORDS])[:NAME_LENGTH].rstrip("-")
    parts = [words or "darkroom", str(job.id)[-ID_TAIL_LENGTH:], *([str(position + 1)] if position else [])]
    return "-".join(parts)

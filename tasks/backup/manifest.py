"""The manifest of a backup: what is in it, written when all of it is there."""

from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Annotated, Self
from uuid import UUID

import msgspec

FORMAT = 1
"""Of the folder. A version of Darkroom that changes what is in it, or how it is read, counts on."""


class Part(msgspec.Struct, frozen=True):
    """A file of the backup. name: in its folder. sha256: in hexadecimal."""

    name: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> Self:
        """Describe a file that is there. Reads all of it. Raises OSError."""
        with path.open("rb") as file:
            sha256 = file_digest(file, "sha256").hexdigest()
            return cls(path.name, file.tell(), sha256)


class Manifest(msgspec.Struct, frozen=True):
    """The content of the manifest, as JSON.

    library: the library's id. version: of Darkroom. migration: the latest that the database had. kind: of the database.
    files, bytes: of the copies of the library's files. missing, damaged: how many files storage did not have, or with
    another content, although rows name them.
    """

    format: int
    library: UUID
    version: str
    migration: str
    made_at: Annotated[datetime, msgspec.Meta(tz=True)]
    kind: str
    database: Part
    list: Part
    jobs: int
    files: int
    bytes: int
    missing: int
    damaged: int

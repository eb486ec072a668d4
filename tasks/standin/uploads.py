"""Storage for the Files API: files that clients upload as inputs, kept for a day."""

import hashlib
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from tasks.standin.predictions import SECOND, write

KEPT_FOR = 24 * 3600 * SECOND
LARGEST = 100 * 1024 * 1024


class Upload(msgspec.Struct):
    """The attributes of an uploaded file."""

    id: str
    name: str
    content_type: str
    size: int
    md5: str
    sha256: str
    metadata: dict[str, Any]
    created: int


class Uploads:
    """All uploaded files in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._uploads: dict[str, Upload] = {}
        for path in folder.glob("*.json"):
            upload = msgspec.json.decode(path.read_bytes(), type=Upload)
            self._uploads[upload.id] = upload

    def add(self, content: bytes, name: str, content_type: str, metadata: dict[str, Any], now: int) -> Upload:
        """Store a file."""
        md5, sha256 = hashlib.md5(content, usedforsecurity=False).hexdigest(), hashlib.sha256(content).hexdigest()
        upload = Upload(uuid4().hex, name, content_type, len(content), md5, sha256, metadata, now)
        write(self.folder / f"{upload.id}.bin", content)
        write(self.folder / f"{upload.id}.json", msgspec.json.encode(upload))
        self._uploads[upload.id] = upload
        return upload

    def get(self, upload: str, now: int) -> Upload | None:
        """Return the file with this id. Returns None when there is none or it has expired."""
        found = self._uploads.get(upload)
        return found if found and found.created + KEPT_FOR > now else None

    def all(self, now: int) -> list[Upload]:
        """Return the files that have not expired, newest first."""
        kept = [upload for upload in self._uploads.values() if upload.created + KEPT_FOR > now]
        return sorted(kept, key=lambda upload: upload.created, reverse=True)

    def content(self, upload: Upload) -> bytes:
        """Return a file's bytes."""
        return (self.folder / f"{upload.id}.bin").read_bytes()

    def remove(self, upload: Upload) -> None:
        """Delete a file."""
        del self._uploads[upload.id]
        for ending in ("json", "bin"):
            (self.folder / f"{upload.id}.{ending}").unlink(missing_ok=True)

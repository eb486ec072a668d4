"""The shapes that Replicate's API answers with, made of ours: models, versions and files.

Source: Replicate's OpenAPI document. The official Python client refuses null in some of its members: there, what
Darkroom does not know is empty.
"""

import re
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from msgspec import Struct

from tasks.db import tables
from tasks.files import input_files, uploads
from tasks.library.prediction_shape import ROOT, time_text
from tasks.models import registry
from tasks.models.names import bare

Row = TypeVar("Row")

FILE = re.compile(rf"{ROOT}(/v1)?/files/")
SIGNATURE = re.compile(r"\?expires=[0-9]+&signature=[A-Za-z0-9_-]+$")
NO_MOMENT = "1970-01-01T00:00:00Z"


class Page(Struct, Generic[Row]):
    """A page of a list. next, previous: the addresses of the pages beside it."""

    results: list[Row]
    next: str | None = None
    previous: str | None = None


class Version(Struct):
    """A version of a model."""

    id: str
    openapi_schema: dict[str, Any]
    created_at: str = NO_MOMENT
    cog_version: str = ""

    @classmethod
    def of(cls, model: registry.Model) -> "Version | None":
        """Return the shape of the version of a model, or None when it is not known."""
        schema = {"components": {"schemas": model.schemas}, "paths": {}}
        return cls(model.version, schema) if model.version else None


class Model(Struct, kw_only=True):
    """A model on Replicate."""

    url: str
    owner: str
    name: str
    description: str
    visibility: str = "public"
    is_official: bool
    github_url: None = None
    paper_url: None = None
    license_url: None = None
    run_count: int = 0
    cover_image_url: None = None
    default_example: None = None
    latest_version: Version | None

    @classmethod
    def of(cls, model: registry.Model) -> "Model":
        """Return the shape of a model."""
        full_name = bare(model.name)
        owner, _, name = full_name.partition("/")
        return cls(
            url=f"https://replicate.com/{full_name}", owner=owner, name=name, description=model.description,
            is_official=model.official, latest_version=Version.of(model),
        )  # fmt: skip


class File(Struct, kw_only=True):
    """An upload."""

    id: str
    name: str
    content_type: str
    size: int
    etag: str
    checksums: dict[str, str]
    metadata: dict[str, Any]
    created_at: str
    expires_at: str
    urls: dict[str, str]

    @classmethod
    def of(cls, row: tables.Upload, origin: str) -> "File":
        """Return the shape of an upload. It expires unless a job uses it."""
        return cls(
            id=row.key, name=row.key, content_type=row.media_type, size=row.bytes, etag=row.sha256,
            checksums={"sha256": row.sha256}, metadata={}, created_at=time_text(row.created_at),
            expires_at=time_text(row.created_at + uploads.UNUSED_TTL),
            urls={"get": f"{origin}{ROOT}/v1/files/{row.key}"},
        )  # fmt: skip


class Secret(Struct):
    """The secret that signs webhooks."""

    key: str


class Account(Struct):
    """Who asks."""

    username: str
    name: str
    type: str = "user"
    github_url: None = None


def without_origin(value: Any, origins: Sequence[str]) -> Any:
    """Return an input with the addresses of our files as a job's parameters have them.

    They are those of results, and those of files here. origins: those by which we are known.
    """
    if isinstance(value, list):
        return [without_origin(item, origins) for item in value]
    for origin in origins if isinstance(value, str) else ():
        path = SIGNATURE.sub("", FILE.sub("/media/", value.removeprefix(origin), count=1))
        if value.startswith(f"{origin}/") and input_files.key_of(path):
            return path
    return value

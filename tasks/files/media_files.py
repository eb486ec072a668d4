"""Find the file in storage for an address below /media/: one that a row names, or none."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from tasks.db.tables import Condition, Output, Upload
from tasks.files import uploads
from tasks.files.media_types import MEDIA_TYPES, PREVIEW_SUFFIX, THUMBNAIL_SUFFIX

PREVIEWED_EXTENSIONS = [extension for extension, media in MEDIA_TYPES.items() if media.visible]
OF_A_JOB = (
    "SELECT output.stored_key, output.stored_preview_key, output.stored_thumbnail_key, job.owner"
    " FROM output JOIN job ON job.id = output.job WHERE {} AND job.deleted_at IS NULL LIMIT 1"
)


async def find(key: str, sees_only: UUID | None = None) -> str | None:
    """Return the name in storage of an upload, of a result, of the preview of either, or of a result's thumbnail.

    Returns None when no row names the file, or its job is deleted. sees_only: the person whose results are all that are
    found; uploads belong to nobody.
    """
    stem, dot, ending = key.partition(".")
    suffix = dot + ending if dot + ending in (PREVIEW_SUFFIX, THUMBNAIL_SUFFIX) else ""
    # Previews and thumbnails are found by the key of their file, which has one of a few types: keys are indexed.
    files = [f"{stem}.{extension}" for extension in PREVIEWED_EXTENSIONS] if suffix else [key]
    if key.startswith(uploads.KEY_PREFIX):
        return await _of_uploads(key, files, suffix)
    return await _of_outputs(key, files, suffix, sees_only)


def stored_names(output: Output | Mapping[str, Any]) -> dict[str, str]:
    """Return the names in storage of an output's `file` and, where it has them, of its `preview` and `thumbnail`."""
    # Empty when a worker of an earlier version, which knew one name only, stored the file.
    names = {"file": output["stored_key"] or output["key"]}
    if output["preview_key"]:
        names["preview"] = output["stored_preview_key"] or output["preview_key"]
    if output["stored_thumbnail_key"]:
        names["thumbnail"] = output["stored_thumbnail_key"]
    return names


async def _of_uploads(key: str, files: list[str], suffix: str) -> str | None:
    if suffix == THUMBNAIL_SUFFIX:
        return None
    named: Condition = Upload.key.is_in(files) & uploads.NOT_DELETING
    if suffix:
        named = named & Upload.width.is_not_null()  # a video with only sound has no width and no preview
    return key if await Upload.exists().where(named) else None


async def _of_outputs(key: str, files: list[str], suffix: str, sees_only: UUID | None) -> str | None:
    named: Condition = Output.key.is_in(files)
    if suffix == PREVIEW_SUFFIX:
        named = named & (Output.preview_key == key)
    elif suffix:
        named = named & Output.stored_thumbnail_key.is_not_null()
    stored = {"": "stored_key", PREVIEW_SUFFIX: "stored_preview_key", THUMBNAIL_SUFFIX: "stored_thumbnail_key"}[suffix]
    for row in await Output.raw(OF_A_JOB, named.querystring):
        if sees_only not in (None, row["owner"]):
            return None
        # Empty when a worker of an earlier version, which knew one name only, stored the file during the upgrade.
        return str(row[stored] or key)
    return None

"""Which file in storage an address below /media/ means: one that a row names, or none."""

from tasks import uploads
from tasks.media_types import MEDIA_TYPES
from tasks.queue import Condition
from tasks.tables import Output, Upload

PREVIEWED = [extension for extension, media in MEDIA_TYPES.items() if media.visible]
OF_A_JOB = (
    "SELECT output.stored_key, output.stored_preview_key FROM output JOIN job ON job.id = output.job"
    " WHERE {} AND job.deleted_at IS NULL LIMIT 1"
)


async def find(key: str) -> str | None:
    """Return the name in storage of an upload, of a result, or of the preview of either.

    Returns None when no row names it, or its job is deleted.
    """
    preview = key == uploads.preview_key(key)
    # A preview is found by its file, which is of one of few types: there is an index of files.
    files = [f"{key.partition('.')[0]}.{extension}" for extension in PREVIEWED] if preview else [key]
    if key.startswith(uploads.PREFIX):
        return await _of_uploads(key, files, preview)
    return await _of_outputs(key, files, preview)


async def _of_uploads(key: str, files: list[str], preview: bool) -> str | None:
    named: Condition = Upload.key.is_in(files) & uploads.STAYS
    if preview:
        named = named & Upload.width.is_not_null()  # a film that is all sound has none, and no preview
    return key if await Upload.exists().where(named) else None


async def _of_outputs(key: str, files: list[str], preview: bool) -> str | None:
    named: Condition = Output.key.is_in(files)
    if preview:
        named = named & (Output.preview_key == key)
    for row in await Output.raw(OF_A_JOB, named.querystring):
        # Empty where a worker of an earlier version stored it while this one was installed: it knew one name only.
        return str(row["stored_preview_key" if preview else "stored_key"] or key)
    return None

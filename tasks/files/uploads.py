"""Keeps files that users upload as input for models: checks and measures them, and stores them while they are used."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Collection, Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks.db import ids
from tasks.db.database import now
from tasks.db.request_tables import IdempotencyKey
from tasks.db.tables import Job, Upload
from tasks.errors import DatabaseAway, Failure
from tasks.files import backup_leases
from tasks.files.decoder_pool import Decoded, DecoderPool
from tasks.files.download import Scratch
from tasks.files.media_types import PREVIEW_SUFFIX, MediaType, sniff
from tasks.files.storage import Storage
from tasks.settings import settings

log = logging.getLogger(__name__)

KEY_PREFIX = "upload-"  # of upload keys
KEY = re.compile(rf"{KEY_PREFIX}[0-9a-f-]{{36}}\.[a-z0-9]{{1,10}}")
MAX_UPLOAD_BYTES = settings.max_upload_mib * 2**20
QUOTA_BYTES = settings.max_uploads_mib * 2**20  # bytes
QUOTA_OF_ONE_BYTES = settings.max_uploads_mib_per_client * 2**20  # bytes
REFUSED_EXTENSIONS = ("svg", "html")  # types that can carry a script
UNUSED_TTL = timedelta(days=1)  # until an upload that no job uses is deleted
CLOCK_TOLERANCE = timedelta(hours=1)
ROWS_PER_CHUNK = 100  # rows per query
DELETING = datetime(1970, 1, 1, tzinfo=UTC)  # replaces created_at while it is being removed
NOT_DELETING = Upload.created_at > DELETING

COLUMN_NAMES = tuple(column._meta.name for column in Upload.all_columns())
INSERT_WITHIN = (
    f"INSERT INTO upload ({', '.join(COLUMN_NAMES)}) SELECT {', '.join(['{}'] * len(COLUMN_NAMES))}"
    " WHERE (SELECT COALESCE(SUM(bytes), 0) FROM upload) + {} <= {}"
    " AND (SELECT COALESCE(SUM(bytes), 0) FROM upload WHERE sender = {}) + {} <= {} RETURNING key"
)


class Unfit(Exception):  # the domain's term: the file is unfit
    """A file that is not accepted.

    code: upload_empty, upload_too_large, upload_type_refused, upload_unreadable or uploads_full. message: a sentence
    for the user.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


async def keep(
    content: AsyncIterator[bytes],
    storage: Storage,
    decoders: DecoderPool,
    max_bytes: int = MAX_UPLOAD_BYTES,
    quota: int = QUOTA_BYTES,
    sender: UUID | None = None,
    quota_of_one: int = QUOTA_OF_ONE_BYTES,
) -> tuple[Upload, bool]:
    """Store a file with its preview. A file that is uploaded twice is stored once and opened once.

    quota: bytes that all uploads together may have. sender: the key or the person that it comes from. quota_of_one:
    bytes that those of one sender may have. Returns the upload, and whether it is new here. Raises Unfit, and
    Failure("storage_unavailable").
    """
    with Scratch(max_bytes) as scratch:
        await _receive(content, scratch)
        known = await _known(scratch.sha256)
        if known is not None and await storage.head(known.key) is not None:
            return known, False
        media = await asyncio.to_thread(sniff, scratch.file)
        seen = await _seen(scratch, media, decoders)
        upload = known or await _written_down(scratch, media, seen, (quota, quota_of_one), sender)
        if seen.preview:
            await storage.put(preview_key(upload.key), seen.preview)
        scratch.file.seek(0)
        await storage.put(upload.key, scratch.file)  # last: if the file exists, its preview does too
    return upload, known is None


async def discard(keys: Iterable[str], storage: Storage) -> None:
    """Remove uploads that were new and came with a refused form, unless a job uses them meanwhile.

    Those that cannot be removed now are left to the sweep.
    """
    try:
        for key in keys:
            if not await is_used(key):
                await _remove(key, now() + CLOCK_TOLERANCE, storage)
    except (Failure, DatabaseAway) as failure:
        log.warning("leaving uploads of a refused form to the sweep: %s", failure)


async def latest(count: int, sender: UUID | None) -> list[Upload]:
    """Return up to `count` uploads of a sender, newest first. sender: as keep() got it."""
    its = Upload.sender.is_null() if sender is None else Upload.sender == sender
    return await Upload.objects().where(its & NOT_DELETING).order_by(Upload.key, ascending=False).limit(count)


async def find(key: str) -> Upload | None:
    """Return an upload, or None when there is none. key: any text."""
    return await Upload.objects().get((Upload.key == key) & NOT_DELETING) if KEY.fullmatch(key) else None


async def delete(upload: Upload, storage: Storage) -> bool:
    """Remove an upload. Returns False when a job uses it, or has claimed it since it was read. Raises Failure."""
    unclaimed_since = upload.created_at + timedelta.resolution
    return not await is_used(upload.key) and await _remove(upload.key, unclaimed_since, storage)


def preview_key(key: str) -> str:
    """Return the key of the preview of an upload or an output, if it has one."""
    return f"{key.partition('.')[0]}{PREVIEW_SUFFIX}"


async def claim(key: str) -> bool:
    """Protect an upload from the sweep for another day, so that a job may use it. Returns False when there is none."""
    found = (Upload.key == key) & NOT_DELETING
    return bool(await Upload.update({Upload.created_at: now()}).where(found).returning(Upload.key))


async def write_off(keys: Collection[str]) -> None:
    """Count uploads as removed whose files are lost."""
    await Upload.update({Upload.created_at: DELETING}).where(Upload.key.is_in(list(keys)))


async def is_used(key: str) -> bool:
    """Return whether a job's parameters name the upload: most likely those of one of the first jobs after it.

    So jobs are searched in order of age. The search ends soon if one names it, and is done only once if none does.
    """
    named = WhereRaw("CAST(job.parameters AS TEXT) LIKE {}", f"%/media/{key}%")
    return bool(await Job.select(Job.id).where((Job.id >= _first_after(key)) & named).order_by(Job.id).limit(1))


async def sweep(storage: Storage, older_than: timedelta = UNUSED_TTL) -> int:
    """Remove the uploads that were not claimed for `older_than` and that no job uses. Returns how many there were."""
    before, swept, last = now() - older_than, 0, ""
    while True:
        old = (Upload.created_at < before) & (Upload.key > last)
        keys = [
            row["key"] for row in await Upload.select(Upload.key).where(old).order_by(Upload.key).limit(ROWS_PER_CHUNK)
        ]
        for key in keys:
            if not await is_used(key):
                swept += await _remove(key, before, storage)
        if len(keys) < ROWS_PER_CHUNK:
            return swept
        last = keys[-1]


async def _receive(content: AsyncIterator[bytes], scratch: Scratch) -> None:
    try:
        async for chunk in content:
            await asyncio.to_thread(scratch.write, chunk)
    except Failure as failure:
        if failure.code != "output_too_large":
            raise
        raise Unfit("upload_too_large", f"A file can be up to {scratch.max_bytes / 2**20:g} MiB.") from failure
    if scratch.size == 0:
        raise Unfit("upload_empty", "The file is empty.")


async def _seen(scratch: Scratch, media: MediaType, decoders: DecoderPool) -> Decoded:
    if media.extension in REFUSED_EXTENSIONS:
        raise Unfit("upload_type_refused", f"Files of type {media.name.partition(';')[0]} are not accepted.")
    try:
        return await decoders.decode(scratch.file, media)
    except Failure as failure:
        too_large = failure.code == "output_too_large"
        message = "has more pixels than Darkroom can open" if too_large else "is damaged and cannot be opened"
        raise Unfit("upload_unreadable", f"The {media.kind} {message}.") from failure


async def _known(sha256: str) -> Upload | None:
    """Return the upload with these bytes, if any, claimed so that no sweep removes it meanwhile."""
    known = await Upload.objects().where((Upload.sha256 == sha256) & NOT_DELETING).first()
    return known if known is not None and await claim(known.key) else None


async def _written_down(
    scratch: Scratch, media: MediaType, seen: Decoded, quotas: tuple[int, int], sender: UUID | None
) -> Upload:
    """Insert the upload's row before the file is stored: a file without a row would never be swept. Raises Unfit."""
    upload = Upload(
        key=f"{KEY_PREFIX}{ids.new()}.{media.extension}", media_type=media.name.partition(";")[0], bytes=scratch.size,
        sha256=scratch.sha256, width=seen.width, height=seen.height, sender=sender, created_at=now(),
    )  # fmt: skip
    values = [getattr(upload, name) for name in COLUMN_NAMES]
    size, (in_all, of_one) = upload.bytes, quotas
    if not await Upload.raw(INSERT_WITHIN, *values, size, in_all, sender, size, of_one):
        limits = f"{in_all / 2**20:g} MiB in total, {of_one / 2**20:g} MiB of one person or key"
        raise Unfit("uploads_full", f"There is no room for more files: the limit is {limits}.")
    upload._exists_in_db = True
    return upload


def _first_after(key: str) -> UUID:
    """Return the smallest id that a job submitted after this upload may have. Both ids begin with the time."""
    given = UUID(key.removeprefix(KEY_PREFIX).partition(".")[0])
    return ids.first_at(ids.moment_of(given) - CLOCK_TOLERANCE)


async def _remove(key: str, before: datetime, storage: Storage) -> bool:
    """Remove an upload, unless it has been claimed at this very moment.

    Its row is deleted last: when storage fails, or while a backup is under way, it counts as removed, and a later sweep
    finds it again. Raises Failure.
    """
    unclaimed = (Upload.key == key) & (Upload.created_at < before)
    if not await Upload.update({Upload.created_at: DELETING}).where(unclaimed).returning(Upload.key):
        return False
    if await backup_leases.are_held():
        return True
    await storage.delete([key, preview_key(key)])
    await IdempotencyKey.delete().where(IdempotencyKey.upload == key)
    await Upload.delete().where((Upload.key == key) & (Upload.created_at == DELETING))
    return True

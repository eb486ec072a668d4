"""Files that people give us as input for models: checked, measured, kept with us for as long as something uses them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from piccolo.columns.combination import WhereRaw

from tasks.database import now
from tasks.failures import DatabaseAway, Failure
from tasks.fetch import Scratch
from tasks.media_types import PREVIEW_SUFFIX, MediaType, sniff
from tasks.openers import Look, look
from tasks.settings import settings
from tasks.storage import Storage
from tasks.tables import Job, Upload, new_id

log = logging.getLogger(__name__)

PREFIX = "upload-"  # of their keys
MAX_BYTES = settings.max_upload_mib * 2**20
QUOTA = settings.max_uploads_mib * 2**20  # bytes
REFUSED = ("svg", "html")  # what can carry a script
UNUSED_FOR = timedelta(days=1)  # until an upload that no job uses goes
CLOCKS_DIFFER = timedelta(hours=1)
AT_ONCE = 100  # rows of a look
GOING = datetime(1970, 1, 1, tzinfo=UTC)  # in place of when it came: it is being removed
STAYS = Upload.created_at > GOING

NAMES = tuple(column._meta.name for column in Upload.all_columns())
INSERT_WITHIN = (
    f"INSERT INTO upload ({', '.join(NAMES)}) SELECT {', '.join(['{}'] * len(NAMES))}"
    " WHERE (SELECT COALESCE(SUM(bytes), 0) FROM upload) + {} <= {} RETURNING key"
)


class Unfit(Exception):  # the domain's word: the file is unfit
    """A file that is not taken.

    code: upload_empty, upload_too_large, upload_type_refused, upload_unreadable or uploads_full. message: a sentence
    for the user.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


async def keep(
    content: AsyncIterator[bytes], storage: Storage, max_bytes: int = MAX_BYTES, quota: int = QUOTA
) -> Upload:
    """Keep a file with its preview. The same file given twice is kept once, and opened once.

    quota: bytes that all uploads together may have. Raises Unfit, and Failure("storage_unavailable").
    """
    return (await add(content, storage, max_bytes, quota))[0]


async def add(
    content: AsyncIterator[bytes], storage: Storage, max_bytes: int = MAX_BYTES, quota: int = QUOTA
) -> tuple[Upload, bool]:
    """Keep a file as keep() does. Answers, too, whether it is new here."""
    with Scratch(max_bytes) as scratch:
        await _receive(content, scratch)
        known = await _known(scratch.sha256)
        if known is not None and await storage.head(known.key) is not None:
            return known, False
        media = await asyncio.to_thread(sniff, scratch.file)
        seen = await _seen(scratch, media)
        upload = known or await _written_down(scratch, media, seen, quota)
        if seen.preview:
            await storage.put(preview_key(upload.key), seen.preview)
        scratch.file.seek(0)
        await storage.put(upload.key, scratch.file)  # last: where the file is, its preview is too
    return upload, known is None


async def discard(keys: Iterable[str], storage: Storage) -> None:
    """Remove uploads that were new, and came with what was refused, where no job uses them meanwhile.

    What cannot be removed now is left to the sweep.
    """
    try:
        for key in keys:
            if not await _is_used(key):
                await _remove(key, now() + CLOCKS_DIFFER, storage)
    except (Failure, DatabaseAway) as failure:
        log.warning("uploads of a refused form are left to the sweep: %s", failure)


def preview_key(key: str) -> str:
    """The key of a file's preview, of uploads and of outputs alike, if it has one."""
    return f"{key.partition('.')[0]}{PREVIEW_SUFFIX}"


async def claim(key: str) -> bool:
    """Keep an upload from being swept for another day, in which a job may come to use it. False: there is none."""
    found = (Upload.key == key) & STAYS
    return bool(await Upload.update({Upload.created_at: now()}).where(found).returning(Upload.key))


async def sweep(storage: Storage, older_than: timedelta = UNUSED_FOR) -> int:
    """Remove the uploads that nobody claimed for so long and no job uses. Answers how many that were."""
    before, swept, last = now() - older_than, 0, ""
    while True:
        old = (Upload.created_at < before) & (Upload.key > last)
        keys = [row["key"] for row in await Upload.select(Upload.key).where(old).order_by(Upload.key).limit(AT_ONCE)]
        for key in keys:
            if not await _is_used(key):
                swept += await _remove(key, before, storage)
        if len(keys) < AT_ONCE:
            return swept
        last = keys[-1]


async def _receive(content: AsyncIterator[bytes], scratch: Scratch) -> None:
    try:
        async for chunk in content:
            await asyncio.to_thread(scratch.write, chunk)
    except Failure as failure:
        if failure.code != "output_too_large":
            raise
        raise Unfit("upload_too_large", f"A file may have up to {scratch.max_bytes / 2**20:g} MiB.") from failure
    if scratch.size == 0:
        raise Unfit("upload_empty", "The file is empty.")


async def _seen(scratch: Scratch, media: MediaType) -> Look:
    if media.extension in REFUSED:
        raise Unfit("upload_type_refused", f"Files of the type {media.name.partition(';')[0]} are not taken.")
    try:
        return await look(scratch.file, media)
    except Failure as failure:
        too_large = failure.code == "output_too_large"
        told = "has more pixels than Darkroom opens" if too_large else "is damaged and cannot be opened"
        raise Unfit("upload_unreadable", f"The {media.kind} {told}.") from failure


async def _known(sha256: str) -> Upload | None:
    """The upload with these bytes, claimed, so that no sweep takes it meanwhile."""
    known = await Upload.objects().where((Upload.sha256 == sha256) & STAYS).first()
    return known if known is not None and await claim(known.key) else None


async def _written_down(scratch: Scratch, media: MediaType, seen: Look, quota: int) -> Upload:
    """Its row, saved before the file is stored: a file without a row would never be swept. Raises Unfit."""
    upload = Upload(
        key=f"{PREFIX}{new_id()}.{media.extension}", media_type=media.name.partition(";")[0], bytes=scratch.size,
        sha256=scratch.sha256, width=seen.width, height=seen.height, created_at=now(),
    )  # fmt: skip
    values = [getattr(upload, name) for name in NAMES]
    if not await Upload.raw(INSERT_WITHIN, *values, upload.bytes, quota):
        raise Unfit("uploads_full", f"There is no room for more files: all together may take {quota / 2**20:g} MiB.")
    upload._exists_in_db = True
    return upload


async def _is_used(key: str) -> bool:
    """Whether the parameters of a job name it: most likely one of the first that came after it.

    So they are looked through in their order, which ends soon where there is one, and only once where there is none.
    """
    named = WhereRaw("CAST(job.parameters AS TEXT) LIKE {}", f"%/media/{key}%")
    return bool(await Job.select(Job.id).where((Job.id >= _first_after(key)) & named).order_by(Job.id).limit(1))


def _first_after(key: str) -> UUID:
    """The least id that a job may have which came after this upload: both ids begin with the time."""
    given = UUID(key.removeprefix(PREFIX).partition(".")[0])
    moment = datetime.fromtimestamp((given.int >> 80) / 1000, UTC) - CLOCKS_DIFFER
    return UUID(int=int(moment.timestamp() * 1000) << 80)


async def _remove(key: str, before: datetime, storage: Storage) -> bool:
    """Remove an upload, unless somebody claimed it in this very moment.

    Its row goes last: where storage does not do as it is told, the next sweep finds it again. Raises Failure.
    """
    unclaimed = (Upload.key == key) & (Upload.created_at < before)
    if not await Upload.update({Upload.created_at: GOING}).where(unclaimed).returning(Upload.key):
        return False
    await storage.delete([key, preview_key(key)])
    await Upload.delete().where((Upload.key == key) & (Upload.created_at == GOING))
    return True

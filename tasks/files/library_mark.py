"""The library's mark: a hidden file in storage that names its library, and the time when the library was last alive.

The library's row says the same. Comparing the two reveals a folder that is not mounted, another library's bucket, and a
database that is older than its storage because it was restored from a backup.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec

from tasks.background import repeat
from tasks.db import ids
from tasks.db.database import DB, now
from tasks.db.dialect import from_now
from tasks.db.tables import Job, Library, Output
from tasks.errors import DatabaseAway, Failure
from tasks.files.storage import MARK, Storage, why
from tasks.replicate import circuit

log = logging.getLogger(__name__)

CHECK_SECONDS = 60.0  # seconds between two checks
RECHECK_SECONDS = 5.0  # seconds between two checks while storage is not known to be this library's
TIMEOUT_SECONDS = 5.0  # seconds that storage has to answer
SAMPLE_FILES = 10  # how many of the library's files to look for when there is no mark
NEVER_ALIVE = datetime(1970, 1, 1, tzinfo=UTC)  # the `alive_at` of a library whose storage has no mark yet
CLOCK_TOLERANCE = timedelta(minutes=5)
"""For a running process: two libraries that share a storage by mistake do not halt each other all the time."""


class Mark(msgspec.Struct, frozen=True):
    """The content of the file, as JSON."""

    uuid: UUID
    alive_at: Annotated[datetime, msgspec.Meta(tz=True)] = NEVER_ALIVE


async def begin(storage: Storage) -> str | None:
    """Check storage at the start of a process, as check() does, and log a warning when it cannot be used.

    Here a database counts as restored when it is older than its storage by any amount: the row is always written, and
    on the disk, before the mark.
    """
    storage.ours = False
    reason = await check(storage, tolerance=timedelta(0))
    if reason:
        log.warning("STORAGE_URL: %s", reason)
    return reason


async def check(
    storage: Storage, within: float = TIMEOUT_SECONDS, tolerance: timedelta = CLOCK_TOLERANCE
) -> str | None:
    """Check whether storage is this library's and accepts files. Returns why not, as text for the operator, or None.

    Creates the storage of a new library, and halts the queue when the database was restored from a backup.
    """
    try:
        reason = await _compare(storage, within, tolerance)
    except TimeoutError:
        return f"storage did not answer within {within:g} s"
    except Failure as failure:
        return why(failure)
    except DatabaseAway as away:
        return f"cannot tell whether {storage.name} is this library's storage: {away}"
    return reason or await storage.check(within)


async def keep_watch(storage: Storage, alive: bool) -> None:
    """Check storage every minute, and sooner while it is not known to be this library's. Never returns.

    alive: whether to leave a sign of life each time, as workers do.
    """

    async def look() -> None:
        await _look_again(storage)
        if alive:
            await leave_sign_of_life(storage)

    def pause() -> float:
        return CHECK_SECONDS if storage.ours else RECHECK_SECONDS

    await repeat(look, pause, "could not check storage", log, at_once=True)


async def _look_again(storage: Storage) -> None:
    before, reason = storage.ours, await check(storage)
    if before and not storage.ours:
        log.warning("STORAGE_URL: %s", reason)
    if storage.ours and not before:
        log.info("%s is available again.", storage.name)


async def leave_sign_of_life(storage: Storage, within: float = TIMEOUT_SECONDS) -> None:
    """Write the current time to the row and, once it is durable there, to the mark. Warns when this is not possible.

    The row never goes back to an earlier time: an update that waited while another process wrote is skipped.
    """
    if not storage.ours:
        return
    try:
        alive = Library.update({Library.alive_at: from_now()}).where(Library.alive_at < from_now())
        rows = await alive.returning(*Library.all_columns())
        await DB.make_durable()
        for row in rows:
            async with asyncio.timeout(within):
                await storage.set_mark(msgspec.json.encode(Mark(row["uuid"], row["alive_at"])))
    except (DatabaseAway, Failure, TimeoutError) as error:
        log.warning("could not leave a sign of life: %s", error)


async def owner(storage: Storage, within: float = TIMEOUT_SECONDS) -> UUID | None:
    """Return the id of the library whose storage it is, or None when there is no mark. Raises Failure, TimeoutError."""
    mark = await _read(storage, within)
    return mark.uuid if mark else None


async def mark_restored(storage: Storage, library: UUID) -> None:
    """Mark storage as that of a library whose database is about to be restored. Raises Failure.

    The mark has the present time, so each process that begins with that database sees that it is older, and halts.
    """
    await storage.make(msgspec.json.encode(Mark(library, now())))


def restored_message(moment: datetime | None) -> str:
    """Return what users are told while a restored library is halted. moment: of the backup, if it is known."""
    of = f" of {moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""
    return (
        f"This library was restored from a backup{of}. Its waiting jobs may have been made, and paid for, since."
        " Check them, cancel the ones you do not need, then run `darkroom resume`."
    )


async def _compare(storage: Storage, within: float, tolerance: timedelta) -> str | None:
    """Return why storage is not this library's according to its mark, or None when it is.

    Reads the mark before the row, because the row is written before the mark. Raises Failure and TimeoutError from
    storage, and DatabaseAway.
    """
    mark = await _read(storage, within)
    row = await _row() or await _new_row(mark)
    if mark is None and row.alive_at == NEVER_ALIVE:
        return await _make(storage, row, within)
    mark = mark or await _read(storage, within)  # another process may have just created it
    storage.ours = mark is not None and mark.uuid == row.uuid
    if mark is None or mark.uuid != row.uuid:
        return f"{storage.name} is not this library's storage, which has {row.uuid} in its file {MARK}: is it mounted?"
    if row.alive_at == NEVER_ALIVE:
        await _is_marked()
    elif mark.alive_at > row.alive_at + tolerance:
        await _hold_restored(row, mark)
    return None


async def _read(storage: Storage, within: float) -> Mark | None:
    async with asyncio.timeout(within):
        found = await storage.mark()
    try:
        return None if found is None else msgspec.json.decode(found, type=Mark)
    except msgspec.DecodeError as error:
        raise Failure("storage_unavailable", f"The file {MARK} in {storage.name} cannot be read: {error}") from None


async def _row() -> Library | None:
    return await Library.objects().first()


async def _new_row(mark: Mark | None) -> Library:
    """Create the library's row. A database with jobs and no row, while a mark exists, is older than its first mark."""
    if mark is not None and await Job.exists():
        await circuit.hold("restored", restored_message(None))
    row = Library(id=1, uuid=mark.uuid if mark else ids.new(), alive_at=NEVER_ALIVE)
    await Library.insert(row).on_conflict(action="DO NOTHING")
    return await Library.objects().get(Library.id == 1) or row


async def _make(storage: Storage, row: Library, within: float) -> str | None:
    """Create the storage of a new library. A library from an earlier version has its storage, only without a mark."""
    async with asyncio.timeout(within):
        if not await _has_our_files(storage):
            storage.ours = False
            return f"{storage.name} has none of this library's files: is it mounted?"
        await storage.make(msgspec.json.encode(Mark(row.uuid)))
    await _is_marked()
    storage.ours = True
    return None


async def _has_our_files(storage: Storage) -> bool:
    """Return whether storage has one of this library's newest files, or the library has no files."""
    newest = await Output.select(Output.key, Output.stored_key).order_by(Output.id, ascending=False).limit(SAMPLE_FILES)
    for row in newest:
        with suppress(Failure):  # without a mark, storage raises instead of reporting a file as absent
            if await storage.head(row["stored_key"] or row["key"]) is not None:
                return True
    return not newest


async def _is_marked() -> None:
    await Library.update({Library.alive_at: from_now()}).where(Library.alive_at == NEVER_ALIVE)


async def _hold_restored(row: Library, mark: Mark) -> None:
    """Halt the queue once: from then on, the row has the time of the mark."""
    async with DB.transaction():
        as_it_was = Library.alive_at == row.alive_at
        if await Library.update({Library.alive_at: mark.alive_at}).where(as_it_was).returning(Library.id):
            await circuit.hold("restored", restored_message(row.alive_at))

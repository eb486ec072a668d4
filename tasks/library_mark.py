"""The library's mark: a hidden file in storage that says which library's it is, and when that was last alive.

The library's row says the same. So a folder that is not mounted and another library's bucket are known, and so is a
database that is older than its storage: one that was restored from a backup.
"""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec

from tasks import halts
from tasks.database import DB, from_now
from tasks.failures import DatabaseAway, Failure
from tasks.storage import MARK, Storage, why
from tasks.tables import Job, Library, Output, new_id

log = logging.getLogger(__name__)

INTERVAL = 60.0  # seconds between two looks
SOON = 5.0  # seconds, while storage is not known as this library's
ANSWER = 5.0  # seconds that storage has to answer
FILES = 10  # of a library without a mark that are looked for
NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # a library was alive then whose storage has no mark yet
TOLERANCE = timedelta(minutes=5)
"""Of a process that runs: two libraries that share a storage by mistake do not halt each other all the time."""


class Mark(msgspec.Struct, frozen=True):
    """What the file says, in JSON."""

    uuid: UUID
    alive_at: Annotated[datetime, msgspec.Meta(tz=True)] = NEVER


async def begin(storage: Storage) -> str | None:
    """Get to know storage at the start of a process, as check() does, and warn where it cannot be used.

    Here a database counts as restored that is older than its storage by whatever little: the row is always written, and
    on the disk, before the mark.
    """
    storage.ours = False
    reason = await check(storage, tolerance=timedelta(0))
    if reason:
        log.warning("STORAGE_URL: %s", reason)
    return reason


async def check(storage: Storage, within: float = ANSWER, tolerance: timedelta = TOLERANCE) -> str | None:
    """See whether storage is this library's and takes files. Answers why not, in words for the operator, or None.

    Makes the storage of a new library, and halts the queue where the database was restored from a backup.
    """
    try:
        reason = await _compare(storage, within, tolerance)
    except TimeoutError:
        return f"storage did not answer within {within:g} s"
    except Failure as failure:
        return why(failure)
    except DatabaseAway as away:
        return f"whether {storage.name} is this library's storage is not known: {away}"
    return reason or await storage.check(within)


async def keep_watch(storage: Storage, alive: bool) -> None:
    """Look every minute, for ever, and sooner while storage is not known as this library's.

    alive: leave a sign of life each time, as workers do.
    """
    while True:
        try:
            await _look_again(storage)
            if alive:
                await leave_sign_of_life(storage)
        except Exception:
            log.exception("storage could not be looked at; trying again")
        await asyncio.sleep(INTERVAL if storage.ours else SOON)


async def _look_again(storage: Storage) -> None:
    before, reason = storage.ours, await check(storage)
    if before and not storage.ours:
        log.warning("STORAGE_URL: %s", reason)
    if storage.ours and not before:
        log.info("%s is there again.", storage.name)


async def leave_sign_of_life(storage: Storage, within: float = ANSWER) -> None:
    """Write the moment down in the row and, once it is safe there, in the mark. Warns where that is not possible.

    The row never goes back to an earlier moment: one that waited while another process wrote its own is left out.
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
        log.warning("no sign of life could be left: %s", error)


async def _compare(storage: Storage, within: float, tolerance: timedelta) -> str | None:
    """Whether the mark is the one of this library. The mark is read before the row, which is written before the mark.

    Raises Failure and TimeoutError of storage, and DatabaseAway.
    """
    mark = await _read(storage, within)
    row = await _row() or await _new_row(mark)
    if mark is None and row.alive_at == NEVER:
        return await _make(storage, row, within)
    mark = mark or await _read(storage, within)  # another process may have made it in this very moment
    storage.ours = mark is not None and mark.uuid == row.uuid
    if mark is None or mark.uuid != row.uuid:
        return f"{storage.name} is not this library's storage, with {row.uuid} in its file {MARK}: is it mounted?"
    if row.alive_at == NEVER:
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
    """The library's row, made. A database that has jobs and no row, beside a mark, comes from before its first mark."""
    if mark is not None and await Job.exists():
        await halts.hold("restored", _restored(None))
    row = Library(id=1, uuid=mark.uuid if mark else new_id(), alive_at=NEVER)
    await Library.insert(row).on_conflict(action="DO NOTHING")
    return await Library.objects().get(Library.id == 1) or row


async def _make(storage: Storage, row: Library, within: float) -> str | None:
    """Give a new library its storage. One that an earlier version made has it, but for the mark."""
    async with asyncio.timeout(within):
        if not await _has_our_files(storage):
            storage.ours = False
            return f"{storage.name} has none of this library's files: is it mounted?"
        await storage.make(msgspec.json.encode(Mark(row.uuid)))
    await _is_marked()
    storage.ours = True
    return None


async def _has_our_files(storage: Storage) -> bool:
    """Whether one of the newest files of this library is there, if it has any."""
    newest = await Output.select(Output.key, Output.stored_key).order_by(Output.id, ascending=False).limit(FILES)
    for row in newest:
        with suppress(Failure):  # of a folder without a mark nothing is said to be absent
            if await storage.head(row["stored_key"] or row["key"]) is not None:
                return True
    return not newest


async def _is_marked() -> None:
    await Library.update({Library.alive_at: from_now()}).where(Library.alive_at == NEVER)


async def _hold_restored(row: Library, mark: Mark) -> None:
    """Halt the queue, once: the row is as old as the mark from then on."""
    async with DB.transaction():
        as_it_was = Library.alive_at == row.alive_at
        if await Library.update({Library.alive_at: mark.alive_at}).where(as_it_was).returning(Library.id):
            await halts.hold("restored", _restored(row.alive_at))


def _restored(moment: datetime | None) -> str:
    of = f" of {moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else ""
    return (
        f"This library was restored from a backup{of}. What waited in it may have been made, and paid for, since."
        " Look through it, cancel what is not wanted, then run `darkroom resume`."
    )

"""While a backup is under way, nothing is removed from storage; when it is over or its process is gone, all is."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tasks.curation import trash
from tasks.db.database import now
from tasks.db.tables import BackupLease, Output, PendingFile, Upload
from tasks.files import backup_leases, pending_files, uploads
from tasks.files.backup_leases import Lease, LeaseLost
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.settings import settings
from tests.factories import completed
from tests.tasks.samples import picture
from tests.tasks.work import DECODERS
from tests.waiting import eventually


@pytest.fixture
def storage() -> Storage:
    return Storage.open(settings.storage_url)


async def uploaded(storage: Storage) -> Upload:
    async def content() -> AsyncIterator[bytes]:
        yield picture(40, 30)

    upload, _ = await uploads.keep(content(), storage, DECODERS)
    return upload


async def lapse() -> None:
    """Let all leases run out."""
    await BackupLease.update({BackupLease.until: now() - timedelta(seconds=1)}, force=True)


async def test_the_files_of_a_deleted_job_are_removed_after_the_backup(storage: Storage) -> None:
    job = await completed()
    [name] = [output.stored_key for output in await Output.objects()]
    async with backup_leases.taken():
        await lifecycle.delete(job.id)
        await trash.clear(storage, job.id)
        await trash.clear_all(storage)
        assert await storage.head(name) is not None
        assert await Output.count() == 1, "the rows go after the file"
    await trash.clear_all(storage)
    assert await storage.head(name) is None
    assert await Output.count() == 0


async def test_an_upload_that_is_deleted_is_gone_at_once_and_its_file_after_the_backup(storage: Storage) -> None:
    upload = await uploaded(storage)
    async with backup_leases.taken():
        assert await uploads.delete(upload, storage)
        assert await uploads.find(upload.key) is None
        assert await uploads.sweep(storage) == 1
        assert await storage.head(upload.key) is not None
    await uploads.sweep(storage)
    assert await storage.head(upload.key) is None
    assert await Upload.count() == 0


@pytest.mark.parametrize("removed_at", [None, timedelta(hours=2)], ids=["first", "second"])
async def test_files_that_no_output_names_are_removed_after_the_backup(
    removed_at: timedelta | None, storage: Storage
) -> None:
    job = await completed()
    await storage.put("pending.png", b"pending")
    moment = None if removed_at is None else now() - removed_at
    note = PendingFile(key="pending.png", job=job.id, claim=job.id, noted_at=now(), removed_at=moment)
    await PendingFile.insert(note)
    async with backup_leases.taken():
        await pending_files.sweep(storage)
        assert await storage.head("pending.png") is not None
    await pending_files.sweep(storage)
    assert await storage.head("pending.png") is None


async def test_one_of_two_backups_that_goes_on_keeps_the_files(storage: Storage) -> None:
    job = await completed()
    async with backup_leases.taken():
        async with backup_leases.taken():
            await lifecycle.delete(job.id)
        await trash.clear_all(storage)
        assert await Output.count() == 1
    await trash.clear_all(storage)
    assert await Output.count() == 0


async def test_the_lease_of_a_killed_backup_runs_out_and_its_row_goes_with_the_next(storage: Storage) -> None:
    job = await completed()
    await Lease().take()
    await lifecycle.delete(job.id)
    await trash.clear_all(storage)
    assert await Output.count() == 1
    await lapse()
    await trash.clear_all(storage)
    assert await Output.count() == 0
    async with backup_leases.taken():
        assert await BackupLease.count() == 1
    assert await BackupLease.count() == 0


async def test_a_lease_is_renewed_while_its_backup_runs() -> None:
    async with backup_leases.taken(renewal=0.01) as lease:
        before = (await BackupLease.objects().first()) or BackupLease()

        async def longer() -> bool:
            return await BackupLease.exists().where(BackupLease.until > before.until)

        await eventually(longer)
        await lease.renew()


async def test_a_lease_that_ran_out_cannot_be_renewed_any_more() -> None:
    async with backup_leases.taken() as lease:
        await lapse()
        for _ in range(2):
            with pytest.raises(LeaseLost):
                await lease.renew()


async def test_a_process_that_was_frozen_has_lost_its_lease_although_the_row_was_renewed() -> None:
    clock = iter((0.0, 59.0, 61.0, 61.0, 61.0)).__next__  # seconds
    lease = Lease(60, clock)
    await lease.take()
    for _ in range(2):  # asked in time at first, answered too late
        with pytest.raises(LeaseLost):
            await lease.renew()

"""What rows say of files is compared with storage, both ways. What comes or goes at that moment is not wrong."""

from pathlib import Path
from uuid import UUID

import pytest

from tasks.backup import check
from tasks.backup.check import Findings
from tasks.backup.errors import BackupError
from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Job, Output, PendingFile, Values
from tasks.files import backup_leases, uploads
from tasks.jobs import lifecycle
from tests.factories import submitted
from tests.tasks.backup.places import Place, a_job_with, an_upload, ignored


async def checked(place: Place, by_hash: bool = False) -> tuple[Findings, list[str]]:
    lines: list[str] = []
    found = await check.check(place.database, place.storage, by_hash, lines.append, ignored)
    return found, sorted(lines)


async def output_of(job: Job) -> Output:
    [output] = await Output.objects().where(Output.job == job.id)
    return output


async def with_previews(job: Job, place: Place) -> tuple[str, str]:
    """Give the file of a job a preview and a thumbnail. Returns their names in storage."""
    preview, thumbnail = f"{job.id}.preview.webp", f"{job.id}.thumbnail.webp"
    for name in (preview, thumbnail):
        await place.storage.put(name, b"small")
    stored: Values = {
        Output.preview_key: preview,
        Output.stored_preview_key: preview,
        Output.stored_thumbnail_key: thumbnail,
    }
    await Output.update(stored).where(Output.job == job.id)
    return preview, thumbnail


async def test_nothing_is_wrong_with_a_library_that_is_whole(here: Place) -> None:
    await with_previews(await a_job_with(here.storage), here)
    assert await checked(here) == (Findings(3, 2, 0, 0, 0, 0), [])
    assert await checked(here, by_hash=True) == (Findings(3, 2, 0, 0, 0, 0), [])


async def test_each_file_that_is_wrong_is_said_in_a_line(here: Place) -> None:
    jobs = [await a_job_with(here.storage) for _ in range(4)]
    missing, shorter, other, good = [(await output_of(job)).stored_key for job in jobs]
    preview, thumbnail = await with_previews(jobs[3], here)
    await here.storage.delete([missing, preview])
    await here.storage.put(shorter, b"pic")
    await here.storage.put(other, b"pictuer")
    await here.storage.put(thumbnail, b"")
    await here.storage.put("orphan.png", b"orphan")
    lines = sorted([
        f"missing  {missing} (file of job {jobs[0].id})",
        f"missing  {preview} (preview of job {jobs[3].id})",
        f"size     {shorter} (file of job {jobs[1].id}): 3 bytes in place of 7",
        f"size     {thumbnail} (thumbnail of job {jobs[3].id}): 0 bytes",
        "orphan   orphan.png: 6 bytes",
    ])  # fmt: skip
    assert await checked(here) == (Findings(6, 2, 2, 2, 0, 1), lines)
    with_content = sorted([*lines, f"content  {other} (file of job {jobs[2].id})"])
    found = Findings(6, 2, 2, 2, 1, 1)
    assert await checked(here, by_hash=True) == (found, with_content)
    assert not found.good
    assert await here.storage.head("orphan.png") is not None, "nothing is deleted"
    assert await here.storage.head(good) is not None


async def test_files_that_are_on_their_way_or_leave_are_no_orphans(here: Place) -> None:
    deleted, pending = await a_job_with(here.storage), ids.new()
    async with backup_leases.taken():  # so that all of it stays for now
        await lifecycle.delete(deleted.id)
        await PendingFile.insert(PendingFile(key="pending.png", job=pending, claim=pending, noted_at=now()))
        await here.storage.put("pending.png", b"pending")
        key = await an_upload(b"picture")
        for name in (key, uploads.preview_key(key)):
            await here.storage.put(name, b"picture")
        upload = await uploads.find(key)
        assert upload is not None
        assert await uploads.delete(upload, here.storage)
    assert await checked(here) == (Findings(0, 0, 0, 0, 0, 0), [])


async def test_the_storage_mark_and_half_written_files_are_no_orphans(here: Place) -> None:
    for name in (".probe", "half.png#123"):
        (Path(here.environment["STORAGE_URL"]) / name).write_bytes(b"half")
    assert await checked(here) == (Findings(0, 0, 0, 0, 0, 0), [])


async def test_an_upload_is_missing_only_if_a_job_names_it(here: Place) -> None:
    key = await an_upload(b"picture")
    assert (await checked(here))[0].good
    await submitted(parameters={"image": f"/media/{key}"})
    _, lines = await checked(here)
    name = uploads.preview_key(key)
    assert lines == [f"missing  {name} (preview of an upload)", f"missing  {key} (file of an upload)"]


async def test_what_is_stored_after_the_list_was_made_is_not_missing(here: Place) -> None:
    output = await output_of(await a_job_with(here.storage))
    await here.storage.delete([output.stored_key])
    here.storage.meanwhile = lambda: here.storage.put(output.stored_key, b"picture")
    assert (await checked(here))[0].good


async def test_what_is_deleted_after_the_rows_were_read_is_not_missing(here: Place) -> None:
    job = await a_job_with(here.storage)
    await here.storage.delete([(await output_of(job)).stored_key])
    here.storage.meanwhile = lambda: lifecycle.delete(job.id)
    assert (await checked(here))[0].good


async def test_what_is_removed_after_the_list_was_made_is_no_orphan(here: Place) -> None:
    await here.storage.put("pending.png", b"pending")
    here.storage.meanwhile = lambda: here.storage.delete(["pending.png"])
    assert (await checked(here))[0].good


async def test_a_file_that_demo_jobs_share_is_looked_at_once(here: Place) -> None:
    first, second = [await output_of(await a_job_with(here.storage)) for _ in range(2)]
    await here.storage.delete([second.stored_key])
    await Output.update({Output.stored_key: first.stored_key}).where(Output.id == second.id)
    await lifecycle.delete(UUID(str(first.job)))
    assert await checked(here, by_hash=True) == (Findings(1, 0, 0, 0, 0, 0), [])


async def test_storage_that_is_not_the_librarys_is_not_checked(here: Place) -> None:
    await here.storage.set_mark(f'{{"uuid": "{ids.new()}"}}'.encode())
    with pytest.raises(BackupError, match=r"^STORAGE_URL: .* is not this library's storage"):
        await checked(here)


async def test_the_command_says_how_many_and_fails_when_something_is_wrong(here: Place) -> None:
    await a_job_with(here.storage)
    ended = await here.run("check-files")
    said = "Checked 1 file that rows name: 0 missing, 0 with another size. Files that no row names: 0.\n"
    assert (ended.code, ended.output) == (0, said)
    await here.storage.put("orphan.png", b"orphan")
    ended = await here.run("check-files", "--hash")
    counts = "0 missing, 0 with another size, 0 with another content. Files that no row names: 1."
    unread = "Not checked by hash: 0, previews and thumbnails, of which no hash is recorded."
    lines = ["orphan   orphan.png: 6 bytes", f"Checked 1 file that rows name: {counts} {unread}"]
    assert (ended.code, ended.output.splitlines()) == (1, lines)

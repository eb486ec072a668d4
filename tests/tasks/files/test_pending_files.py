"""Each file that a job's workers store is either named by its outputs in the end or removed, even if a worker dies."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta
from typing import IO

import httpx
import pytest
from obstore.store import MemoryStore

from tasks.curation import trash
from tasks.db.database import now
from tasks.db.tables import Job, PendingFile, Status
from tasks.errors import Failure
from tasks.files import pending_files
from tasks.files.storage import Storage
from tasks.jobs import lifecycle
from tasks.jobs.leases import Lease, Leases, Lost
from tasks.predictions import store
from tasks.settings import settings
from tests.conftest import Faults
from tests.tasks.samples import picture
from tests.tasks.states import FINAL, PASSING, an_output, claimed, left, passes, taken_over
from tests.tasks.work import FLUX, ended, files_of
from tests.tasks.work import submitted as asked_for

FILES = {"a.preview.webp": b"small", "a.png": b"whole"}


class Memory(Storage):
    """Storage in memory. lapses: a lease that ends as soon as a file is stored. away: whether removals fail."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        super().__init__(self.store)
        self.lapses: Lease | None = None
        self.away = False

    async def put(self, key: str, content: IO[bytes] | bytes) -> None:
        await super().put(key, content)
        if self.lapses is not None:
            self.lapses.until = 0.0

    async def delete(self, keys: Iterable[str]) -> None:
        if self.away:
            raise Failure("storage_unavailable", "The storage for finished files is not available.", passing=True)
        await super().delete(keys)

    def keys(self) -> set[str]:
        return {meta["path"] for batch in self.store.list() for meta in batch}


@pytest.fixture
def storage() -> Memory:
    return Memory()


async def stored(job: Job, storage: Storage) -> dict[str, str]:
    """Store files as the worker with this claim, which is then killed."""
    async with Leases().hold(job) as lease:
        return await store.store(lease, storage, FILES)


async def noted() -> set[str]:
    return {row["key"] for row in await PendingFile.select(PendingFile.key)}


async def an_hour_passes() -> None:
    long_ago = now() - timedelta(seconds=pending_files.SECOND_SWEEP_SECONDS + 1)
    await PendingFile.update({PendingFile.removed_at: long_ago}).where(PendingFile.removed_at.is_not_null())


async def test_a_file_is_noted_and_stored_under_a_name_that_it_never_had(storage: Memory) -> None:
    job = await claimed()
    first, second = await stored(job, storage), await stored(job, storage)
    assert storage.keys() == await noted() == {*first.values(), *second.values()}
    assert len(storage.keys()) == 4
    assert [name.partition("-")[0] + name[14:] for name in first.values()] == ["a.preview.webp", "a.png"]


async def test_what_a_completed_job_names_stays_and_is_owed_no_more(storage: Memory) -> None:
    job = await claimed()
    in_vain, names = await stored(job, storage), await stored(job, storage)
    await pending_files.sweep(storage)
    assert storage.keys() == {*in_vain.values(), *names.values()}, "the job still is this worker's"
    output = an_output("a.png")
    output.stored_key, output.stored_preview_key = names["a.png"], names["a.preview.webp"]
    assert await lifecycle.complete(job, [output]) is not None
    assert await noted() == {*in_vain.values()}
    await pending_files.sweep(storage)
    assert storage.keys() == {*names.values()}


async def fail(job: Job) -> object:
    return await lifecycle.fail(job, FINAL)


async def fail_and_delete(job: Job) -> object:
    await lifecycle.fail(job, FINAL)
    return await lifecycle.delete(job.id)


async def fail_and_retry(job: Job) -> object:
    await lifecycle.fail(job, FINAL)
    await lifecycle.retry(job.id)
    return await lifecycle.claim(30)


async def leave(job: Job) -> object:
    await passes(job.id, Job.lease_until)
    return await lifecycle.take_over(30) or await lifecycle.requeue()


ENDS: dict[str, Callable[[Job], Awaitable[object]]] = {
    "failed": fail,
    "failed, then deleted": fail_and_delete,
    "failed, then tried again": fail_and_retry,
    "canceled": lifecycle.end_canceled,
    "postponed": lambda job: lifecycle.postpone(job, PASSING, 0.0),
    "put back": lambda job: lifecycle.unclaim(job, PASSING),
    "to be resumed": lambda job: lifecycle.resume_later(job, PASSING, 0.0),
    "left by a worker that was killed": leave,
    "handed back by a worker that stops": lambda job: lifecycle.release([job.lease_token]),
}


@pytest.mark.parametrize("end", ENDS)
async def test_what_was_stored_for_nothing_is_removed_however_the_claim_ended(end: str, storage: Memory) -> None:
    job = await claimed()
    names = await stored(job, storage)
    await ENDS[end](job)
    await pending_files.sweep(storage)
    assert storage.keys() == set()
    assert await noted() == {*names.values()}, "somebody who was frozen may still store it"
    await an_hour_passes()
    await pending_files.sweep(storage)
    assert await noted() == set()


async def test_a_worker_that_took_over_keeps_what_it_stores(storage: Memory) -> None:
    old = await left()
    new = await taken_over()
    names = await stored(new, storage)
    with pytest.raises(Lost):
        await stored(old, storage)
    await pending_files.sweep(storage)
    assert storage.keys() == await noted() == {*names.values()}


async def test_once_the_lease_is_over_by_the_workers_own_clock_nothing_is_stored(storage: Memory) -> None:
    """The database does not show this: no other worker has taken the job yet."""
    job = await claimed()
    async with Leases().hold(job) as lease:
        lease.until = 0.0
        with pytest.raises(Lost):
            await store.store(lease, storage, FILES)
    assert storage.keys() == set()


async def test_what_was_under_way_when_the_lease_ended_is_taken_back(storage: Memory) -> None:
    job = await claimed()
    async with Leases().hold(job) as storage.lapses:
        with pytest.raises(Lost):
            await store.store(storage.lapses, storage, FILES)
    assert storage.keys() == set()


async def test_a_lease_holds_from_before_it_was_asked_for_as_long_as_it_is_renewed() -> None:
    await asked_for("a fox")
    job = await lifecycle.claim(0)
    assert job is not None
    leases = Leases()
    async with leases.hold(job) as lease:
        assert not lease.holds()
        await leases.renew()
        assert lease.holds()


async def test_what_a_frozen_worker_stores_after_the_sweep_is_removed_by_a_later_one(storage: Memory) -> None:
    job = await claimed()
    names = await stored(job, storage)
    await fail(job)
    await pending_files.sweep(storage)
    await storage.put(names["a.png"], b"late")
    await pending_files.sweep(storage)
    assert storage.keys() == {names["a.png"]}
    await an_hour_passes()
    await pending_files.sweep(storage)
    assert storage.keys() == await noted() == set()


async def test_what_storage_would_not_remove_is_removed_later(storage: Memory) -> None:
    job = await claimed()
    names = await stored(job, storage)
    await fail(job)
    storage.away = True
    with pytest.raises(Failure):
        await pending_files.sweep(storage)
    assert storage.keys() == await noted() == {*names.values()}
    storage.away = False
    await pending_files.sweep(storage)
    assert storage.keys() == set()


async def test_several_workers_sweep_at_once_and_in_portions(storage: Memory) -> None:
    job = await claimed()
    for _ in range(10):
        await stored(job, storage)
    await fail(job)
    await asyncio.gather(*(pending_files.sweep(storage, chunk=3) for _ in range(3)))
    assert storage.keys() == set()
    assert len(await noted()) == 20
    await an_hour_passes()
    await asyncio.gather(*(pending_files.sweep(storage, chunk=3) for _ in range(3)))
    assert await noted() == set()


async def test_of_two_outputs_whose_second_cannot_be_had_nothing_is_left(
    working: Faults, web: httpx.AsyncClient
) -> None:
    good = f"data:image/png;base64,{b64encode(picture()).decode()}"
    output = [good, "https://elsewhere.example/b.png"]
    await working.script({"on": "create", "match": "half a pair", "do": "output", "output": output})
    job = await asked_for("half a pair", FLUX, num_outputs=2, megapixels="0.25", output_format="webp")
    card = await ended(job)
    assert (card.job.status, card.job.error_code) == (Status.FAILED, "output_host_refused")
    for key in (f"{job.id}.png", f"{job.id}.preview.webp", f"{job.id}.thumbnail.webp"):
        assert (await web.get(f"/media/{key}")).status_code == 404
    assert len(files_of(job.id)) == 3, "the first and its previews are there until the next sweep"
    folder = Storage.open(settings.storage_url)
    await pending_files.sweep(folder)
    assert files_of(job.id) == set()
    assert await lifecycle.retry(job.id) is not None  # the retry makes files of another type
    card = await ended(job)
    await pending_files.sweep(folder)
    first, second = card.outputs
    assert (first.key, second.key) == (f"{job.id}.webp", f"{job.id}-1.webp")
    assert len(files_of(job.id)) == 6
    assert (await web.get(f"/media/{job.id}.png")).status_code == 404
    await lifecycle.delete(job.id)
    await trash.clear(folder, job.id)
    assert files_of(job.id) == set()

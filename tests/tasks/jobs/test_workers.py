"""The worker processes, as they say themselves that they are alive."""

from datetime import timedelta

from tasks.db.database import now
from tasks.db.operation_tables import WorkerProcess
from tasks.jobs import lifecycle, workers
from tasks.jobs.workers import Presence
from tests.conftest import Faults
from tests.tasks.work import at_work, existing, submitted, until
from tests.waiting import eventually


async def silent_for(presence: Presence, seconds: float) -> None:
    """Let a worker give no sign of life for a while."""
    await WorkerProcess.update({WorkerProcess.seen_at: now() - timedelta(seconds=seconds)}).where(
        WorkerProcess.id == presence.id
    )


async def test_the_slots_of_all_workers_are_counted_until_they_stop(database: None) -> None:
    one, other = Presence(2), Presence(3)
    await one.show(1)
    await other.show(0)
    await one.show(2)
    assert await workers.slots() == 5
    assert [worker.jobs for worker in await workers.everyone()] == [0, 2]
    await one.leave()
    assert await workers.slots() == 3


async def test_a_worker_that_was_killed_is_told_soon_and_then_counts_no_more(database: None) -> None:
    killed, alive = Presence(4), Presence(1)
    await killed.show(1)
    await alive.show(0)
    assert [workers.is_late(worker) for worker in await workers.everyone()] == [False, False]
    await silent_for(killed, workers.LATE_SECONDS + 1)
    assert [workers.is_late(worker) for worker in await workers.everyone()] == [False, True]
    assert await workers.slots() == 5
    await silent_for(killed, workers.GONE_SECONDS + 1)
    assert await workers.slots() == 1
    await workers.forget()
    assert len(await workers.everyone()) == 2
    await silent_for(killed, workers.FORGOTTEN_SECONDS + 1)
    await workers.forget()
    assert [worker.id for worker in await workers.everyone()] == [alive.id]


async def test_a_worker_that_drains_ends_what_it_runs_and_claims_nothing_until_it_is_resumed(faults: Faults) -> None:
    await faults.script({"on": "create", "match": "under way", "do": "run", "seconds": 2})
    async with at_work() as worker:
        under_way = await submitted("a fox under way")
        await until(under_way.id, lambda card: card.job.stage == "processing")
        [row] = await workers.everyone()
        assert await workers.drain(row.id, True)

        async def drains() -> bool:
            return worker.draining

        await eventually(drains)
        late = await submitted("a late fox")
        await until(under_way.id, lambda card: card.job.status == "completed")
        assert await workers.slots() == 0
        assert await workers.exist()
        assert (await existing(late.id)).job.status == "queued"
        await workers.drain(row.id, False)
        await until(late.id, lambda card: card.job.status in lifecycle.ENDED)
    assert await workers.everyone() == []


async def test_a_worker_that_is_not_there_cannot_drain(database: None) -> None:
    assert await workers.drain(Presence(1).id, True) is None

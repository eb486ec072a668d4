"""Programs are told, once, that the queue is halted and why."""

import asyncio
import json
from uuid import uuid4

import pytest

from tasks.db.database import DB
from tasks.db.tables import Halt
from tasks.errors import Failure
from tasks.replicate import circuit
from tests.tasks.outbox.hooks import deliveries, endpoint, said

AWAY = Failure(circuit.AWAY, "Replicate is not responding.")
BILLING = Failure(circuit.BILLING, "The account has no credit.")


async def codes() -> list[str]:
    return [data["code"] for _, data in await said()]


async def test_a_halt_is_told_with_its_reason_and_the_job_that_met_it() -> None:
    await endpoint()
    job = uuid4()
    await circuit.trip(BILLING, job)
    [(kind, data)] = await said()
    halt = await circuit.current()
    assert halt is not None
    assert kind == "queue.halted"
    assert data == {
        "code": "provider_billing", "message": "The account has no credit.", "job_id": str(job),
        "since": halt.since.isoformat().replace("+00:00", "Z"), "links": {"page": "/"},
    }  # fmt: skip


async def test_a_halt_that_lasts_is_told_once_and_one_that_comes_back_again() -> None:
    await endpoint()
    for _ in range(3):
        await circuit.trip(AWAY)
    assert await codes() == ["provider_away"]
    await circuit.close()
    await circuit.trip(AWAY)
    assert await codes() == ["provider_away"] * 2


async def test_of_many_workers_that_halt_the_queue_at_once_one_tells_it() -> None:
    await endpoint()
    await asyncio.gather(*(circuit.trip(AWAY) for _ in range(8)))
    assert await codes() == ["provider_away"]


async def test_another_reason_is_told_as_well() -> None:
    await endpoint()
    await circuit.trip(AWAY)
    await circuit.trip(BILLING)
    await circuit.hold_by_hand()
    assert await codes() == ["provider_away", "provider_billing", "held"]


async def test_a_halt_is_told_with_what_it_is_a_part_of_or_not_at_all() -> None:
    async def undone() -> None:
        async with DB.transaction():
            await circuit.hold("restored", "It was restored.")
            raise RuntimeError

    await endpoint()
    with pytest.raises(RuntimeError):
        await undone()
    assert (await circuit.current(), await codes()) == (None, [])
    async with DB.transaction():
        await circuit.hold("restored", "It was restored.")
    assert await codes() == ["restored"]


@pytest.mark.parametrize("code", ["held", "restored"])
async def test_what_does_not_replace_a_halt_is_not_told(code: str) -> None:
    await circuit.hold(code, "It is halted.")
    await endpoint()
    await circuit.trip(AWAY)
    if code == "restored":
        await circuit.hold_by_hand()
    assert await codes() == []
    assert (await Halt.select(Halt.code))[0]["code"] == code


async def test_a_halt_is_told_only_if_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    await endpoint()
    monkeypatch.setattr(
        "tasks.outbox.outbox.FOR_ENDPOINTS", "INSERT INTO nowhere VALUES ({}, {}, {}, {}, {}, {}, {}, {}, {}, {})"
    )
    with pytest.raises(Exception, match="nowhere"):
        await circuit.trip(AWAY)
    assert await circuit.current() is None
    assert [json.loads(one.body) for one in await deliveries()] == []

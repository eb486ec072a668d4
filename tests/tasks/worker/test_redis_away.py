"""While Redis is away, or refuses commands, jobs still run: workers run the jobs that they find."""

import asyncio
import logging
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from redis.asyncio import Redis

from tasks.db.tables import Job, Status
from tasks.jobs import lifecycle
from tasks.messaging import events
from tasks.messaging.broker import HintBroker, broker
from tasks.replicate import circuit
from tasks.settings import settings
from tests import servers
from tests.conftest import Faults
from tests.processes import Process, answers, environment
from tests.tasks.work import QUICK, at_work, submitted, until
from tests.waiting import eventually
from webapp.cli.parent_watch import Tether

pytestmark = pytest.mark.once

LOST, FOUND = "is not responding: jobs still run", "is responding again"


@asynccontextmanager
async def redis_at(url: str) -> AsyncIterator[None]:
    """Make everything in this process look for Redis at this URL while the block runs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(events, "_clients", {})
        patch.setattr(events, "_outboxes", {})
        patch.setattr(events, "redis_health", events.RedisHealth())
        patch.setattr(events, "settings", settings.model_copy(update={"redis_url": url}))
        patch.setattr(broker, "connection_pool", HintBroker(url).connection_pool)
        yield
        await events.close()
        await broker.connection_pool.disconnect()


@pytest.fixture
async def without_redis(tmp_path: Path) -> AsyncIterator[None]:
    async with redis_at(f"unix://{tmp_path}/nobody.sock"):
        yield


@pytest.fixture
def valkey() -> Iterator[servers.Server]:
    with servers.kept("valkey") as server:
        yield server


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the levels of what the log says about Redis."""
    return [record.levelname for record in caplog.records if LOST in record.message or FOUND in record.message]


async def completes(job: Job, within: float = 15) -> None:
    card = await until(job.id, lambda card: card.job.status in lifecycle.ENDED, within)
    assert card.job.status == Status.COMPLETED, card.job.error


async def test_a_redis_that_says_nothing_does_not_hold_up_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        async with redis_at(f"redis://127.0.0.1:{mute.getsockname()[1]}"):
            events.post("SET", "test:said", "one pipeline")
            await asyncio.sleep(0.1)
            events.post("SET", "test:said", "and the next one")
            start = time.monotonic()
            await events.close()
            assert time.monotonic() - start < events.TIMEOUT


async def test_jobs_run_although_redis_was_never_there(
    without_redis: None, faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work():
        for number in range(3):
            await completes(await submitted(f"a fox on its own, {number}"))
    assert said(caplog) == ["WARNING"]


@asynccontextmanager
async def answering(answer: bytes, socket: Path) -> AsyncIterator[None]:
    """Run a Redis that gives the same answer to every command."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            for _ in range(int(line[1:])):
                size = int((await reader.readline())[1:])
                await reader.readexactly(size + 2)
            writer.write(answer)
        writer.close()

    async with await asyncio.start_unix_server(talk, socket):
        yield


@pytest.mark.parametrize(
    "answer", [b"-MISCONF Redis is configured to save snapshots, but cannot do so.\r\n", b""], ids=["no", "nothing"]
)
async def test_a_redis_that_has_one_answer_to_everything_stops_nobody(
    answer: bytes, faults: Faults, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    socket = tmp_path / "valkey.sock"
    async with answering(answer, socket), redis_at(f"unix://{socket}"), at_work():
        for number in range(2):
            await completes(await submitted(f"an unloved fox, {number}"), within=30)
    assert said(caplog) == ["WARNING"]


@pytest.mark.parametrize(
    ("refusal", "remedy"),
    [
        (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
        (("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")),
        (("CONFIG", "SET", "requirepass", "secret"), ("CONFIG", "SET", "requirepass", "")),
    ],
    ids=["no memory", "read-only", "password"],
)
async def test_a_redis_that_takes_nothing_stops_nobody_and_is_used_again_when_it_does(
    refusal: tuple[str, ...],
    remedy: tuple[str, ...],
    valkey: servers.Server,
    faults: Faults,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "tasks")
    async with Redis.from_url(valkey.url) as operator, redis_at(valkey.url):
        await operator.execute_command(*refusal)  # type: ignore[no-untyped-call]
        async with at_work():
            await completes(await submitted("a fox for a Redis that is full"))
            assert said(caplog) == ["WARNING"]
            await operator.execute_command(*remedy)  # type: ignore[no-untyped-call]
            await eventually(lambda: has_said(caplog, "INFO"))
            await completes(await submitted("a fox for a Redis that is well"))
            assert await hints_taken(operator) > 0
        assert said(caplog) == ["WARNING", "INFO"]  # before it is closed, which others in this process may notice


async def test_a_redis_that_closes_every_connection_once_is_not_away(
    valkey: servers.Server, faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tasks")
    async with Redis.from_url(valkey.url) as operator, redis_at(valkey.url):
        async with at_work():
            await completes(await submitted("a fox before the connections are closed"))
            for kind in ("normal", "pubsub"):
                assert await operator.client_kill_filter(_type=kind, skipme=True) > 0
            events.post("SET", "test:posted", "to a closed connection")
            await completes(await submitted("a fox after the connections are closed"))
            await eventually(lambda: was_posted(operator))
        assert said(caplog) == []


async def was_posted(operator: Redis) -> bool:
    return bool(await operator.get("test:posted") == b"to a closed connection")


async def has_said(caplog: pytest.LogCaptureFixture, level: str) -> bool:
    return level in said(caplog)


async def hints_taken(operator: Redis) -> int:
    [group] = await operator.xinfo_groups(broker.queue_name)
    return int(group["entries-read"] or 0)


async def test_while_redis_is_away_a_worker_carries_as_many_as_it_may_and_no_more(
    without_redis: None, faults: Faults
) -> None:
    await faults.script({"on": "create", "match": "crowd", "do": "run", "seconds": 1.5, "times": 0})
    many = [await submitted(f"one of a crowd of foxes, {number}") for number in range(7)]
    most, hints = 0, []

    async def all_have_ended() -> bool:
        nonlocal most
        most = max(most, await Job.count().where(Job.status == Status.RUNNING))
        hints.append(asyncio.create_task(worker.generate()))  # as they arrive when Redis is back
        return bool(await Job.count().where(Job.status == Status.COMPLETED) == len(many))

    async with at_work(concurrency=3) as worker:
        await eventually(all_have_ended)
    await asyncio.gather(*hints)
    assert most == 3


async def test_while_redis_is_away_a_cancel_reaches_the_worker(without_redis: None, faults: Faults) -> None:
    await faults.script({"on": "create", "match": "unwanted", "do": "run", "seconds": 60})
    async with at_work(lease_seconds=3):
        job = await submitted("a fox that is unwanted")
        await until(job.id, lambda card: card.job.stage == "processing")
        await lifecycle.cancel(job.id)
        card = await until(job.id, lambda card: card.job.status in lifecycle.ENDED, within=15)
    assert card.job.status == Status.CANCELED


async def test_while_redis_is_away_a_halted_queue_is_probed(without_redis: None, faults: Faults) -> None:
    await faults.script({"on": "create", "do": "status", "status": 402, "times": 1000})
    async with at_work(timings=replace(QUICK, max_probe=0.3)):
        job = await submitted("a fox without credit")
        await eventually(halted)
        await faults.clear()
        await completes(job)


async def halted() -> bool:
    return await circuit.current() is not None


async def test_a_worker_that_stops_hands_on_what_it_carries_without_hints(without_redis: None, faults: Faults) -> None:
    await faults.script({"on": "create", "match": "handed", "do": "run", "seconds": 2})
    async with at_work():
        job = await submitted("a fox handed on without a word")
        await until(job.id, lambda card: card.job.stage == "processing")
    async with at_work():
        await completes(job)
    assert len(await faults.created("a fox handed on without a word")) == 1


@dataclass
class Site:
    """A web and a worker process, and the Redis that both use."""

    folder: Path
    address: str
    client: httpx.AsyncClient

    async def post(self) -> str:
        answer = await self.client.post(f"{self.address}/generate", json={"prompt": "a fox", "parameters": SMALL})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    async def completes(self, job_id: str, within: float = 15) -> None:
        async def is_completed() -> bool:
            status = (await self.client.get(f"{self.address}/status/{job_id}")).json()["status"]
            return bool(status == "completed")

        await eventually(is_completed, within)

    def said(self, name: str) -> list[str]:
        """Return the levels of what a process has logged about Redis."""
        lines = (self.folder / f"{name}.log").read_text().splitlines()
        return [line.split()[1] for line in lines if LOST in line or FOUND in line]


SMALL = {"width": 64, "height": 64}


@asynccontextmanager
async def running(folder: Path, database_url: str, redis_url: str, standin: str) -> AsyncIterator[Site]:
    port = servers.free_port()
    settings = environment(folder, database_url, redis_url, standin, PORT=str(port), LOG_LEVEL="info")
    (folder / "data").mkdir()
    with ExitStack() as stack:
        tether = stack.enter_context(Tether())
        for name in ("web", "worker"):
            process = Process(name, settings, tether, folder / f"{name}.log")
            stack.callback(process.kill)
            process.start()
        async with httpx.AsyncClient() as client:
            await eventually(lambda: answers(client, f"http://127.0.0.1:{port}/healthz"))
            yield Site(folder, f"http://127.0.0.1:{port}", client)


async def test_jobs_run_within_seconds_while_redis_is_killed_and_with_hints_when_it_is_back(
    standin: str, tmp_path: Path, new_database: Callable[[], Awaitable[str]], valkey: servers.Server
) -> None:
    async with running(tmp_path, await new_database(), valkey.url, standin) as site:
        await site.completes(await site.post(), within=60)  # the worker may still be starting
        await asyncio.to_thread(valkey.end, signal.SIGKILL)
        for _ in range(3):
            await site.completes(await site.post())
        assert (site.said("web"), site.said("worker")) == (["WARNING"], ["WARNING"])
        await asyncio.to_thread(valkey.start)

        async def is_found() -> bool:
            return site.said("web") + site.said("worker") == ["WARNING", "INFO"] * 2

        await eventually(is_found)
        await site.completes(await site.post())
        async with Redis.from_url(valkey.url) as operator:
            assert await hints_taken(operator) > 0
        assert await is_found()


async def test_jobs_run_although_redis_is_somewhere_else(
    standin: str, tmp_path: Path, new_database: Callable[[], Awaitable[str]]
) -> None:
    wrong = "redis://:secret@127.0.0.1:1"
    async with running(tmp_path, await new_database(), wrong, standin) as site:
        for _ in range(2):
            await site.completes(await site.post(), within=60)  # the worker may still be starting
        for name in ("web", "worker"):
            assert site.said(name) == ["WARNING"]
            log = (tmp_path / f"{name}.log").read_text()
            assert "Redis at redis://***@127.0.0.1:1 is not responding" in log
            assert "secret" not in log

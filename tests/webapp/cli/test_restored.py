"""A restored backup starts halted: the jobs that wait in it are not made, and paid for, a second time."""

import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import servers
from tests.conftest import Faults
from tests.processes import ROOT, Process, environment
from tests.waiting import eventually
from webapp.cli.parent_watch import Tether

pytestmark = pytest.mark.once


@dataclass
class Site:
    """A web and a worker process on SQLite."""

    folder: Path
    settings: dict[str, str]
    web: Process
    worker: Process
    client: httpx.AsyncClient

    @property
    def database(self) -> Path:
        return self.folder / "data" / "darkroom.sqlite"

    def back_up(self) -> None:
        with closing(sqlite3.connect(self.database)) as running, closing(sqlite3.connect(self._backup)) as backup:
            running.backup(backup)

    def restore(self) -> None:
        for path in self.database.parent.glob("darkroom.sqlite*"):
            path.unlink()
        self.database.write_bytes(self._backup.read_bytes())

    async def post(self, prompt: str) -> str:
        body = {"prompt": prompt, "parameters": {"width": 64, "height": 64}}
        return str((await self.client.post("/generate", json=body)).raise_for_status().json()["job_id"])

    async def statuses(self, jobs: list[str]) -> list[str]:
        return [(await self.client.get(f"/status/{job}")).json()["status"] for job in jobs]

    async def checks(self) -> dict[str, str]:
        try:
            return dict((await self.client.get("/readyz")).json()["checks"])
        except httpx.TransportError:
            return {"queue": "nobody answers", "worker": "nobody answers"}

    async def serves(self) -> bool:
        return (await self.checks())["queue"] != "nobody answers"

    async def works(self) -> bool:
        return (await self.checks())["worker"] == "ok"

    async def stop(self) -> None:
        for process in (self.worker, self.web):
            assert await process.stop(), process.log.read_text()

    def run(self, *words: str | Path) -> str:
        command = [sys.executable, "-m", "webapp", *words]
        return subprocess.check_output(command, cwd=ROOT, env=self.settings, text=True)

    def resume(self) -> str:
        return self.run("resume")

    @property
    def _backup(self) -> Path:
        return self.folder / "backup.sqlite"


@asynccontextmanager
async def a_site(folder: Path, standin: str) -> AsyncIterator[Site]:
    port, database = servers.free_port(), f"sqlite:///{folder}/data/darkroom.sqlite"
    with servers.valkey() as redis, Tether() as tether:
        settings = environment(folder, database, redis, standin, PORT=str(port))
        web, worker = (Process(part, settings, tether, folder / f"{part}.log") for part in ("web", "worker"))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield Site(folder, settings, web, worker, client)
        worker.kill()
        web.kill()


@pytest.fixture
async def site(standin: str, tmp_path: Path) -> AsyncIterator[Site]:
    async with a_site(tmp_path, standin) as site:
        yield site


@pytest.fixture
async def other_site(standin: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with a_site(tmp_path_factory.mktemp("other"), standin) as site:
        yield site


async def test_a_restored_backup_makes_nothing_again_until_it_is_resumed(site: Site, faults: Faults) -> None:
    site.web.start()
    await eventually(site.serves)
    prompts = [f"restored fox {number}" for number in range(3)]
    jobs = [await site.post(prompt) for prompt in prompts]
    site.back_up()
    site.worker.start()

    async def made() -> bool:
        return await site.statuses(jobs) == ["completed"] * 3

    async def paid() -> list[int]:
        return [len(await faults.created(prompt)) for prompt in prompts]

    await eventually(made)
    await site.stop()
    site.restore()
    for _ in range(2):  # a restart does not end the halt
        await site.stop()
        site.web.start()
        site.worker.start()
        await eventually(site.works)
        assert (await site.checks())["queue"].startswith("halted: This library was restored from a backup of 20")
        assert "was restored from a backup" in (await site.client.get("/")).text
    assert await site.statuses(jobs) == ["queued"] * 3
    assert await paid() == [1, 1, 1]
    await site.client.post(f"/jobs/{jobs[0]}/cancel")
    assert "This library was restored from a backup of 20" in site.resume()

    async def gone_on() -> bool:
        return await site.statuses(jobs) == ["canceled", "completed", "completed"]

    await eventually(gone_on)
    assert await paid() == [1, 2, 2]
    assert site.resume() == "The queue is not halted.\n"


async def test_a_backup_that_is_restored_beside_a_running_worker_makes_nothing_again_until_it_is_resumed(
    site: Site, other_site: Site, faults: Faults, tmp_path: Path
) -> None:
    site.web.start()
    await eventually(site.serves)
    prompts = [f"fox restored elsewhere {number}" for number in range(3)]
    jobs = [await site.post(prompt) for prompt in prompts]
    assert site.run("backup", tmp_path / "backup").startswith("Backed up 3 jobs and 0 files")
    site.worker.start()

    async def made(at: Site) -> bool:
        return await at.statuses(jobs) == ["completed"] * 3

    async def paid() -> list[int]:
        return [len(await faults.created(prompt)) for prompt in prompts]

    await eventually(lambda: made(site))
    await site.stop()
    other_site.web.start()
    other_site.worker.start()
    await eventually(other_site.works)
    other_site.run("restore", tmp_path / "backup")
    for restarts in (False, True):  # a restart does not end the halt
        if restarts:
            await other_site.stop()
            other_site.web.start()
            other_site.worker.start()
        await eventually(other_site.works)
        assert await other_site.statuses(jobs) == ["queued"] * 3
        assert (await other_site.checks())["queue"].startswith("halted: This library was restored from a backup of 20")
    assert await paid() == [1, 1, 1]
    assert "This library was restored from a backup of 20" in other_site.resume()
    await eventually(lambda: made(other_site))
    assert await paid() == [2, 2, 2]
